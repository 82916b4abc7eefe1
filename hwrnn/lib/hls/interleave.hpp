// SPDX-License-Identifier: Apache-2.0
// Several sequences of the same length on streams of their own become numbered streams of one.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// Passes a vector on as one of stream `number`. Returns its `last`.
template <int Beats, class In, class Out>
inline bool pass_numbered(hls::stream<In>& x, hls::stream<Out>& out, const int number) {
#pragma HLS INLINE
  static_assert(In::streams == 1, "a sequence on each input");
  bool last = false;
BEAT:
  for (int beat = 0; beat < Beats; ++beat) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("interleave", "BEAT");
    const In taken = x.read();
    Out given;
  LANE:
    for (int lane = 0; lane < Out::lanes; ++lane) {
#pragma HLS UNROLL
      given.lane[lane] = taken.lane[lane];
    }
    given.last = taken.last;
    given.label(number);
    out.write(given);
    last = taken.last;
  }
  return last;
}

// One call: a vector of each input in turn; those of input k become stream k.
template <int Beats, class Out, class... Ins>
void interleave(hls::stream<Out>& out, hls::stream<Ins>&... xs) {
#pragma HLS INLINE off
  static_assert(sizeof...(Ins) == Out::streams, "a stream for each input");
  bool last = false;
VECTOR:
  while (!last) {
    int number = 0;
    ((last = pass_numbered<Beats>(xs, out, number), ++number), ...);
  }
  out.write(closing_beat<Out>());
}

}  // namespace hwrnn
