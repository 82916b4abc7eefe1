// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream in: unpacks elements and checks TLAST.
#pragma once

#include <hls_stream.h>

#include "axis_word.hpp"
#include "trace.hpp"

namespace hwrnn {

// One sequence of any length. A TLAST in mid-step raises the error; the rest of the step is zero.
template <class S>
void axis_in(hls::stream<typename S::word_t>& s_axis, hls::stream<typename S::beat_t>& out,
             ErrorFlag& error) {
#pragma HLS INLINE
  bool last = false;
STEP:
  while (!last) {
  BEAT:
    for (int beat = 0; beat < S::beats; ++beat) {
#pragma HLS PIPELINE II=1
      HWRNN_COUNT(S::name, "BEAT");
      typename S::beat_t given = unpack_word<typename S::beat_t, S::element_bits>(S::no_data(), 0);
      if (!last) {
        const typename S::word_t word = s_axis.read();
        given = unpack_word<typename S::beat_t, S::element_bits>(word.data, S::lanes[beat]);
        last = word.last;
        error.raised = error.raised || (last && beat != S::beats - 1);
      }
      given.last = last && beat == S::beats - 1;
      out.write(given);
    }
  }
}

}  // namespace hwrnn
