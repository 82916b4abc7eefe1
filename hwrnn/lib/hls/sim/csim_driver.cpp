// SPDX-License-Identifier: Apache-2.0
// Runs an emitted design on the sequences of a binary file: csim_driver INPUT OUTPUT [TRACE].
// INPUT is 64-bit integers: the number of runs; for each the number of writes of the image that
// comes before it, address and word of each; the number of sequences, whether each starts anew, then
// for each input of the design all of them: the number of elements, then these (of the further
// inputs a vector for each). OUTPUT has the error flag, whether an image had an address that nothing
// has, then for each output the sequences of all runs: their number, for each its number of
// elements, then these. TRACE, if compiled with HWRNN_TRACE, has a line for each loop, and for the
// sums of each group: see hwrnn/trace.hpp.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "sim_ports.hpp"

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

// Reads numbers one behind the other.
class Reader {
 public:
  explicit Reader(const Numbers& numbers) : numbers_(numbers) {}

  std::int64_t next() { return numbers_.at(at_++); }
  hwrnn::Sequence next_sequence() {
    hwrnn::Sequence sequence(static_cast<std::size_t>(next()));
    for (std::int64_t& element : sequence) {
      element = next();
    }
    return sequence;
  }

 private:
  const Numbers& numbers_;
  std::size_t at_ = 0;
};

void send_image(Reader& input, hwrnn_design::Ports& ports) {
  hwrnn::ImageWrites writes(static_cast<std::size_t>(input.next()));
  for (auto& [address, data] : writes) {
    address = static_cast<std::uint32_t>(input.next());
    data = static_cast<std::uint32_t>(input.next());
  }
  hwrnn::send_image(writes, ports.s_image);
  ports.load = writes.empty() ? 0 : 1;
}

// Returns how many sequences were sent.
std::size_t send_sequences(Reader& input, hwrnn_design::Ports& ports, const std::size_t sent) {
  std::vector<bool> first(static_cast<std::size_t>(input.next()));
  for (std::size_t k = 0; k < first.size(); ++k) {
    first[k] = input.next() != 0;
  }
  std::vector<std::vector<hwrnn::Sequence>> given(hwrnn_design::Ports::inputs);
  for (std::vector<hwrnn::Sequence>& sequences : given) {
    for (std::size_t k = 0; k < first.size(); ++k) {
      sequences.push_back(input.next_sequence());
    }
  }
  ports.send(given, first, sent);
  return first.size();
}

Numbers run(const Numbers& numbers) {
  Reader input(numbers);
  hwrnn_design::Ports ports;
  std::size_t sent = 0;
  bool bad_image = false;
  for (std::int64_t left = input.next(); left > 0; --left) {
    send_image(input, ports);
    sent += send_sequences(input, ports, sent);
    bad_image = ports.run() || bad_image;
  }
  Numbers output = {ports.error != 0 ? 1 : 0, bad_image ? 1 : 0};
  for (const std::vector<hwrnn::Sequence>& sequences : ports.receive()) {
    output.push_back(static_cast<std::int64_t>(sequences.size()));
    for (const hwrnn::Sequence& sequence : sequences) {
      output.push_back(static_cast<std::int64_t>(sequence.size()));
      output.insert(output.end(), sequence.begin(), sequence.end());
    }
  }
  return output;
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
