// SPDX-License-Identifier: Apache-2.0
// Element-wise ops on a stream: a beat in, a beat out.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One call: vectors of `beats` beats each. `image`: its constants, if they are written at run time.
template <class L, class... Image>
void map(hls::stream<typename L::x_beat_t>& x, hls::stream<typename L::out_beat_t>& out,
         const Image&... image) {
#pragma HLS INLINE
  using out_beat_t = typename L::out_beat_t;
  constexpr int lanes = out_beat_t::lanes;
  static_assert(L::x_beat_t::lanes == lanes, "both beats of a map have the same lanes");
  int beat = 0;
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    const typename L::x_beat_t taken = x.read();
    if (taken.carries()) {
      HWRNN_COUNT(L::name, "BEAT");
      out_beat_t given;
    LANE:
      for (int lane = 0; lane < lanes; ++lane) {
#pragma HLS UNROLL
        const int unit = beat * lanes + lane;
        given.lane[lane] = unit < L::units ? L::cell(taken.lane[lane], beat, lane, image...)
                                           : typename out_beat_t::element_t(0);
      }
      given.last = taken.last;
      given.label(taken.stream());
      out.write(given);
      beat = beat == L::beats - 1 ? 0 : beat + 1;
    } else if constexpr (out_beat_t::streams > 1) {
      out.write(closing_beat<out_beat_t>());
    }
    done = taken.ends_call();
  }
}

}  // namespace hwrnn
