// SPDX-License-Identifier: Apache-2.0
// Keeps the first or the last step of each sequence.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One call. The first step passes at once; a step that may be the last is held until that is known.
template <class BeatT, int Beats, Emit Which>
void select_step(hls::stream<BeatT>& x, hls::stream<BeatT>& out) {
#pragma HLS INLINE off
  static_assert(Beats >= 1, "a step has at least one beat");
  static_assert(Which != Emit::all, "one step is selected: the first or the last");
  BeatT held[Beats];
  bool fresh[BeatT::streams];  // the next step of the stream is the first of a sequence
#pragma HLS ARRAY_PARTITION variable=fresh type=complete
STREAM:
  for (int stream = 0; stream < BeatT::streams; ++stream) {
#pragma HLS UNROLL
    fresh[stream] = true;
  }
  int beat = 0;
  bool giving = false;
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("select_step", "BEAT");
    const bool ends = beat == Beats - 1;
    const BeatT taken = giving ? held[beat] : x.read();
    const bool closes = !taken.carries();
    if (giving || closes || (Which == Emit::first && fresh[taken.stream()])) {
      BeatT given = taken;
      given.last = ends && !closes;
      out.write(given);
    }
    if (Which == Emit::first) {
      fresh[taken.stream()] = ends ? taken.last : fresh[taken.stream()];
      done = taken.ends_call();
    } else if (giving) {
      giving = !ends;
      done = ends && BeatT::streams == 1;
    } else {
      held[beat] = taken;
      giving = taken.last;
      done = closes;
    }
    beat = ends || closes ? 0 : beat + 1;
  }
}

}  // namespace hwrnn
