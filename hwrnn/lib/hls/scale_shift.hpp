// SPDX-License-Identifier: Apache-2.0
// Requantises by multiply, add and shift: y = clamp((factor * x + addend) >> shift).
#pragma once

#include "types.hpp"

namespace hwrnn {

// What happens when all the bits that are shifted out are zero.
enum class Ties {
  keep,  // nothing
  even,  // the lowest bit of the result is cleared: half to even
};

// `Rule` holds: sum_t, the exact type of the sum; work_t, which holds every intermediate result;
// out_t; shift; ties; lo and hi, the range of y; power_of_two, when `factor` is the logarithm of
// the factor. Factor and addend are those of the channel.
template <class Rule, class X, class Factor, class Addend>
inline typename Rule::out_t scale_shift(const X x, const Factor factor, const Addend addend) {
#pragma HLS INLINE
  static_assert(Rule::shift >= 0, "a requantiser shifts to the right");
  static_assert(Rule::lo <= Rule::hi, "the range of a result is not empty");
  using sum_t = typename Rule::sum_t;
  using y_t = typename Rule::work_t;
  const y_t scale = Rule::power_of_two ? y_t(y_t(1) << static_cast<int>(factor)) : y_t(factor);
  const sum_t sum = y_t(static_cast<y_t>(x) * scale + static_cast<y_t>(addend));
  const y_t exact = static_cast<y_t>(sum);
  y_t y = exact >> Rule::shift;
  if (Rule::ties == Ties::even && Rule::shift > 0) {
    const y_t lost = exact & y_t((y_t(1) << Rule::shift) - 1);
    if (lost == 0) {
      y = y & ~y_t(1);
    }
  }
  if (y < Rule::lo) {
    return typename Rule::out_t(Rule::lo);
  }
  if (y > Rule::hi) {
    return typename Rule::out_t(Rule::hi);
  }
  return typename Rule::out_t(y);
}

// The same factor and addend for all channels.
template <class Rule, class X>
inline typename Rule::out_t scale_shift(const X x) {
#pragma HLS INLINE
  return scale_shift<Rule>(x, Rule::factor, Rule::addend);
}

}  // namespace hwrnn
