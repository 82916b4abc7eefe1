// SPDX-License-Identifier: Apache-2.0
// Words of AXI4-Stream ports in a simulation: as bits in pieces of 32, and from port to port.
#pragma once

#include <cstdint>
#include <vector>

#include <ap_int.h>

#include <hls_stream.h>

namespace hwrnn {

// Writes a word to the port `P`; `mark` adds what it has beside the data.
template <class P, class Mark>
void push_word(hls::stream<typename P::word_t>& s_axis, const std::uint32_t* data, const bool last,
               Mark mark) {
  typename P::word_t word;
  word.data = 0;
  constexpr int width = P::data_t::width;
  for (int low = 0; low < width; low += 32) {
    const int high = low + 31 < width ? low + 31 : width - 1;
    word.data.range(high, low) = ap_uint<32>(data[low / 32]);
  }
  word.keep = -1;
  word.strb = -1;
  word.last = last;
  mark(word);
  s_axis.write(word);
}

// Reads a word from the port `P`.
template <class P>
typename P::word_t pop_word(hls::stream<typename P::word_t>& m_axis, std::uint32_t* data) {
  const typename P::word_t word = m_axis.read();
  constexpr int width = P::data_t::width;
  for (int low = 0; low < width; low += 32) {
    const int high = low + 31 < width ? low + 31 : width - 1;
    const ap_uint<32> part = word.data.range(high, low);
    data[low / 32] = part.to_uint();
  }
  return word;
}

// Moves all words.
template <class Word>
void move_words(hls::stream<Word>& from, hls::stream<Word>& to) {
  while (!from.empty()) {
    to.write(from.read());
  }
}

// Copies all words.
template <class Word>
void copy_words(hls::stream<Word>& from, hls::stream<Word>& to) {
  std::vector<Word> words;
  while (!from.empty()) {
    words.push_back(from.read());
  }
  for (const Word& word : words) {
    from.write(word);
    to.write(word);
  }
}

}  // namespace hwrnn
