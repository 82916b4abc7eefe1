// SPDX-License-Identifier: Apache-2.0
// For testbenches, never for hardware: sequences of integers to and from AXI4-Stream words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <hls_stream.h>

#include "types.hpp"

namespace hwrnn {

// Writes the words of one sequence; `elements` holds step after step. `P` is the input port.
template <class P>
void send_sequence(const std::vector<std::int64_t>& elements,
                   hls::stream<typename P::word_t>& s_axis) {
  constexpr int bits = P::element_bits;
  for (std::size_t next = 0; next < elements.size();) {
    for (int beat = 0; beat < P::beats; ++beat) {
      typename P::word_t word;
      word.data = 0;
      for (int lane = 0; lane < P::lanes[beat]; ++lane) {
        const ap_uint<bits> element = elements[next++];
        word.data.range((lane + 1) * bits - 1, lane * bits) = element;
      }
      word.keep = -1;
      word.strb = -1;
      word.last = next == elements.size() ? 1 : 0;
      s_axis.write(word);
    }
  }
}

// Reads words up to TLAST. `P` is the output port.
template <class P>
std::vector<std::int64_t> receive_sequence(hls::stream<typename P::word_t>& m_axis) {
  constexpr int bits = P::element_bits;
  std::vector<std::int64_t> elements;
  for (bool last = false; !last;) {
    for (int beat = 0; beat < P::beats; ++beat) {
      const typename P::word_t word = m_axis.read();
      for (int lane = 0; lane < P::lanes[beat]; ++lane) {
        const ap_uint<bits> raw = word.data.range((lane + 1) * bits - 1, lane * bits);
        const ap_int<bits> element = raw;
        elements.push_back(P::is_signed ? element.to_int64()
                                        : static_cast<std::int64_t>(raw.to_uint64()));
      }
      last = word.last != 0;
      if (last != (last && beat == P::beats - 1)) {
        throw std::runtime_error("TLAST in the middle of a vector");
      }
    }
  }
  return elements;
}

}  // namespace hwrnn
