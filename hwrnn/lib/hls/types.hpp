// SPDX-License-Identifier: Apache-2.0
// What all kernels share: a beat of a stream, and the machine integer that holds a sum exactly.
#pragma once

#include <cstdint>
#include <type_traits>

#include <ap_int.h>

namespace hwrnn {

// Some elements of a vector, side by side; `last` marks the last beat of a sequence.
template <class Element, int Lanes>
struct Beat {
  static_assert(Lanes >= 1, "a beat has at least one lane");
  using element_t = Element;
  static constexpr int lanes = Lanes;
  Element lane[Lanes];
  bool last;
};

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
