// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream in, for a network that needs sequences of one length.
#pragma once

#include <hls_stream.h>

#include "axis_word.hpp"
#include "trace.hpp"

namespace hwrnn {

// One sequence of exactly `S::fixed_steps` steps. Another length raises the error and is cut, or
// padded with zeros.
template <class S>
void axis_in_fixed(hls::stream<typename S::word_t>& s_axis, hls::stream<typename S::beat_t>& out,
                   ErrorFlag& error) {
#pragma HLS INLINE
  static_assert(S::fixed_steps >= 1, "a sequence has at least one step");
  bool ended = false;
STEP:
  for (int step = 0; step < S::fixed_steps; ++step) {
  BEAT:
    for (int beat = 0; beat < S::beats; ++beat) {
#pragma HLS PIPELINE II=1
      HWRNN_COUNT(S::name, "BEAT");
      const bool final = step == S::fixed_steps - 1 && beat == S::beats - 1;
      typename S::beat_t given = unpack_word<typename S::beat_t, S::element_bits>(S::no_data(), 0);
      if (!ended) {
        const typename S::word_t word = s_axis.read();
        given = unpack_word<typename S::beat_t, S::element_bits>(word.data, S::lanes[beat]);
        ended = word.last;
        error.raised = error.raised || ended != final;
      }
      given.last = final;
      out.write(given);
    }
  }
DRAIN:
  while (!ended) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT(S::name, "DRAIN");
    ended = s_axis.read().last;
  }
}

}  // namespace hwrnn
