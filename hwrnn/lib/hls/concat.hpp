// SPDX-License-Identifier: Apache-2.0
// For each vector: all beats of the first input, then those of the next.
#pragma once

#include <hls_stream.h>

#include "types.hpp"

namespace hwrnn {

// Passes `beats` beats on; returns the `last` of the last one, which is kept only if `final`.
template <class In, class Out>
inline bool pass_beats(hls::stream<In>& x, hls::stream<Out>& out, const int beats,
                       const bool final) {
#pragma HLS INLINE
  static_assert(In::lanes == Out::lanes, "all beats of a concatenation have the same lanes");
  bool last = false;
BEAT:
  for (int beat = 0; beat < beats; ++beat) {
#pragma HLS PIPELINE II=1
    const In taken = x.read();
    Out given;
  LANE:
    for (int lane = 0; lane < Out::lanes; ++lane) {
#pragma HLS UNROLL
      given.lane[lane] = typename Out::element_t(taken.lane[lane]);
    }
    last = taken.last;
    given.last = last && final;
    out.write(given);
  }
  return last;
}

// One sequence. `S::beats` holds the beats of a vector of each input, in order.
template <class S, class Out, class... Ins>
void concat(hls::stream<Out>& out, hls::stream<Ins>&... xs) {
#pragma HLS INLINE off
  constexpr int inputs = sizeof...(Ins);
  static_assert(inputs == S::inputs, "as many streams as numbers of beats");
  bool last = false;
VECTOR:
  while (!last) {
    int input = 0;
    ((last = pass_beats(xs, out, S::beats[input], input == inputs - 1), ++input), ...);
  }
}

}  // namespace hwrnn
