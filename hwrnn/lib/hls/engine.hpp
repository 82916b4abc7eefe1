// SPDX-License-Identifier: Apache-2.0
// Recurrent engine: gate MAC array, cell datapaths and state memory; without states, a dense layer.
#pragma once

#include <type_traits>

#include <hls_stream.h>

#include "mac.hpp"
#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// Blocks of one kind in a row. A step goes through all phases, each of `blocks` blocks of columns,
// each block through all groups of units.
struct Phase {
  int blocks;
  bool takes_x;   // each block is a beat of x (and in a shared block, vectors beside it)
  int hand;       // the hand-over that takes the sums behind the last block; -1: none
  int waits_for;  // the hand-over that has to be over before the first block; -1: none
  int turns;      // so many turns after its start
};

// Where in a step the engine is.
template <class L>
struct Position {
  int phase = 0;
  int index = 0;  // of the block in its phase
  int block = 0;  // in the step
  int group = 0;

  bool block_starts() const { return group == 0; }
  bool block_ends() const { return group == L::groups - 1; }
  bool phase_ends() const { return index == L::phases[phase].blocks - 1; }
  bool step_ends() const { return block == L::blocks - 1; }
  void advance() {
#pragma HLS INLINE
    const bool ends = block_ends();
    const bool next_phase = ends && phase_ends();
    const bool next_step = ends && step_ends();
    group = ends ? 0 : group + 1;
    block = next_step ? 0 : ends ? block + 1 : block;
    index = next_phase ? 0 : ends ? index + 1 : index;
    phase = next_step ? 0 : next_phase ? phase + 1 : phase;
  }
};

// How many turns ago each hand-over began, that of the states for each stream of its own. Counts
// no further than anything waits.
template <class L>
struct Ages {
  static constexpr int size = L::hands - 1 + L::streams;
  int turns[size];

  static int place(const int hand, const int stream) {
    return hand < L::hands - 1 ? hand : L::hands - 1 + stream;
  }
  void forget() {
#pragma HLS INLINE
  FORGET:
    for (int k = 0; k < size; ++k) {
#pragma HLS UNROLL
      turns[k] = L::patience;
    }
  }
  void tick() {
#pragma HLS INLINE
  AGE:
    for (int k = 0; k < size; ++k) {
#pragma HLS UNROLL
      turns[k] = turns[k] < L::patience ? turns[k] + 1 : L::patience;
    }
  }
};

// Products of one group, added to the sums of the blocks before; without memory for a single block.
template <class L, class... Image>
inline void accumulate(typename L::Memory& memory, const Position<L>& at, const int stream,
                       const typename L::operand_t (&operand)[L::simd],
                       typename L::acc_t (&sums)[L::gates][L::pe], const Image&... image) {
#pragma HLS INLINE
  if constexpr (L::blocks > 1) {
    copy_sums(memory.acc[at.group], sums);
  }
  if (at.block == 0) {
    clear_sums(sums);
  }
  L::multiply(stream, at.block, at.group, operand, sums, image...);
  if constexpr (L::blocks > 1) {
    copy_sums(sums, memory.acc[at.group]);
  }
  HWRNN_SUMS(L::name, at.block, at.group, sums);
}

// True when the result of this step goes out.
template <class L>
inline bool emits(const bool first, const bool last) {
#pragma HLS INLINE
  return L::emit == Emit::all || (L::emit == Emit::first ? first : last);
}

// True when the first block of a phase has to wait for the hand-over whose results it reads; in the
// first step of a sequence the states are what they are at the start.
template <class L>
inline bool too_early(const Phase& phase, const Position<L>& at, const Ages<L>& ages,
                      const int stream, const bool first) {
#pragma HLS INLINE
  const bool asks = phase.waits_for >= 0 && at.block_starts() && at.index == 0;
  const bool begins = first && phase.waits_for == L::hands - 1;
  return asks && !begins && ages.turns[ages.place(phase.waits_for, stream)] < phase.turns;
}

// Without vectors from outside, states start as numbers.
struct NoStarts {};

// Takes a group of the vectors with which the states of a sequence start, in turns before its first
// step. False when there are none, or all are there: `filled` counts them.
template <class L, class Starts>
inline bool takes_start(typename L::Memory& memory, const Position<L>& at, const int stream,
                        int& filled, Starts& starts) {
#pragma HLS INLINE
  if constexpr (std::is_same_v<Starts, NoStarts>) {
    return false;
  } else {
    const bool takes = at.block == 0 && at.block_starts() && filled < L::groups;
    if (takes) {
      HWRNN_COUNT(L::name, "START");
      L::start(memory, stream, filled, starts.read());
      ++filled;
    }
    return takes;
  }
}

