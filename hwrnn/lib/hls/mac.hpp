// SPDX-License-Identifier: Apache-2.0
// Gate MAC array: one block of columns times the weights of one group of units, for every gate.
#pragma once

#include "types.hpp"

namespace hwrnn {

// Adds to the accumulators of a group, or starts them with the first block of a step. Sums are
// formed in sum_t, which no partial sum overflows, and stored with the width of acc_t.
template <class L>
inline void mac_group(typename L::acc_t (&acc)[L::gates][L::pe],
                      const typename L::weight_t (&weights)[L::gates][L::pe][L::simd],
                      const typename L::operand_t (&operand)[L::simd], const bool start) {
#pragma HLS INLINE
  static_assert(L::simd >= 1, "at least one column is multiplied in a cycle");
  using sum_t = typename L::sum_t;
GATE:
  for (int gate = 0; gate < L::gates; ++gate) {
#pragma HLS UNROLL
  PE:
    for (int pe = 0; pe < L::pe; ++pe) {
#pragma HLS UNROLL
      sum_t sum = start ? sum_t(0) : static_cast<sum_t>(acc[gate][pe]);
    SIMD:
      for (int simd = 0; simd < L::simd; ++simd) {
#pragma HLS UNROLL
        sum += sum_t(weights[gate][pe][simd]) * static_cast<sum_t>(operand[simd]);
      }
      acc[gate][pe] = typename L::acc_t(sum);
    }
  }
}

}  // namespace hwrnn
