// SPDX-License-Identifier: Apache-2.0
// The index of the greatest element, of equal ones the first.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One call: vectors of Count elements, an element a beat.
template <int Count, class In, class Out>
void arg_max(hls::stream<In>& x, hls::stream<Out>& out) {
#pragma HLS INLINE off
  static_assert(In::lanes == 1 && Out::lanes == 1, "a beat is an element, or an index");
  static_assert(In::streams == Out::streams, "both sides have the same streams");
  typename In::element_t best = 0;
  int best_index = 0;
  int index = 0;
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("arg_max", "BEAT");
    const In taken = x.read();
    const bool closes = !taken.carries();
    if (index == 0 || taken.lane[0] > best) {
      best = taken.lane[0];
      best_index = index;
    }
    const bool ends = closes || index == Count - 1;
    if (ends) {
      Out given;
      given.lane[0] = typename Out::element_t(best_index);
      given.last = taken.last;
      given.label(taken.stream());
      if constexpr (Out::streams > 1) {
        given.closing = closes;
      }
      out.write(given);
    }
    done = taken.ends_call();
    index = ends ? 0 : index + 1;
  }
}

}  // namespace hwrnn
