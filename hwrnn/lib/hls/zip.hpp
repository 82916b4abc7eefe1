// SPDX-License-Identifier: Apache-2.0
// Two streams, element by element.
#pragma once

#include <hls_stream.h>

#include "arithmetic.hpp"
#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

enum class Joint { add, sub, mul, max };

template <Joint J, class Out, class A, class B>
inline Out joined(const A a, const B b) {
#pragma HLS INLINE
  if constexpr (J == Joint::add) {
    return add<Out>(a, b);
  } else if constexpr (J == Joint::sub) {
    return sub<Out>(a, b);
  } else if constexpr (J == Joint::mul) {
    return mul<Out>(a, b);
  } else {
    return max<Out>(a, b);
  }
}

// One call: a beat of each, again and again.
template <Joint J, class A, class B, class Out>
void zip(hls::stream<A>& a, hls::stream<B>& b, hls::stream<Out>& out) {
#pragma HLS INLINE off
  static_assert(A::lanes == Out::lanes && B::lanes == Out::lanes, "all sides have the same lanes");
  static_assert(A::streams == Out::streams && B::streams == Out::streams,
                "all sides have the same streams");
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("zip", "BEAT");
    const A left = a.read();
    const B right = b.read();
    Out given;
  LANE:
    for (int lane = 0; lane < Out::lanes; ++lane) {
#pragma HLS UNROLL
      given.lane[lane] = joined<J, typename Out::element_t>(left.lane[lane], right.lane[lane]);
    }
    given.last = left.last;
    given.label(left.stream());
    if constexpr (Out::streams > 1) {
      given.closing = left.closing;
    }
    out.write(given);
    done = left.ends_call();
  }
}

}  // namespace hwrnn
