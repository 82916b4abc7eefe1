// SPDX-License-Identifier: Apache-2.0
// The C++ side of hwrnn_hls_dpi.sv: queues in front of and behind the emitted top function.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <vector>

#include <svdpi.h>

#include "sim_ports.hpp"

namespace {

using hwrnn_design::sink;
using hwrnn_design::source;

struct Board {
  std::vector<source::word_t> given;  // the words of the call that is due
  hwrnn::ImageWrites writes;          // the image that comes before it
  hls::stream<sink::word_t> results{"results"};
};

Board& board() {
  static Board made;
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
  Board& b = board();
  hwrnn_design::Ports ports;
  for (const source::word_t& word : b.given) {
    ports.s_axis.write(word);
  }
  hwrnn::send_image(b.writes, ports.s_image);
  ports.load = b.writes.empty() ? 0 : 1;
  try {
    ports.call();
  } catch (const std::underflow_error&) {
    return;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::abort();
  }
  b.writes.clear();
  b.given.clear();
  while (!ports.s_axis.empty()) {
    b.given.push_back(ports.s_axis.read());
  }
  while (!ports.m_axis.empty()) {
    b.results.write(ports.m_axis.read());
  }
}

}  // namespace

extern "C" {

void hwrnn_dpi_reset() {
  Board& b = board();
  b.given.clear();
  while (!b.results.empty()) {
    b.results.read();
  }
  hwrnn_design::input_error.raised = false;
}

// A write to a memory; it is taken with the next call.
void hwrnn_dpi_write(int address, int data) {
  board().writes.emplace_back(address, data);
}

void hwrnn_dpi_push(const svBitVecVal* data, int id, svBit last, svBit user) {
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
  hwrnn_design::Ports::mark(word, user != 0);
  board().given.push_back(word);
  if (last) {
    try_call();
  }
}

svBit hwrnn_dpi_pop(svBitVecVal* data, int* id, svBit* last) {
  *id = 0;
  *last = 0;
  if (board().results.empty()) {
    return 0;
  }
  const sink::word_t word = board().results.read();
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
