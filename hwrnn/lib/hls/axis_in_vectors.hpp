// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream in, of vectors that belong to sequences at another port: one for each.
#pragma once

#include <hls_stream.h>

#include "axis_word.hpp"
#include "trace.hpp"

namespace hwrnn {

// One call on several streams. `starts` says true for each sequence that starts in it, then false.
// A TLAST in mid-vector raises the error, and the rest of the vector is zero; so does a vector that
// goes on behind its last beat, of which the rest is dropped up to its TLAST.
template <class S>
void axis_in_vectors(hls::stream<typename S::word_t>& s_axis,
                     hls::stream<typename S::beat_t>& out, ErrorFlag& error,
                     hls::stream<bool>& starts) {
#pragma HLS INLINE
  using beat_t = typename S::beat_t;
VECTOR:
  while (starts.read()) {
    bool ended = false;
  BEAT:
    for (int beat = 0; beat < S::beats; ++beat) {
#pragma HLS PIPELINE II=1
      HWRNN_COUNT(S::name, "BEAT");
      const bool final = beat == S::beats - 1;
      beat_t given = unpack_word<beat_t, S::element_bits>(S::no_data(), 0);
      if (!ended) {
        const typename S::word_t word = s_axis.read();
        given = unpack_word<beat_t, S::element_bits>(word.data, S::lanes[beat]);
        ended = word.last;
        error.raised = error.raised || ended != final;
      }
      given.last = final;
      given.label(0);
      out.write(given);
    }
  DRAIN:
    while (!ended) {
#pragma HLS PIPELINE II=1
      HWRNN_COUNT(S::name, "DRAIN");
      ended = s_axis.read().last;
    }
  }
  out.write(closing_beat<beat_t>());
}

}  // namespace hwrnn
