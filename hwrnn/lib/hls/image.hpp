// SPDX-License-Identifier: Apache-2.0
// An image: weights, tables and constants that are written at run time, 32 bits at a time. The
// memories in which they arrive are those of the RTL, word for word; each kernel takes its own.
#pragma once

#include <type_traits>

#include <ap_axi_sdata.h>
#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// At the port of an image: a write in each word, the byte address on top of the data.
using ImageWord = ap_axiu<64, 0, 0, 0>;

// What an image says to every kernel. The end of it carries nothing.
struct Write {
  int address;  // in words of 32 bits
  ap_uint<32> data;
  bool carries;
};

// A write, with those before it: the words of a memory come in slices of 32 bits, low bits first,
// and an element may lie across some of them.
struct Arrival {
  static constexpr int bits = 160;  // an element of 128 bits in any place
  int address;
  ap_uint<bits> data;  // the newest on top
};

// `R` says where the words of a memory are: base, the address of the first one; slice_bits, the
// logarithm of the addresses that each takes; depth, their number. An element of a word has
// `stride` bits, of which those from `low` on are stored here, `bits` of them.
template <class R>
inline int slice_of(const Arrival& arrival) {
#pragma HLS INLINE
  return arrival.address & ((1 << R::slice_bits) - 1);
}

// The number of the word, or -1: it is none of this memory.
template <class R>
inline int row_of(const Arrival& arrival, const int base, const int depth) {
#pragma HLS INLINE
  const int row = (arrival.address - base) >> R::slice_bits;
  return arrival.address >= base && row < depth ? row : -1;
}

// Stores element `index` of a word behind its last slice.
template <class R, class T>
inline void write_element(const Arrival& arrival, const int index, T& element) {
#pragma HLS INLINE
  static_assert(R::bits >= 1 && R::bits <= Arrival::bits - 32, "an element has 1 to 128 bits");
  const int high = index * R::stride + R::low + R::bits - 1;
  if (high / 32 == slice_of<R>(arrival)) {
    const int top = Arrival::bits - 32 + high % 32;
    const ap_uint<R::bits> bits = arrival.data.range(top, top - R::bits + 1);
    element = R::is_signed ? T(ap_int<R::bits>(bits)) : T(bits);
  }
}

// The same for all elements of an array, which lie side by side.
template <class R, class T, int Count>
inline void write_element(const Arrival& arrival, const int index, T (&elements)[Count]) {
#pragma HLS INLINE
ELEMENT:
  for (int k = 0; k < Count; ++k) {
#pragma HLS UNROLL
    write_element<R>(arrival, index * Count + k, elements[k]);
  }
}

// Rows of an array that `Dims` indices number.
template <class T, int Dims>
constexpr int rows_of() {
  if constexpr (Dims == 0) {
    return 1;
  } else {
    return static_cast<int>(std::extent_v<T>) * rows_of<std::remove_extent_t<T>, Dims - 1>();
  }
}

template <class R, int Dims, class T>
inline void write_row(const Arrival& arrival, const int row, T& array) {
#pragma HLS INLINE
  if constexpr (Dims == 0) {
    write_element<R>(arrival, 0, array);
  } else {
    constexpr int inner = rows_of<std::remove_extent_t<T>, Dims - 1>();
    write_row<R, Dims - 1>(arrival, row % inner, array[row / inner]);
  }
}

// An array of which each word of the memory is a row; its first `Dims` indices number the rows.
template <class R, int Dims, class T>
inline void write_rows(const Arrival& arrival, T& array) {
#pragma HLS INLINE
  static_assert(rows_of<T, Dims>() == R::depth, "there is a word for each row");
  const int row = row_of<R>(arrival, R::base, R::depth);
  if (row >= 0) {
    write_row<R, Dims>(arrival, row, array);
  }
}

// The table of a cell. The memory has a word for each bit pattern of x, cell after cell: `x_bits`
// bits. The table has an entry for each number from `lo` upwards.
template <class R, class T, int Entries>
inline void write_table(const Arrival& arrival, const int cell, T (&table)[Entries]) {
#pragma HLS INLINE
  const int row = row_of<R>(arrival, R::base, R::depth);
  if (row >= 0 && (row >> R::x_bits) == cell) {
    const int pattern = row & ((1 << R::x_bits) - 1);
    const bool negative = R::x_signed && (pattern >> (R::x_bits - 1)) != 0;
    const int entry = pattern - (negative ? 1 << R::x_bits : 0) - R::lo;
    if (entry >= 0 && entry < Entries) {
      write_element<R>(arrival, 0, table[entry]);
    }
  }
}

template <class R, int Dims, class T>
inline void write_threshold(const Arrival& arrival, const int row, const int lane,
                            const int entry, T& array) {
#pragma HLS INLINE
  if constexpr (Dims > 0) {
    constexpr int inner = rows_of<std::remove_extent_t<T>, Dims - 1>();
    write_threshold<R, Dims - 1>(arrival, row % inner, lane, entry, array[row / inner]);
  } else if constexpr (std::rank_v<T> == 2) {
    write_element<R>(arrival, 0, array[lane][entry]);
  } else {
    write_element<R>(arrival, 0, array[entry]);
  }
}

// Thresholds that are searched: a memory for each level of the search, and for each lane if the
// channels have thresholds of their own. A row has the nodes of its level one behind the other.
template <class R, int Dims, class T>
inline void write_search(const Arrival& arrival, T& array) {
#pragma HLS INLINE
LEVEL:
  for (int level = 0; level < R::levels; ++level) {
#pragma HLS UNROLL
  LANE:
    for (int lane = 0; lane < R::lanes; ++lane) {
#pragma HLS UNROLL
      const int nodes = 1 << level;
      const int found = row_of<R>(arrival, R::bases[level][lane], rows_of<T, Dims>() * nodes);
      const int step = 1 << (R::levels - level);
      const int entry = step / 2 - 1 + (found & (nodes - 1)) * step;
      if (found >= 0 && entry < R::count) {
        write_threshold<R, Dims>(arrival, found >> level, lane, entry, array);
      }
    }
  }
}

// Takes what an image says before a call, up to its end.
template <class L, class Image>
inline void take_image(hls::stream<Write>& writes, Image& image) {
#pragma HLS INLINE
  Arrival arrival = {0, 0};
  Write given = writes.read();
WRITE:
  while (given.carries) {
#pragma HLS PIPELINE
    HWRNN_COUNT(L::name, "WRITE");
    arrival.address = given.address;
    arrival.data = (arrival.data >> 32);
    arrival.data.range(Arrival::bits - 1, Arrival::bits - 32) = given.data;
    L::write(arrival, image);
    given = writes.read();
  }
}

}  // namespace hwrnn
