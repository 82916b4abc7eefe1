// SPDX-License-Identifier: Apache-2.0
// Windows over time, with padding around the sequence.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// The beat with its elements in the type of the other side.
template <class Out, class In>
inline Out recast(const In& taken) {
#pragma HLS INLINE
  static_assert(In::lanes == Out::lanes, "both sides have the same lanes");
  Out given;
LANE:
  for (int lane = 0; lane < Out::lanes; ++lane) {
#pragma HLS UNROLL
    given.lane[lane] = typename Out::element_t(taken.lane[lane]);
  }
  given.last = taken.last;
  given.label(taken.stream());
  return given;
}

// One sequence with at least one window. A window is `size` steps, each of `beats` beats, the next
// one begins `stride` steps later; `before` and `after` steps of `fill` stand around the sequence.
// It is given once it is known whether another one follows: after `needed` steps from its start, or
// at the end of the sequence.
template <class S, class In, class Out>
void slide(hls::stream<In>& x, hls::stream<Out>& out) {
#pragma HLS INLINE off
  static_assert(S::before < S::size && S::after < S::size, "no window is all padding");
  static_assert(In::streams == 1, "a sequence with windows is held alone");
  constexpr int needed = S::size + (S::stride > S::after ? S::stride - S::after : 0);
  Out held[needed][S::beats];
  int write = 0;          // the row of the next step
  int start = 0;          // the row of the window's first step that is no padding
  int filled = S::before; // steps from the window's start on
  int pads = S::before;   // of these: padding in front
  int tap = 0;
  int row = 0;
  int beat = 0;
  bool ended = false;
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT(S::name, "BEAT");
    const bool ends_step = beat == S::beats - 1;
    if (ended || filled == needed) {
      const bool real = tap >= pads && tap < filled;
      const bool ends_window = ends_step && tap == S::size - 1;
      Out given = held[row][beat];
    LANE:
      for (int lane = 0; lane < Out::lanes; ++lane) {
#pragma HLS UNROLL
        given.lane[lane] = real ? given.lane[lane] : typename Out::element_t(S::fill);
      }
      done = ends_window && ended && filled + S::after < S::size + S::stride;
      given.last = done;
      out.write(given);
      if (ends_window) {
        const int passed = pads < S::stride ? S::stride - pads : 0;
        start = start + passed < needed ? start + passed : start + passed - needed;
        pads = pads < S::stride ? 0 : pads - S::stride;
        filled -= S::stride;
        row = start;
        tap = 0;
      } else if (ends_step) {
        row = !real ? row : row == needed - 1 ? 0 : row + 1;
        ++tap;
      }
    } else {
      const In taken = x.read();
      held[write][beat] = recast<Out>(taken);
      ended = taken.last;
      if (ends_step) {
        write = write == needed - 1 ? 0 : write + 1;
        ++filled;
      }
    }
    beat = ends_step ? 0 : beat + 1;
  }
}

}  // namespace hwrnn
