// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream out: packs elements; TLAST on the last beat of the last step.
#pragma once

#include <hls_stream.h>

#include "axis_word.hpp"
#include "trace.hpp"

namespace hwrnn {

// One call. With several streams TID is the number of the stream.
template <class S>
void axis_out(hls::stream<typename S::beat_t>& x, hls::stream<typename S::word_t>& m_axis) {
#pragma HLS INLINE off
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    const typename S::beat_t beat = x.read();
    if (beat.carries()) {
      HWRNN_COUNT(S::name, "BEAT");
      typename S::word_t word;
      word.data = pack_word<typename S::data_t, S::element_bits>(beat);
      word.keep = -1;
      word.strb = -1;
      word.last = beat.last;
      if constexpr (S::beat_t::streams > 1) {
        word.id = beat.stream();
      }
      m_axis.write(word);
    }
    done = beat.ends_call();
  }
}

}  // namespace hwrnn
