// SPDX-License-Identifier: Apache-2.0
// The C++ side of hwrnn_hls_dpi.sv: queues in front of and behind the emitted top function.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <vector>

#include <svdpi.h>

#include "top.cpp"

namespace {

using hwrnn_design::sink;
using hwrnn_design::source;

struct Ports {
  std::vector<source::word_t> given;  // the words of the call that is due
  hls::stream<sink::word_t> results{"results"};
  ap_uint<32> version = 0;
  ap_uint<64> model_hash = 0;
};

Ports& ports() {
  static Ports made;
  return made;
}

// TID, which the words of a design with one stream do not have.
template <class Port>
void set_id(typename Port::word_t& word, [[maybe_unused]] const int id) {
  if constexpr (Port::beat_t::streams > 1) {
    word.id = id;
  }
}

template <class Port>
int id_of(const typename Port::word_t& word) {
  if constexpr (Port::beat_t::streams > 1) {
    return word.id.to_int();
  } else {
    return 0;
  }
}

// Calls the top with the words so far. If it waits for more of them, for a stream that has not
// ended or for the sequence behind one that was dropped, the call is tried again with the next
// TLAST.
void try_call() {
  Ports& p = ports();
  hls::stream<source::word_t> s_axis("s_axis");
  hls::stream<sink::word_t> m_axis("m_axis");
  for (const source::word_t& word : p.given) {
    s_axis.write(word);
  }
  try {
    ap_uint<1> error = 0;
    HWRNN_TOP(s_axis, m_axis, error, p.version, p.model_hash);
  } catch (const std::underflow_error&) {
    return;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::abort();
  }
  p.given.clear();
  while (!s_axis.empty()) {
    p.given.push_back(s_axis.read());
  }
  while (!m_axis.empty()) {
    p.results.write(m_axis.read());
  }
}

}  // namespace

extern "C" {

void hwrnn_dpi_reset() {
  Ports& p = ports();
  p.given.clear();
  while (!p.results.empty()) {
    p.results.read();
  }
  hwrnn_design::input_error.raised = false;
}

void hwrnn_dpi_push(const svBitVecVal* data, int id, svBit last) {
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
  set_id<source>(word, id);
  ports().given.push_back(word);
  if (last) {
    try_call();
  }
}

svBit hwrnn_dpi_pop(svBitVecVal* data, int* id, svBit* last) {
  *id = 0;
  *last = 0;
  if (ports().results.empty()) {
    return 0;
  }
  const sink::word_t word = ports().results.read();
  constexpr int width = sink::data_t::width;
  for (int low = 0; low < width; low += 32) {
    const int high = low + 31 < width ? low + 31 : width - 1;
    const ap_uint<32> part = word.data.range(high, low);
    data[low / 32] = part.to_uint();
  }
  *id = id_of<sink>(word);
  *last = word.last != 0 ? 1 : 0;
  return 1;
}

svBit hwrnn_dpi_error() { return hwrnn_design::input_error.raised ? 1 : 0; }

int hwrnn_dpi_version() { return static_cast<int>(hwrnn_design::version_word); }

long long hwrnn_dpi_model_hash() { return static_cast<long long>(hwrnn_design::model_word); }

}  // extern "C"
