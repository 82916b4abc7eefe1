// SPDX-License-Identifier: Apache-2.0
// Packs the elements of a beat into an AXI4-Stream word: element k in bits [k*E, (k+1)*E).
#pragma once

#include "types.hpp"

namespace hwrnn {

// The lanes that `used` says; the others are zero.
template <class BeatT, int ElementBits, class Data>
inline BeatT unpack_word(const Data data, const int used) {
#pragma HLS INLINE
  using element_t = typename BeatT::element_t;
  static_assert(signed_bits<element_t> <= ElementBits + 1, "an element fits its bits at the port");
  BeatT beat;
LANE:
  for (int lane = 0; lane < BeatT::lanes; ++lane) {
#pragma HLS UNROLL
    const ap_uint<ElementBits> bits = data.range((lane + 1) * ElementBits - 1, lane * ElementBits);
    beat.lane[lane] = lane < used ? element_t(bits) : element_t(0);
  }
  beat.last = false;
  return beat;
}

// All lanes, each extended by its sign.
template <class Data, int ElementBits, class BeatT>
inline Data pack_word(const BeatT& beat) {
#pragma HLS INLINE
  Data data = 0;
LANE:
  for (int lane = 0; lane < BeatT::lanes; ++lane) {
#pragma HLS UNROLL
    const ap_int<ElementBits> bits = beat.lane[lane];
    data.range((lane + 1) * ElementBits - 1, lane * ElementBits) = bits;
  }
  return data;
}

// Set when a sequence broke the protocol; cleared by reset only.
struct ErrorFlag {
  bool raised;
};

}  // namespace hwrnn
