// SPDX-License-Identifier: Apache-2.0
// Recurrent engine: gate MAC array, cell datapath and state memory; without states, a dense layer.
#pragma once

#include <hls_stream.h>

#include "mac.hpp"
#include "types.hpp"

namespace hwrnn {

// The columns of block `block` of x: one beat. Returns its `last`.
template <class L>
inline bool load_x(hls::stream<typename L::x_beat_t>& x,
                   typename L::operand_t (&operand)[L::simd]) {
#pragma HLS INLINE
  const typename L::x_beat_t beat = x.read();
COLUMN:
  for (int simd = 0; simd < L::simd; ++simd) {
#pragma HLS UNROLL
    operand[simd] = simd < L::x_beat_t::lanes
                        ? typename L::operand_t(beat.lane[simd < L::x_beat_t::lanes ? simd : 0])
                        : typename L::operand_t(0);
  }
  return beat.last;
}

// The columns of block `block` of the recurrent state.
template <class L>
inline void load_h(const typename L::State& state, const int block,
                   typename L::operand_t (&operand)[L::simd]) {
#pragma HLS INLINE
COLUMN:
  for (int simd = 0; simd < L::simd; ++simd) {
#pragma HLS UNROLL
    const int column = block * L::simd + simd;
    operand[simd] = column < L::units ? L::column(state, column) : typename L::operand_t(0);
  }
}

// The datapath for each unit of a group: accumulators in, results out, states updated.
template <class L>
inline typename L::out_beat_t finish_group(
    const typename L::acc_t (&acc)[L::gates][L::pe], typename L::State& state, const int group) {
#pragma HLS INLINE
  typename L::out_beat_t beat;
PE:
  for (int pe = 0; pe < L::pe; ++pe) {
#pragma HLS UNROLL
    typename L::acc_t sums[L::gates];
#pragma HLS ARRAY_PARTITION variable=sums type=complete
  GATE:
    for (int gate = 0; gate < L::gates; ++gate) {
#pragma HLS UNROLL
      sums[gate] = acc[gate][pe];
    }
    const int unit = group * L::pe + pe;
    beat.lane[pe] = unit < L::units ? L::cell(sums, state, group, pe)
                                    : typename L::out_beat_t::element_t(0);
  }
  return beat;
}

// One sequence: steps until the beat with `last`. For each step, column blocks of x, then of h;
// within a block, groups of pe units. The last block hands each group to the datapath; its
// columns are already in `operand`, so that the states can be written in place.
template <class L>
void engine(hls::stream<typename L::x_beat_t>& x, hls::stream<typename L::out_beat_t>& out,
            const typename L::weight_t (&weights)[L::blocks][L::groups][L::gates][L::pe][L::simd],
            typename L::State& state) {
#pragma HLS INLINE
  static_assert(L::pe >= 1 && L::pe <= L::units, "pe is between 1 and the number of units");
  static_assert(L::blocks == L::x_blocks + L::h_blocks, "the blocks are those of x and of h");
  static_assert(L::x_beat_t::lanes <= L::simd, "a beat of x holds at most simd columns");
  static_assert(L::out_beat_t::lanes == L::pe, "a beat of the result holds pe units");
  typename L::acc_t acc[L::groups][L::gates][L::pe];
#pragma HLS ARRAY_PARTITION variable=acc type=complete dim=2
#pragma HLS ARRAY_PARTITION variable=acc type=complete dim=3
  typename L::operand_t operand[L::simd];
#pragma HLS ARRAY_PARTITION variable=operand type=complete
  bool first = true;
  bool last = false;
STEP:
  while (!last) {
  BLOCK:
    for (int block = 0; block < L::blocks; ++block) {
    GROUP:
      for (int group = 0; group < L::groups; ++group) {
#pragma HLS PIPELINE II=1
        if (group == 0 && block < L::x_blocks) {
          last = load_x<L>(x, operand);
        } else if (group == 0) {
          if constexpr (L::h_blocks > 0) {
            load_h<L>(state, block - L::x_blocks, operand);
          }
        }
        mac_group<L>(acc[group], weights[block][group], operand, block == 0);
        if (block == L::blocks - 1) {
          typename L::out_beat_t beat = finish_group<L>(acc[group], state, group);
          beat.last = group == L::groups - 1 && (L::emit == Emit::first || last);
          if (L::emit == Emit::all || (L::emit == Emit::first ? first : last)) {
            out.write(beat);
          }
        }
      }
    }
    first = false;
  }
}

}  // namespace hwrnn
