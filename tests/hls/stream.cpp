// SPDX-License-Identifier: Apache-2.0
// Our hls_stream.h: order, the ways to read and write, and what an empty read does.
#include <cstdio>
#include <stdexcept>
#include <string>

#include <hls_stream.h>

namespace {

int failures = 0;

void check(const bool held, const char* what) {
  if (!held) {
    std::printf("FAIL %s\n", what);
    ++failures;
  }
}

}  // namespace

int main() {
  hls::stream<int> numbers("numbers");
  check(numbers.empty() && !numbers.full() && numbers.size() == 0, "starts empty");
  for (int k = 0; k < 5; ++k) {
    numbers.write(k);
  }
  numbers << 5;
  check(numbers.write_nb(6) && numbers.size() == 7, "holds what was written");
  int value = -1;
  for (int k = 0; k < 5; ++k) {
    check(numbers.read() == k, "gives the oldest first");
  }
  numbers >> value;
  check(value == 5, "operator>>");
  check(numbers.read_nb(value) && value == 6, "read_nb gives what is there");
  check(!numbers.read_nb(value) && value == 6, "read_nb leaves the value when empty");
  std::string said;
  try {
    numbers.read();
  } catch (const std::underflow_error& error) {
    said = error.what();
  }
  check(said == "read from the empty stream numbers", "an empty read throws and names the stream");
  numbers.write(9);
  check(numbers.read() == 9, "works on after an empty read");
  return failures;
}
