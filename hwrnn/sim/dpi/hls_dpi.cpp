// SPDX-License-Identifier: Apache-2.0
// The C++ side of hwrnn_hls_dpi.sv: queues in front of and behind the emitted top function.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include <svdpi.h>

#include "top.cpp"

namespace {

using hwrnn_design::sink;
using hwrnn_design::source;

struct Ports {
  hls::stream<source::word_t> s_axis{"s_axis"};
  hls::stream<sink::word_t> m_axis{"m_axis"};
  ap_uint<1> error = 0;
  ap_uint<32> version = 0;
  ap_uint<64> model_hash = 0;
};

Ports& ports() {
  static Ports made;
  return made;
}

// One call of the top. A design that drops a sequence which is too long then waits for the next
// one: here the wait is the end of the call.
void run_sequence() {
  Ports& p = ports();
  try {
    HWRNN_TOP(p.s_axis, p.m_axis, p.error, p.version, p.model_hash);
  } catch (const std::underflow_error&) {
    p.error = 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::abort();
  }
}

}  // namespace

extern "C" {

void hwrnn_dpi_reset() {
  Ports& p = ports();
  while (!p.s_axis.empty()) {
    p.s_axis.read();
  }
  while (!p.m_axis.empty()) {
    p.m_axis.read();
  }
  hwrnn_design::input_error.raised = false;
  p.error = 0;
}

void hwrnn_dpi_push(const svBitVecVal* data, svBit last) {
  source::word_t word;
  word.data = 0;
  constexpr int width = source::data_t::width;
  for (int low = 0; low < width; low += 32) {
    const int high = low + 31 < width ? low + 31 : width - 1;
    word.data.range(high, low) = ap_uint<32>(data[low / 32]);
  }
  word.keep = -1;
  word.strb = -1;
  word.last = last;
  ports().s_axis.write(word);
  if (last) {
    run_sequence();
  }
}

svBit hwrnn_dpi_pop(svBitVecVal* data, svBit* last) {
  *last = 0;
  if (ports().m_axis.empty()) {
    return 0;
  }
  const sink::word_t word = ports().m_axis.read();
  constexpr int width = sink::data_t::width;
  for (int low = 0; low < width; low += 32) {
    const int high = low + 31 < width ? low + 31 : width - 1;
    const ap_uint<32> part = word.data.range(high, low);
    data[low / 32] = part.to_uint();
  }
  *last = word.last != 0 ? 1 : 0;
  return 1;
}

svBit hwrnn_dpi_error() { return ports().error != 0 ? 1 : 0; }

int hwrnn_dpi_version() { return static_cast<int>(hwrnn_design::version_word); }

long long hwrnn_dpi_model_hash() { return static_cast<long long>(hwrnn_design::model_word); }

}  // extern "C"
