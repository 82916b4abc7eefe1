// SPDX-License-Identifier: Apache-2.0
// Runs an emitted design on the sequences of a binary file: csim_driver INPUT OUTPUT [TRACE].
// INPUT is 64-bit integers: the number of sequences; for each its number of elements, then these.
// OUTPUT has the same form, with the error flag in front. TRACE, if compiled with HWRNN_TRACE, has
// a line for each loop, and for the sums of each group: see hwrnn/trace.hpp.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "top.cpp"

#include "hwrnn/testbench.hpp"

namespace {

using Numbers = std::vector<std::int64_t>;

Numbers read_file(const char* name) {
  std::ifstream file(name, std::ios::binary | std::ios::ate);
  if (!file) {
    throw std::runtime_error("cannot read the input file");
  }
  Numbers numbers(static_cast<std::size_t>(file.tellg()) / sizeof(std::int64_t));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(numbers.data()), numbers.size() * sizeof(std::int64_t));
  return numbers;
}

void write_file(const char* name, const Numbers& numbers) {
  std::ofstream file(name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(std::int64_t));
  if (!file.flush()) {
    throw std::runtime_error("cannot write the output file");
  }
}

std::vector<hwrnn::Sequence> unpack(const Numbers& input) {
  std::vector<hwrnn::Sequence> sequences(input.at(0));
  auto next = input.begin() + 1;
  for (hwrnn::Sequence& sequence : sequences) {
    const std::int64_t size = *next++;
    sequence.assign(next, next + size);
    next += size;
  }
  return sequences;
}

Numbers pack(const std::vector<hwrnn::Sequence>& sequences, const bool error) {
  Numbers output = {error ? 1 : 0, static_cast<std::int64_t>(sequences.size())};
  for (const hwrnn::Sequence& sequence : sequences) {
    output.push_back(static_cast<std::int64_t>(sequence.size()));
    output.insert(output.end(), sequence.begin(), sequence.end());
  }
  return output;
}

Numbers run(const Numbers& input) {
  hls::stream<hwrnn_design::source::word_t> s_axis("s_axis");
  hls::stream<hwrnn_design::sink::word_t> m_axis("m_axis");
  ap_uint<1> error = 0;
  ap_uint<32> version = 0;
  ap_uint<64> model_hash = 0;
  hwrnn::send_sequences<hwrnn_design::source>(unpack(input), s_axis);
  while (!s_axis.empty()) {
    HWRNN_TOP(s_axis, m_axis, error, version, model_hash);
  }
  return pack(hwrnn::receive_sequences<hwrnn_design::sink>(m_axis), error != 0);
}

#ifdef HWRNN_TRACE
void write_trace(const char* name) {
  std::ofstream file(name);
  for (const auto& [loop, count] : hwrnn::trace::counts) {
    file << "count " << loop << " " << count << "\n";
  }
  for (const hwrnn::trace::Sums& sums : hwrnn::trace::sums) {
    file << "sums " << sums.engine << " " << sums.block << " " << sums.group;
    for (const std::int64_t value : sums.values) {
      file << " " << value;
    }
    file << "\n";
  }
}
#endif

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) {
      throw std::runtime_error("usage: csim_driver INPUT OUTPUT [TRACE]");
    }
    write_file(argv[2], run(read_file(argv[1])));
#ifdef HWRNN_TRACE
    if (argc > 3) {
      write_trace(argv[3]);
    }
#endif
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
