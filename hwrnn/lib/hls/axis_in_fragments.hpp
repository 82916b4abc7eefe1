// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream in, for sequences that come in fragments: TUSER says where a new one starts.
#pragma once

#include <hls_stream.h>

#include "axis_word.hpp"
#include "trace.hpp"

namespace hwrnn {

// Cleared by reset only: the first fragment after it starts a sequence, whatever its TUSER.
struct Begun {
  bool raised;
};

// One fragment of any length. TUSER of its first beat goes to each of `firsts`, one flag for the
// call. A TLAST in mid-step raises the error; the rest of the step is zero.
template <class S, class... Flags>
void axis_in_fragments(hls::stream<typename S::word_t>& s_axis,
                       hls::stream<typename S::beat_t>& out, ErrorFlag& error, Begun& begun,
                       Flags&... firsts) {
#pragma HLS INLINE
  bool starts = true;
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
        if (starts) {
          const bool first = word.user != 0 || !begun.raised;
          (firsts.write(first), ...);
        }
        starts = false;
        begun.raised = true;
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
