// SPDX-License-Identifier: Apache-2.0
// Sends words with any TLAST to a design: words < WORDS, each line "element ... last".
// Prints the elements of each result, "end" after TLAST, then the error flag.
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "top.cpp"

using hwrnn_design::sink;
using hwrnn_design::source;

int main() {
  hls::stream<source::word_t> s_axis("s_axis");
  hls::stream<sink::word_t> m_axis("m_axis");
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream numbers(line);
    source::word_t word;
    word.data = 0;
    long long number = 0;
    for (int lane = 0; lane < source::beat_t::lanes && numbers >> number; ++lane) {
      const ap_uint<source::element_bits> element = number;
      word.data.range((lane + 1) * source::element_bits - 1, lane * source::element_bits) = element;
    }
    int last = 0;
    numbers >> last;
    word.last = last;
    s_axis.write(word);
  }
  ap_uint<1> error = 0;
  ap_uint<32> version = 0;
  ap_uint<64> model_hash = 0;
  try {
    while (!s_axis.empty()) {
      HWRNN_TOP(s_axis, m_axis, error, version, model_hash);
    }
  } catch (const std::underflow_error&) {
    std::cout << "waits\n";
  }
  while (!m_axis.empty()) {
    const sink::word_t word = m_axis.read();
    for (int lane = 0; lane < sink::beat_t::lanes; ++lane) {
      const ap_int<sink::element_bits> element =
          word.data.range((lane + 1) * sink::element_bits - 1, lane * sink::element_bits);
      std::cout << element << " ";
    }
    std::cout << (word.last != 0 ? "end\n" : "\n");
  }
  std::cout << "error " << error << "\n";
}
