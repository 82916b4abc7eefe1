// SPDX-License-Identifier: Apache-2.0
// Gate MAC array: one block of columns times the weights of one group of units, for every gate.
#pragma once

#include "types.hpp"

namespace hwrnn {

// Adds the products to the sums of a group. They are formed in sum_t, which no partial sum
// overflows, and stored with the width of acc_t.
template <class L>
inline void mac_group(typename L::acc_t (&sums)[L::gates][L::pe],
                      const typename L::weight_t (&weights)[L::gates][L::pe][L::simd],
                      const typename L::operand_t (&operand)[L::simd]) {
#pragma HLS INLINE
  static_assert(L::simd >= 1, "at least one column is multiplied in a turn");
  using sum_t = typename L::sum_t;
GATE:
  for (int gate = 0; gate < L::gates; ++gate) {
#pragma HLS UNROLL
  PE:
    for (int pe = 0; pe < L::pe; ++pe) {
#pragma HLS UNROLL
      sum_t sum = static_cast<sum_t>(sums[gate][pe]);
    SIMD:
      for (int simd = 0; simd < L::simd; ++simd) {
#pragma HLS UNROLL
        sum += sum_t(weights[gate][pe][simd]) * static_cast<sum_t>(operand[simd]);
      }
      sums[gate][pe] = typename L::acc_t(sum);
    }
  }
}

// Nothing is summed so far.
template <class Acc, int Gates, int Pe>
inline void clear_sums(Acc (&sums)[Gates][Pe]) {
#pragma HLS INLINE
GATE:
  for (int gate = 0; gate < Gates; ++gate) {
#pragma HLS UNROLL
  PE:
    for (int pe = 0; pe < Pe; ++pe) {
#pragma HLS UNROLL
      sums[gate][pe] = Acc(0);
    }
  }
}

// From or to the memory that keeps the sums of all groups.
template <class Acc, int Gates, int Pe>
inline void copy_sums(const Acc (&from)[Gates][Pe], Acc (&to)[Gates][Pe]) {
#pragma HLS INLINE
GATE:
  for (int gate = 0; gate < Gates; ++gate) {
#pragma HLS UNROLL
  PE:
    for (int pe = 0; pe < Pe; ++pe) {
#pragma HLS UNROLL
      to[gate][pe] = from[gate][pe];
    }
  }
}

}  // namespace hwrnn
