// SPDX-License-Identifier: Apache-2.0
// A vector again and again.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One vector of Beats beats, given Steps times.
template <int Beats, int Steps, class BeatT>
void repeat(hls::stream<BeatT>& x, hls::stream<BeatT>& out) {
#pragma HLS INLINE off
  static_assert(Beats >= 1 && Steps >= 1, "a vector has at least one beat, and is given once");
  static_assert(BeatT::streams == 1, "a vector that is repeated is held alone");
  BeatT held[Beats];
TAKE:
  for (int beat = 0; beat < Beats; ++beat) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("repeat", "TAKE");
    held[beat] = x.read();
  }
GIVE_STEP:
  for (int step = 0; step < Steps; ++step) {
  GIVE_BEAT:
    for (int beat = 0; beat < Beats; ++beat) {
#pragma HLS PIPELINE II=1
      HWRNN_COUNT("repeat", "GIVE_BEAT");
      BeatT given = held[beat];
      given.last = step == Steps - 1 && beat == Beats - 1;
      out.write(given);
    }
  }
}

}  // namespace hwrnn
