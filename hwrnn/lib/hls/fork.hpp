// SPDX-License-Identifier: Apache-2.0
// The same beats to every output.
#pragma once

#include <hls_stream.h>

#include "types.hpp"

namespace hwrnn {

// One sequence.
template <class BeatT, class... Outs>
void fork(hls::stream<BeatT>& x, Outs&... outs) {
#pragma HLS INLINE off
  static_assert(sizeof...(Outs) >= 1, "a fork has at least one output");
  bool last = false;
BEAT:
  while (!last) {
#pragma HLS PIPELINE II=1
    const BeatT beat = x.read();
    (outs.write(beat), ...);
    last = beat.last;
  }
}

}  // namespace hwrnn