// Behind the last sequence of a call on several streams.
template <class L, class Starts>
inline void close_call(hls::stream<typename L::out_beat_t>& out, Starts& starts) {
#pragma HLS INLINE
  if constexpr (L::streams > 1) {
    if constexpr (!std::is_same_v<Starts, NoStarts>) {
      starts.read();
    }
    out.write(closing_beat<typename L::out_beat_t>());
  }
}

// Steps until the call ends. One loop issues a group of a block in every turn, from one step to
// the next without a break, so that the end of a step is computed while the next one begins. What
// a block reads must have been written: `Phase::turns` says how long that takes, and a block whose
// time has not yet come leaves the turn unused. `memory` holds what survives from turn to turn; the
// distances that these rules guarantee are stated where it is declared. The pipeline is flushable:
// while the loop waits for a beat of x, what was issued before goes on and comes out.
// `anew`: sequences start with this call; else the first one goes on with the states in `memory`.
// `starts`: the vectors with which states start, all of a group in a beat, for each sequence.
// `image`: the weights and constants of a layer in which they are written at run time.
template <class L, class Starts, class... Image>
void steps(hls::stream<typename L::x_beat_t>& x, hls::stream<typename L::out_beat_t>& out,
           typename L::Memory& memory, const bool anew, Starts& starts, const Image&... image) {
#pragma HLS INLINE
  static_assert(L::pe >= 1 && L::pe <= L::units, "pe is between 1 and the number of units");
  static_assert(L::out_beat_t::lanes == L::pe, "a beat of the result holds pe units");
  static_assert(L::x_beat_t::streams == L::streams, "x brings the streams that have states");
  typename L::operand_t operand[L::simd];
#pragma HLS ARRAY_PARTITION variable=operand type=complete
  bool fresh[L::streams];  // the next step of the stream is the first of a sequence
#pragma HLS ARRAY_PARTITION variable=fresh type=complete
  Ages<L> ages;
#pragma HLS ARRAY_PARTITION variable=ages.turns type=complete
  ages.forget();
STREAM:
  for (int k = 0; k < L::streams; ++k) {
#pragma HLS UNROLL
    fresh[k] = anew;
  }
  Position<L> at;
  typename L::x_beat_t beat;
  bool taken = false;  // `beat` is there and not yet multiplied
  bool last = false;   // this step is the last of its sequence
  int stream = 0;
  int filled = 0;  // groups of the vectors with which this step's states start
  bool done = false;
ISSUE:
  while (!done) {
#pragma HLS PIPELINE II=1 style=flp
    const Phase phase = L::phases[at.phase];
    if (phase.takes_x && at.block_starts() && !taken) {
      beat = x.read();
      taken = true;
      last = beat.last;
      stream = beat.stream();
    }
    const bool first = fresh[stream];
    if (taken && !beat.carries()) {
      close_call<L>(out, starts);
      done = true;
    } else if (first && takes_start<L>(memory, at, stream, filled, starts)) {
      // the turn is used
    } else if (!too_early<L>(phase, at, ages, stream, first)) {
      HWRNN_COUNT(L::name, "ISSUE");
      if (at.block_starts()) {
        L::load(memory, beat, at.phase, at.index, stream, first, operand);
        taken = false;
      }
      typename L::acc_t sums[L::gates][L::pe];
#pragma HLS ARRAY_PARTITION variable=sums type=complete dim=0
      accumulate<L>(memory, at, stream, operand, sums, image...);
      if (phase.hand >= 0 && at.phase_ends()) {
        if (at.block_starts()) {
          ages.turns[ages.place(phase.hand, stream)] = 0;
        }
        typename L::out_beat_t result;
        L::hand_over(phase.hand, sums, memory, stream, at.group, first, result, image...);
        if (at.step_ends() && emits<L>(first, last)) {
          result.label(stream);
          result.last = at.block_ends() && (L::emit == Emit::first || last);
          out.write(result);
        }
      }
      if (at.step_ends() && at.block_ends()) {
        fresh[stream] = last;
        filled = 0;
        done = last && L::streams == 1;
      }
      at.advance();
    } else {
      HWRNN_COUNT(L::name, "WAIT");
    }
    ages.tick();
  }
}

// The engine of a layer whose states start as numbers, or go on.
template <class L, class... Image>
void engine(hls::stream<typename L::x_beat_t>& x, hls::stream<typename L::out_beat_t>& out,
            typename L::Memory& memory, const bool anew = true, const Image&... image) {
#pragma HLS INLINE
  NoStarts starts;
  steps<L>(x, out, memory, anew, starts, image...);
}

// The engine of a layer whose states start as vectors from outside.
template <class L, class... Image>
void engine_from(hls::stream<typename L::x_beat_t>& x, hls::stream<typename L::out_beat_t>& out,
                 hls::stream<typename L::start_beat_t>& starts, typename L::Memory& memory,
                 const Image&... image) {
#pragma HLS INLINE
  steps<L>(x, out, memory, true, starts, image...);
}

}  // namespace hwrnn
