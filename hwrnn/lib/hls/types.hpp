// SPDX-License-Identifier: Apache-2.0
// What all kernels share: a beat of a stream, and the machine integer that holds a sum exactly.
#pragma once

#include <cstdint>
#include <type_traits>

#include <ap_int.h>

namespace hwrnn {

// Bits that number `count` things.
constexpr int index_bits(const int count) {
  return count <= 2 ? 1 : 1 + index_bits((count + 1) / 2);
}

// Some elements of a vector, side by side. With several streams, sequences interleave vector by
// vector: `number` tells whose the beat is, `last` marks the last beat of a sequence of that
// stream, and behind the last one of a call comes a beat that carries nothing: `closing`.
template <class Element, int Lanes, int Streams = 1>
struct Beat {
  static_assert(Lanes >= 1, "a beat has at least one lane");
  static_assert(Streams >= 2, "there is at least one stream");
  using element_t = Element;
  static constexpr int lanes = Lanes;
  static constexpr int streams = Streams;
  Element lane[Lanes];
  bool last;
  bool closing;
  ap_uint<index_bits(Streams)> number;

  int stream() const { return number.to_int(); }
  bool carries() const { return !closing; }
  bool ends_call() const { return closing; }
  void label(const int stream) {
    number = stream;
    closing = false;
  }
};

// With one stream a call is a sequence, which the beat with `last` ends.
template <class Element, int Lanes>
struct Beat<Element, Lanes, 1> {
  static_assert(Lanes >= 1, "a beat has at least one lane");
  using element_t = Element;
  static constexpr int lanes = Lanes;
  static constexpr int streams = 1;
  Element lane[Lanes];
  bool last;

  int stream() const { return 0; }
  bool carries() const { return true; }
  bool ends_call() const { return last; }
  void label(int) {}
};

// The beat behind the last one of a call, on several streams.
template <class BeatT>
inline BeatT closing_beat() {
#pragma HLS INLINE
  static_assert(BeatT::streams > 1, "with one stream the last beat of a sequence ends a call");
  BeatT beat;
LANE:
  for (int lane = 0; lane < BeatT::lanes; ++lane) {
#pragma HLS UNROLL
    beat.lane[lane] = typename BeatT::element_t(0);
  }
  beat.last = false;
  beat.label(0);
  beat.closing = true;
  return beat;
}

// Which steps of a sequence a kernel gives out.
enum class Emit { all, first, last };

// Bits that hold every number of T in two's complement.
template <class T>
struct SignedBits {
  static_assert(std::is_integral_v<T>, "a number is an ap_int, an ap_uint or a machine integer");
  static constexpr int value = 8 * static_cast<int>(sizeof(T)) + (std::is_signed_v<T> ? 0 : 1);
};
template <int Width>
struct SignedBits<ap_int<Width>> {
  static constexpr int value = Width;
};
template <int Width>
struct SignedBits<ap_uint<Width>> {
  static constexpr int value = Width + 1;
};
template <class T>
constexpr int signed_bits = SignedBits<T>::value;

// The narrowest signed integer of the machine with at least `Bits` bits; beyond 64, an ap_int.
// Intermediate results live in it, and are cut to their exact width where they are stored.
template <int Bits>
using wide_t = std::conditional_t<
    (Bits <= 32), std::int32_t,
    std::conditional_t<(Bits <= 64), std::int64_t, ap_int<(Bits < 1 ? 1 : Bits)>>>;

// A constant that is wider than a machine integer.
inline ap_int<128> join(const std::int64_t high, const std::uint64_t low) {
#pragma HLS INLINE
  return (ap_int<128>(high) << 64) | ap_int<128>(ap_uint<64>(low));
}

constexpr int larger(int a, int b) { return a > b ? a : b; }

}  // namespace hwrnn
