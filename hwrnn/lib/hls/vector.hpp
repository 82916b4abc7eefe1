// SPDX-License-Identifier: Apache-2.0
// A vector whose columns are multiplied, as its blocks are read: a row for each block.
#pragma once

#include "types.hpp"

namespace hwrnn {

// Writes a group of Pe units into the rows of a vector of `Units`. Each lane of a row is a memory
// of its own, in which this writes at most once for every `Width` units of the group.
template <int Units, class T, int Pe, int Rows, int Width>
inline void write_group(const T (&units)[Pe], const int group, T (&rows)[Rows][Width]) {
#pragma HLS INLINE
  static_assert(Rows == (Units + Width - 1) / Width, "the rows hold all units");
  const int start = group * Pe;  // the first unit of the group
LANE:
  for (int lane = 0; lane < Width; ++lane) {
#pragma HLS UNROLL
    const int nearest = (lane + Width - start % Width) % Width;  // in the group, of those in lane
  ROW:
    for (int row = 0; row < (Pe + Width - 1) / Width; ++row) {
#pragma HLS UNROLL
      const int pe = nearest + row * Width;
      if (pe < Pe && start + pe < Units) {
        rows[(start + pe) / Width][lane] = units[pe];
      }
    }
  }
}

// The beat of x, and zero in the columns beyond it.
template <class BeatT, class Operand, int Simd>
inline void load_beat(const BeatT& beat, Operand (&operand)[Simd]) {
#pragma HLS INLINE
  static_assert(BeatT::lanes <= Simd, "a beat of x holds at most simd columns");
COLUMN:
  for (int column = 0; column < Simd; ++column) {
#pragma HLS UNROLL
    const bool there = column < BeatT::lanes;
    operand[column] = there ? Operand(beat.lane[there ? column : 0]) : Operand(0);
  }
}

}  // namespace hwrnn
