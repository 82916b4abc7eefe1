// SPDX-License-Identifier: Apache-2.0
// Keeps the first or the last step of each sequence.
#pragma once

#include <hls_stream.h>

#include "types.hpp"

namespace hwrnn {

// One sequence.
template <class BeatT, int Beats, Emit Which>
void select_step(hls::stream<BeatT>& x, hls::stream<BeatT>& out) {
#pragma HLS INLINE off
  static_assert(Beats >= 1, "a step has at least one beat");
  static_assert(Which != Emit::all, "one step is selected: the first or the last");
  BeatT held[Beats];
  bool first = true;
  bool last = false;
STEP:
  while (!last) {
  BEAT:
    for (int beat = 0; beat < Beats; ++beat) {
#pragma HLS PIPELINE II=1
      const BeatT taken = x.read();
      if (Which == Emit::last || first) {
        held[beat] = taken;
      }
      last = taken.last;
    }
    first = false;
  }
GIVE:
  for (int beat = 0; beat < Beats; ++beat) {
#pragma HLS PIPELINE II=1
    BeatT given = held[beat];
    given.last = beat == Beats - 1;
    out.write(given);
  }
}

}  // namespace hwrnn
