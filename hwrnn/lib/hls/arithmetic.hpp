// SPDX-License-Identifier: Apache-2.0
// Exact sum, difference, product and maximum of two numbers: `Out` holds every result.
#pragma once

#include "types.hpp"

namespace hwrnn {

template <class Out, class A, class B>
inline Out add(const A a, const B b) {
#pragma HLS INLINE
  using sum_t = wide_t<larger(larger(signed_bits<A>, signed_bits<B>) + 1, signed_bits<Out>)>;
  return Out(static_cast<sum_t>(a) + static_cast<sum_t>(b));
}

template <class Out, class A, class B>
inline Out sub(const A a, const B b) {
#pragma HLS INLINE
  using sum_t = wide_t<larger(larger(signed_bits<A>, signed_bits<B>) + 1, signed_bits<Out>)>;
  return Out(static_cast<sum_t>(a) - static_cast<sum_t>(b));
}

template <class Out, class A, class B>
inline Out mul(const A a, const B b) {
#pragma HLS INLINE
  using product_t = wide_t<larger(signed_bits<A> + signed_bits<B>, signed_bits<Out>)>;
  return Out(static_cast<product_t>(a) * static_cast<product_t>(b));
}

template <class Out, class A, class B>
inline Out max(const A a, const B b) {
#pragma HLS INLINE
  using both_t = wide_t<larger(larger(signed_bits<A>, signed_bits<B>), signed_bits<Out>)>;
  const both_t left = static_cast<both_t>(a);
  const both_t right = static_cast<both_t>(b);
  return Out(left > right ? left : right);
}

}  // namespace hwrnn
