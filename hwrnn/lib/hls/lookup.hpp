// SPDX-License-Identifier: Apache-2.0
// Reads a table that has one entry for each number from `Lo` upwards.
#pragma once

#include "types.hpp"

namespace hwrnn {

template <class Out, std::int64_t Lo, class X, class Entry, int Entries>
inline Out lookup(const X x, const Entry (&table)[Entries]) {
#pragma HLS INLINE
  static_assert(Entries >= 1, "a table has at least one entry");
  using index_t = wide_t<signed_bits<X> + 1>;
  return Out(table[static_cast<index_t>(x) - index_t(Lo)]);
}

}  // namespace hwrnn
