// SPDX-License-Identifier: Apache-2.0
// For testbenches, never for hardware: sequences of integers to and from AXI4-Stream words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <utility>
#include <vector>

#include <hls_stream.h>

#include "image.hpp"
#include "types.hpp"

namespace hwrnn {

using Sequence = std::vector<std::int64_t>;  // step after step

// Writes the words of step `step` of a sequence. `P` is the input port; `mark` adds to each word
// what the port has beside the data. Returns true for the last step.
template <class P, class Mark>
bool send_words(const Sequence& sequence, const std::size_t step,
                hls::stream<typename P::word_t>& s_axis, Mark mark) {
  constexpr int bits = P::element_bits;
  std::size_t next = step * P::features;
  for (int beat = 0; beat < P::beats; ++beat) {
    typename P::word_t word;
    word.data = 0;
    for (int lane = 0; lane < P::lanes[beat]; ++lane) {
      const ap_uint<bits> element = sequence[next++];
      word.data.range((lane + 1) * bits - 1, lane * bits) = element;
    }
    word.keep = -1;
    word.strb = -1;
    word.last = next == sequence.size() ? 1 : 0;
    mark(word);
    s_axis.write(word);
  }
  return next == sequence.size();
}

// The same, of stream `stream`.
template <class P>
bool send_step(const Sequence& sequence, const std::size_t step, [[maybe_unused]] const int stream,
               hls::stream<typename P::word_t>& s_axis) {
  return send_words<P>(sequence, step, s_axis, [&](typename P::word_t& word) {
    if constexpr (P::beat_t::streams > 1) {
      word.id = stream;
    }
  });
}

// Which step of which sequence is offered when. With several streams, sequence k goes to stream k
// modulo their number; a step of each in turn, and a stream whose sequence has ended goes on with
// its next one.
struct Turn {
  std::size_t sequence;
  std::size_t step;
};

template <class P>
std::vector<Turn> turns_of(const std::vector<Sequence>& sequences) {
  constexpr std::size_t streams = P::beat_t::streams;
  std::vector<Turn> found;
  std::deque<Turn> turns;
  for (std::size_t k = 0; k < streams && k < sequences.size(); ++k) {
    turns.push_back({k, 0});
  }
  while (!turns.empty()) {
    Turn turn = turns.front();
    turns.pop_front();
    found.push_back(turn);
    if (++turn.step * P::features == sequences[turn.sequence].size()) {
      turn = {turn.sequence + streams, 0};
    }
    if (turn.sequence < sequences.size()) {
      turns.push_back(turn);
    }
  }
  return found;
}

// Writes all sequences. `sent`: so many were sent before.
template <class P>
void send_sequences(const std::vector<Sequence>& sequences,
                    hls::stream<typename P::word_t>& s_axis, const std::size_t sent = 0) {
  for (const Turn& turn : turns_of<P>(sequences)) {
    const std::size_t stream = (sent + turn.sequence) % P::beat_t::streams;
    send_step<P>(sequences[turn.sequence], turn.step, static_cast<int>(stream), s_axis);
  }
}

// The sequences in the order in which they start.
template <class P>
std::vector<std::size_t> order_of(const std::vector<Sequence>& sequences) {
  std::vector<std::size_t> order;
  for (const Turn& turn : turns_of<P>(sequences)) {
    if (turn.step == 0) {
      order.push_back(turn.sequence);
    }
  }
  return order;
}

// Writes the vectors that belong to sequences, in the order in which these start. `P` is a port of
// vectors.
template <class P>
void send_vectors(const std::vector<Sequence>& vectors, const std::vector<std::size_t>& order,
                  hls::stream<typename P::word_t>& s_axis) {
  for (const std::size_t k : order) {
    send_words<P>(vectors[k], 0, s_axis, [](typename P::word_t&) {});
  }
}

// Writes fragments of sequences; TUSER of the first word of each says whether one starts with it.
template <class P>
void send_fragments(const std::vector<Sequence>& fragments, const std::vector<bool>& first,
                    hls::stream<typename P::word_t>& s_axis) {
  for (std::size_t k = 0; k < fragments.size(); ++k) {
    bool starts = first[k];
    const auto mark = [&](typename P::word_t& word) {
      word.user = starts;
      starts = false;
    };
    for (std::size_t step = 0; !send_words<P>(fragments[k], step, s_axis, mark); ++step) {
    }
  }
}

// Writes of an image: byte addresses, and what is written there.
using ImageWrites = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

inline void send_image(const ImageWrites& writes, hls::stream<ImageWord>& s_image) {
  for (std::size_t k = 0; k < writes.size(); ++k) {
    ImageWord word;
    word.data = (ap_uint<64>(writes[k].first) << 32) | writes[k].second;
    word.keep = -1;
    word.strb = -1;
    word.last = k == writes.size() - 1;
    s_image.write(word);
  }
}

// Reads the words of a vector, behind those that came before it in its sequence. `P` is the output
// port. Returns its stream, and with `last` whether the sequence has ended.
template <class P>
int receive_vector(hls::stream<typename P::word_t>& m_axis, std::vector<Sequence>& begun,
                   bool& last) {
  constexpr int bits = P::element_bits;
  int stream = 0;
  for (int beat = 0; beat < P::beats; ++beat) {
    const typename P::word_t word = m_axis.read();
    if constexpr (P::beat_t::streams > 1) {
      if (beat > 0 && stream != word.id.to_int()) {
        throw std::runtime_error("TID changes in the middle of a vector");
      }
      stream = word.id.to_int();
    }
    for (int lane = 0; lane < P::lanes[beat]; ++lane) {
      const ap_uint<bits> raw = word.data.range((lane + 1) * bits - 1, lane * bits);
      const ap_int<bits> element = raw;
      begun.at(stream).push_back(P::is_signed ? element.to_int64()
                                              : static_cast<std::int64_t>(raw.to_uint64()));
    }
    last = word.last != 0;
    if (last && beat != P::beats - 1) {
      throw std::runtime_error("TLAST in the middle of a vector");
    }
  }
  return stream;
}

// Reads all words: for each stream, its sequences in order.
template <class P>
std::vector<std::vector<Sequence>> receive_streams(hls::stream<typename P::word_t>& m_axis) {
  std::vector<std::vector<Sequence>> found(P::beat_t::streams);
  std::vector<Sequence> begun(P::beat_t::streams);
  while (!m_axis.empty()) {
    bool last = false;
    const int stream = receive_vector<P>(m_axis, begun, last);
    if (last) {
      found[stream].push_back(begun[stream]);
      begun[stream].clear();
    }
  }
  for (const Sequence& rest : begun) {
    if (!rest.empty()) {
      throw std::runtime_error("a sequence has no TLAST");
    }
  }
  return found;
}

// Reads all words: as many sequences as were sent, in the order of `send_sequences`.
template <class P>
std::vector<Sequence> receive_sequences(hls::stream<typename P::word_t>& m_axis) {
  const std::vector<std::vector<Sequence>> streams = receive_streams<P>(m_axis);
  std::vector<Sequence> sequences;
  for (std::size_t k = 0; k < streams[0].size(); ++k) {
    for (const std::vector<Sequence>& stream : streams) {
      if (k < stream.size()) {
        sequences.push_back(stream[k]);
      }
    }
  }
  return sequences;
}

}  // namespace hwrnn
