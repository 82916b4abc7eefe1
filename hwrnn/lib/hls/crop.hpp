// SPDX-License-Identifier: Apache-2.0
// A part of each vector.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One call: of the Beats beats of each vector those from number First on, Kept of them. A sequence
// is one vector.
template <class BeatT, int Beats, int First, int Kept>
void crop(hls::stream<BeatT>& x, hls::stream<BeatT>& out) {
#pragma HLS INLINE off
  static_assert(First >= 0 && Kept >= 1 && First + Kept <= Beats, "a part of a vector is in it");
  int beat = 0;
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("crop", "BEAT");
    const BeatT taken = x.read();
    if (!taken.carries() || (beat >= First && beat < First + Kept)) {
      BeatT given = taken;
      given.last = taken.carries() && beat == First + Kept - 1;
      out.write(given);
    }
    beat = !taken.carries() || beat == Beats - 1 ? 0 : beat + 1;
    done = taken.ends_call();
  }
}

}  // namespace hwrnn
