// SPDX-License-Identifier: Apache-2.0
// Requantises by thresholds: y = lo + how many of the rising thresholds x has reached.
#pragma once

#include "types.hpp"

namespace hwrnn {

// Up to this many thresholds are compared side by side; more are searched, halving each time.
constexpr int parallel_thresholds = 15;

// `Rule` holds: level_t, the type of a threshold; count; out_t; lo. `row` is that of the channel.
template <class Rule, class X>
inline typename Rule::out_t thresholds(const X x,
                                       const typename Rule::level_t (&row)[Rule::count]) {
#pragma HLS INLINE
  static_assert(Rule::count >= 1, "thresholds are needed for two levels or more");
  using level_t = wide_t<larger(signed_bits<X>, signed_bits<typename Rule::level_t>)>;
  const level_t value = static_cast<level_t>(x);
  int reached = 0;
  if (Rule::count <= parallel_thresholds) {
  THRESHOLD:
    for (int k = 0; k < Rule::count; ++k) {
#pragma HLS UNROLL
      reached += value >= level_t(row[k]) ? 1 : 0;
    }
  } else {
  HALVE:
    for (int half = Rule::search_start; half > 0; half /= 2) {
#pragma HLS UNROLL
      const int next = reached + half;
      if (next <= Rule::count && value >= level_t(row[next - 1])) {
        reached = next;
      }
    }
  }
  return typename Rule::out_t(Rule::lo + reached);
}

}  // namespace hwrnn
