// SPDX-License-Identifier: Apache-2.0
// The steps of each sequence, last step first.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One sequence of at most MaxSteps steps; the input shell lets no longer one in.
template <class BeatT, int Beats, int MaxSteps>
void reverse(hls::stream<BeatT>& x, hls::stream<BeatT>& out) {
#pragma HLS INLINE off
  static_assert(Beats >= 1 && MaxSteps >= 1, "a buffer holds at least one beat of one step");
  static_assert(BeatT::streams == 1, "a sequence that is reversed is held alone");
  BeatT held[MaxSteps][Beats];
#pragma HLS BIND_STORAGE variable=held type=ram_2p
  int steps = 0;
  bool last = false;
FILL_STEP:
  while (!last && steps < MaxSteps) {
  FILL_BEAT:
    for (int beat = 0; beat < Beats; ++beat) {
#pragma HLS PIPELINE II=1
      HWRNN_COUNT("reverse", "FILL_BEAT");
      const BeatT taken = x.read();
      held[steps][beat] = taken;
      last = taken.last;
    }
    ++steps;
  }
GIVE_STEP:
  for (int step = steps - 1; step >= 0; --step) {
  GIVE_BEAT:
    for (int beat = 0; beat < Beats; ++beat) {
#pragma HLS PIPELINE II=1
      HWRNN_COUNT("reverse", "GIVE_BEAT");
      BeatT given = held[step][beat];
      given.last = step == 0 && beat == Beats - 1;
      out.write(given);
    }
  }
}

}  // namespace hwrnn
