// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream in, for sequences that interleave step by step: TID is the number of the stream.
#pragma once

#include <hls_stream.h>

#include "axis_word.hpp"
#include "trace.hpp"

namespace hwrnn {

// One call: it ends when every stream that was started has ended. The beats of a step are
// contiguous; a TLAST or another TID in mid-step raises the error and ends that stream's sequence,
// the rest of the step is zero. A beat of a stream that there is not raises the error and is
// dropped. Each of `started` is told of every sequence that starts, then that no more do.
template <class S, class... Flags>
void axis_in_streams(hls::stream<typename S::word_t>& s_axis,
                     hls::stream<typename S::beat_t>& out, ErrorFlag& error, Flags&... started) {
#pragma HLS INLINE
  using beat_t = typename S::beat_t;
  constexpr int streams = beat_t::streams;
  bool open[streams];  // in a sequence
#pragma HLS ARRAY_PARTITION variable=open type=complete
STREAM:
  for (int k = 0; k < streams; ++k) {
#pragma HLS UNROLL
    open[k] = false;
  }
  typename S::word_t word;
  bool waiting = false;  // `word` belongs to the next step
  bool ended = false;    // no more words of this step's sequence
  int running = 0;       // streams that are open
  int stream = 0;
  int beat = 0;
  bool done = false;
BEAT:
  while (!done) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT(S::name, "BEAT");
    beat_t given = unpack_word<beat_t, S::element_bits>(S::no_data(), 0);
    bool gives = true;
    if (!ended) {
      if (!waiting) {
        word = s_axis.read();
      }
      const int number = word.id.to_int();
      gives = number < streams;
      waiting = gives && beat > 0 && number != stream;
      if (gives && !waiting) {
        given = unpack_word<beat_t, S::element_bits>(word.data, S::lanes[beat]);
        stream = number;
      }
      ended = gives && (waiting || word.last);
      error.raised = error.raised || !gives || (ended && beat != S::beats - 1) || waiting;
    }
    if (gives) {
      const bool step_ends = beat == S::beats - 1;
      if (beat == 0 && !open[stream]) {
        ++running;
        (started.write(true), ...);
      }
      open[stream] = true;
      given.label(stream);
      given.last = ended && step_ends;
      out.write(given);
      if (given.last) {
        open[stream] = false;
        ended = false;
        --running;
      }
      beat = step_ends ? 0 : beat + 1;
      done = given.last && running == 0 && !waiting;
    }
  }
  (started.write(false), ...);
  out.write(closing_beat<beat_t>());
}

}  // namespace hwrnn
