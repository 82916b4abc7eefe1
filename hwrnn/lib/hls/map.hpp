// SPDX-License-Identifier: Apache-2.0
// Element-wise ops on a stream: a beat in, a beat out.
#pragma once

#include <hls_stream.h>

#include "types.hpp"

namespace hwrnn {

// One sequence: vectors until the beat with `last`.
template <class L>
void map(hls::stream<typename L::x_beat_t>& x, hls::stream<typename L::out_beat_t>& out) {
#pragma HLS INLINE
  constexpr int lanes = L::out_beat_t::lanes;
  static_assert(L::x_beat_t::lanes == lanes, "both beats of a map have the same lanes");
  bool last = false;
VECTOR:
  while (!last) {
  BEAT:
    for (int beat = 0; beat < L::beats; ++beat) {
#pragma HLS PIPELINE II=1
      const typename L::x_beat_t taken = x.read();
      typename L::out_beat_t given;
    LANE:
      for (int lane = 0; lane < lanes; ++lane) {
#pragma HLS UNROLL
        const int unit = beat * lanes + lane;
        given.lane[lane] = unit < L::units ? L::cell(taken.lane[lane], beat, lane)
                                           : typename L::out_beat_t::element_t(0);
      }
      given.last = last = taken.last;
      out.write(given);
    }
  }
}

}  // namespace hwrnn
