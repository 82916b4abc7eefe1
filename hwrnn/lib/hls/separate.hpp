// SPDX-License-Identifier: Apache-2.0
// Numbered streams become streams of their own.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// The beat without its number.
template <class Out, class In>
inline Out alone(const In& taken) {
#pragma HLS INLINE
  static_assert(Out::streams == 1, "a sequence on each output");
  Out given;
LANE:
  for (int lane = 0; lane < Out::lanes; ++lane) {
#pragma HLS UNROLL
    given.lane[lane] = taken.lane[lane];
  }
  given.last = taken.last;
  return given;
}

// One call: a sequence of each stream k, to output k.
template <class In, class... Outs>
void separate(hls::stream<In>& x, hls::stream<Outs>&... outs) {
#pragma HLS INLINE off
  static_assert(sizeof...(Outs) == In::streams, "an output for each stream");
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("separate", "BEAT");
    const In taken = x.read();
    done = taken.ends_call();
    int number = 0;
    ((number == taken.stream() && taken.carries() ? outs.write(alone<Outs>(taken)) : void(),
      ++number),
     ...);
  }
}

}  // namespace hwrnn
