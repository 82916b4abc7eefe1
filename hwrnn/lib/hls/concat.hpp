// SPDX-License-Identifier: Apache-2.0
// For each vector: all beats of the first input, then those of the next.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// Passes the `beats` beats of a vector on, or the beat that closes a call. Returns whether the call
// ends. `last` is kept only of the `final` input.
template <class S, class In, class Out>
inline bool pass_vector(hls::stream<In>& x, hls::stream<Out>& out, const int beats,
                        const bool final) {
#pragma HLS INLINE
  static_assert(In::lanes == Out::lanes, "all beats of a concatenation have the same lanes");
  static_assert(In::streams == Out::streams, "all sides of a concatenation have the same streams");
  bool closed = false;
  bool ended = false;
BEAT:
  for (int beat = 0; beat < beats && !closed; ++beat) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT(S::name, "BEAT");
    const In taken = x.read();
    ended = taken.ends_call();
    closed = !taken.carries();
    if (!closed || final) {
      Out given;
    LANE:
      for (int lane = 0; lane < Out::lanes; ++lane) {
#pragma HLS UNROLL
        given.lane[lane] = typename Out::element_t(taken.lane[lane]);
      }
      given.label(taken.stream());
      if constexpr (Out::streams > 1) {
        given.closing = closed;
      }
      given.last = taken.last && final;
      out.write(given);
    }
  }
  return ended;
}

// One call. `S::beats` holds the beats of a vector of each input, in order.
template <class S, class Out, class... Ins>
void concat(hls::stream<Out>& out, hls::stream<Ins>&... xs) {
#pragma HLS INLINE off
  constexpr int inputs = sizeof...(Ins);
  static_assert(inputs == S::inputs, "as many streams as numbers of beats");
  bool done = false;
VECTOR:
  while (!done) {
    int input = 0;
    ((done = pass_vector<S>(xs, out, S::beats[input], input == inputs - 1), ++input), ...);
  }
}

}  // namespace hwrnn
