// SPDX-License-Identifier: Apache-2.0
// Data width converter: regroups the elements of each vector into beats of the output.
#pragma once

#include <hls_stream.h>

#include "trace.hpp"
#include "types.hpp"

namespace hwrnn {

// One call. `S` holds the beats, and how many lanes each beat of a vector uses on either side.
// Elements wait in `held`, the oldest first; each turn takes a beat if the next one out is not
// yet complete, and gives a beat if it is. No beat holds elements of two vectors.
template <class S>
void dwc(hls::stream<typename S::x_beat_t>& x, hls::stream<typename S::out_beat_t>& out) {
#pragma HLS INLINE off
  using out_beat_t = typename S::out_beat_t;
  using element_t = typename out_beat_t::element_t;
  constexpr int taken_lanes = S::x_beat_t::lanes;
  constexpr int given_lanes = out_beat_t::lanes;
  constexpr int capacity = taken_lanes + given_lanes;
  element_t held[capacity];
#pragma HLS ARRAY_PARTITION variable=held type=complete
CLEAR:
  for (int k = 0; k < capacity; ++k) {
#pragma HLS UNROLL
    held[k] = element_t(0);
  }
  int count = 0;
  int x_beat = 0;
  int out_beat = 0;
  int stream = 0;
  bool ended = false;  // what is held ends a sequence
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT(S::name, "BEAT");
    const int need = S::out_lanes[out_beat];
    if (count < need) {
      const typename S::x_beat_t taken = x.read();
      const int used = taken.carries() ? S::x_lanes[x_beat] : 0;
    TAKE:
      for (int k = 0; k < taken_lanes; ++k) {
#pragma HLS UNROLL
        if (k < used) {
          held[count + k] = element_t(taken.lane[k]);
        }
      }
      count += used;
      x_beat = !taken.carries() || x_beat == S::x_beats - 1 ? 0 : x_beat + 1;
      ended = taken.last;
      stream = taken.stream();
      done = !taken.carries();
    }
    if (count >= need) {
      out_beat_t given;
    GIVE:
      for (int k = 0; k < given_lanes; ++k) {
#pragma HLS UNROLL
        given.lane[k] = k < need ? held[k] : element_t(0);
      }
    SHIFT:
      for (int k = 0; k < capacity; ++k) {
#pragma HLS UNROLL
        held[k] = k + need < capacity ? held[k + need] : element_t(0);
      }
      count -= need;
      out_beat = out_beat == S::out_beats - 1 ? 0 : out_beat + 1;
      given.last = ended && count == 0;
      given.label(stream);
      done = given.ends_call();
      out.write(given);
    }
  }
  if constexpr (out_beat_t::streams > 1) {
    out.write(closing_beat<out_beat_t>());
  }
}

}  // namespace hwrnn
