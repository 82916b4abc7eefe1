// SPDX-License-Identifier: Apache-2.0
// The sum or the maximum of several vectors.
#pragma once

#include <hls_stream.h>

#include "arithmetic.hpp"
#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One sequence. `Vectors` vectors, of Beats beats each, become one; with 0, all of the sequence.
template <int Beats, int Vectors, bool Max, class In, class Out>
void combine(hls::stream<In>& x, hls::stream<Out>& out) {
#pragma HLS INLINE off
  static_assert(Beats >= 1 && Vectors >= 0, "a vector has at least one beat");
  static_assert(In::lanes == Out::lanes, "both sides have the same lanes");
  static_assert(In::streams == 1, "a sequence that is summed is held alone");
  using element_t = typename Out::element_t;
  Out held[Beats];
  int beat = 0;
  int vector = 0;
  bool giving = false;
  bool last = false;
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("combine", "BEAT");
    const bool ends = beat == Beats - 1;
    if (giving) {
      Out given = held[beat];
      given.last = ends && last;
      out.write(given);
      done = given.last;
      giving = !ends;
    } else {
      const In taken = x.read();
      Out joined;
    LANE:
      for (int lane = 0; lane < Out::lanes; ++lane) {
#pragma HLS UNROLL
        const element_t now = element_t(taken.lane[lane]);
        const element_t before = held[beat].lane[lane];
        joined.lane[lane] = vector == 0 ? now
                            : Max       ? hwrnn::max<element_t>(before, now)
                                        : hwrnn::add<element_t>(before, now);
      }
      joined.last = false;
      joined.label(0);
      held[beat] = joined;
      last = taken.last;
      if (ends) {
        giving = Vectors == 0 ? last : vector == Vectors - 1;
        vector = giving ? 0 : vector + (Vectors > 0 || vector == 0 ? 1 : 0);
      }
    }
    beat = ends ? 0 : beat + 1;
  }
}

}  // namespace hwrnn
