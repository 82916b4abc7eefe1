// SPDX-License-Identifier: Apache-2.0
// The same beats to every output.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One call.
template <class BeatT, class... Outs>
void fork(hls::stream<BeatT>& x, Outs&... outs) {
#pragma HLS INLINE off
  static_assert(sizeof...(Outs) >= 1, "a fork has at least one output");
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("fork", "BEAT");
    const BeatT beat = x.read();
    (outs.write(beat), ...);
    done = beat.ends_call();
  }
}

}  // namespace hwrnn
