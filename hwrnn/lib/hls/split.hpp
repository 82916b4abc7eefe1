// SPDX-License-Identifier: Apache-2.0
// Between an engine that has several results, or several vectors to start with, and their streams:
// on one side all of a group in one beat, on the other a stream for each.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// A beat of other elements that goes with `like`.
template <class BeatT, class Like, class Element>
inline BeatT beat_beside(const Like& like, const Element (&lanes)[BeatT::lanes]) {
#pragma HLS INLINE
  static_assert(BeatT::streams == Like::streams, "both are of the same streams");
  BeatT beat;
LANE:
  for (int lane = 0; lane < BeatT::lanes; ++lane) {
#pragma HLS UNROLL
    beat.lane[lane] = typename BeatT::element_t(lanes[lane]);
  }
  beat.last = like.last;
  beat.label(like.stream());
  if constexpr (BeatT::streams > 1) {
    beat.closing = like.closing;
  }
  return beat;
}

// One call: what an engine gives, each result to its stream.
template <class L, class... Outs>
void split(hls::stream<typename L::out_beat_t>& x, Outs&... outs) {
#pragma HLS INLINE off
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("split", "BEAT");
    const typename L::out_beat_t taken = x.read();
    L::give(taken, outs...);
    done = taken.ends_call();
  }
}

// One call: the vectors that the states of a layer start with, a beat of each together.
template <class L, class... Xs>
void gather(hls::stream<typename L::start_beat_t>& out, Xs&... xs) {
#pragma HLS INLINE off
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("gather", "BEAT");
    const typename L::start_beat_t given = L::take(xs...);
    out.write(given);
    done = given.ends_call();
  }
}

}  // namespace hwrnn
