// SPDX-License-Identifier: Apache-2.0
// Runs an emitted design on the sequences of a binary file: csim_driver INPUT OUTPUT.
// INPUT is 64-bit integers: the number of sequences; for each its number of elements, then these.
// OUTPUT has the same form, with the error flag in front.
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

Numbers run(const Numbers& input) {
  hls::stream<hwrnn_design::source::word_t> s_axis("s_axis");
  hls::stream<hwrnn_design::sink::word_t> m_axis("m_axis");
  ap_uint<1> error = 0;
  ap_uint<32> version = 0;
  ap_uint<64> model_hash = 0;
  Numbers output = {0, input.at(0)};
  auto next = input.begin() + 1;
  for (std::int64_t sequence = 0; sequence < input[0]; ++sequence) {
    const std::int64_t size = *next++;
    hwrnn::send_sequence<hwrnn_design::source>(Numbers(next, next + size), s_axis);
    next += size;
    HWRNN_TOP(s_axis, m_axis, error, version, model_hash);
    const Numbers result = hwrnn::receive_sequence<hwrnn_design::sink>(m_axis);
    output.push_back(static_cast<std::int64_t>(result.size()));
    output.insert(output.end(), result.begin(), result.end());
  }
  output[0] = error != 0 ? 1 : 0;
  if (!s_axis.empty() || !m_axis.empty()) {
    throw std::runtime_error("words are left over");
  }
  return output;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 3) {
      throw std::runtime_error("usage: csim_driver INPUT OUTPUT");
    }
    write_file(argv[2], run(read_file(argv[1])));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
