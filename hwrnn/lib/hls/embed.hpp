// SPDX-License-Identifier: Apache-2.0
// A row of a table for each number.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One call. `S::table` has `beats` beats of `lanes` elements for each number.
template <class S, class In, class Out>
void embed(hls::stream<In>& x, hls::stream<Out>& out) {
#pragma HLS INLINE off
  static_assert(In::lanes == 1, "a row is read for one number");
  static_assert(In::streams == Out::streams, "both sides have the same streams");
  In taken;
  int beat = 0;
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT(S::name, "BEAT");
    if (beat == 0) {
      taken = x.read();
    }
    const bool closes = !taken.carries();
    const bool ends = closes || beat == S::beats - 1;
    Out given;
  LANE:
    for (int lane = 0; lane < Out::lanes; ++lane) {
#pragma HLS UNROLL
      const int column = beat * Out::lanes + lane;
      given.lane[lane] = typename Out::element_t(0);
      if (column < S::columns && !closes) {
        given.lane[lane] = typename Out::element_t(S::table[int(taken.lane[0])][column]);
      }
    }
    given.label(taken.stream());
    if constexpr (Out::streams > 1) {
      given.closing = closes;
    }
    given.last = taken.last && ends;
    out.write(given);
    done = ends && taken.ends_call();
    beat = ends ? 0 : beat + 1;
  }
}

}  // namespace hwrnn
