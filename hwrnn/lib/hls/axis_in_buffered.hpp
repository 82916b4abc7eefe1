// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream in, for a network that buffers whole sequences.
#pragma once

#include <hls_stream.h>

#include "axis_word.hpp"
#include "trace.hpp"

namespace hwrnn {

// One sequence of at most `S::max_steps` steps, let in when it is complete. A longer one raises
// the error and is dropped up to its TLAST. A TLAST in mid-step raises the error; the rest of the
// step is zero.
template <class S>
void axis_in_buffered(hls::stream<typename S::word_t>& s_axis,
                      hls::stream<typename S::beat_t>& out, ErrorFlag& error) {
#pragma HLS INLINE
  static_assert(S::max_steps >= 1, "a sequence has at least one step");
  using beat_t = typename S::beat_t;
  beat_t held[S::max_steps][S::beats];
#pragma HLS BIND_STORAGE variable=held type=ram_2p
  int steps = 0;
  bool complete = false;
SEQUENCE:
  while (!complete) {
    bool ended = false;
    steps = 0;
  FILL_STEP:
    while (!ended) {
    FILL_BEAT:
      for (int beat = 0; beat < S::beats; ++beat) {
#pragma HLS PIPELINE II=1
        HWRNN_COUNT(S::name, "FILL_BEAT");
        beat_t taken = unpack_word<beat_t, S::element_bits>(S::no_data(), 0);
        if (!ended) {
          const typename S::word_t word = s_axis.read();
          taken = unpack_word<beat_t, S::element_bits>(word.data, S::lanes[beat]);
          ended = word.last;
          error.raised = error.raised || (ended && beat != S::beats - 1);
        }
        if (steps < S::max_steps) {
          held[steps][beat] = taken;
        }
      }
      steps = steps <= S::max_steps ? steps + 1 : steps;
    }
    complete = steps <= S::max_steps;
    error.raised = error.raised || !complete;
  }
GIVE_STEP:
  for (int step = 0; step < steps; ++step) {
  GIVE_BEAT:
    for (int beat = 0; beat < S::beats; ++beat) {
#pragma HLS PIPELINE II=1
      HWRNN_COUNT(S::name, "GIVE_BEAT");
      beat_t given = held[step][beat];
      given.last = step == steps - 1 && beat == S::beats - 1;
      out.write(given);
    }
  }
}

}  // namespace hwrnn
