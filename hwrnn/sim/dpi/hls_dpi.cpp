// SPDX-License-Identifier: Apache-2.0
// The C++ side of the hls_dpi shell: what has come in, calls of the top, what has come out.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include <svdpi.h>

#include "sim_ports.hpp"

namespace {

using hwrnn_design::Ports;

struct Board {
  Ports held;                 // words of calls that are due, and those that have come out
  hwrnn::ImageWrites writes;  // the image that comes before the next call
};

Board& board() {
  static Board made;
  return made;
}

// Calls the top with the words so far. If it waits for more of them, at another port, for a stream
// that has not ended or for the sequence behind one that was dropped, the call is tried again with
// the next TLAST.
bool try_call() {
  Board& b = board();
  Ports ports;
  ports.copy_inputs(b.held);
  hwrnn::send_image(b.writes, ports.s_image);
  ports.load = b.writes.empty() ? 0 : 1;
  try {
    ports.call();
    if ((ports.error != 0) != hwrnn_design::error_raised()) {
      throw std::runtime_error("the register error does not say what the ports do");
    }
  } catch (const std::underflow_error&) {
    return false;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::abort();
  }
  b.writes.clear();
  b.held.forget_inputs();
  b.held.move_inputs(ports);
  b.held.move_outputs(ports);
  return true;
}

}  // namespace

extern "C" {

void hwrnn_dpi_reset() {
  Board& b = board();
  b.held.forget_inputs();
  Ports gone;
  gone.move_outputs(b.held);
  hwrnn_design::reset();
}

// A write to a memory; it is taken with the next call.
void hwrnn_dpi_write(int address, int data) { board().writes.emplace_back(address, data); }

void hwrnn_dpi_push(int port, const svBitVecVal* data, int id, svBit last, svBit user) {
  board().held.push(port, data, id, last != 0, user != 0);
  if (last) {
    while (try_call() && !board().held.empty()) {
    }
  }
}

svBit hwrnn_dpi_pop(int port, svBitVecVal* data, int* id, svBit* last) {
  bool ends = false;
  *id = 0;
  const bool found = board().held.pop(port, data, *id, ends);
  *last = ends ? 1 : 0;
  return found ? 1 : 0;
}

svBit hwrnn_dpi_error() { return hwrnn_design::error_raised() ? 1 : 0; }

int hwrnn_dpi_version() { return static_cast<int>(hwrnn_design::version_word); }

long long hwrnn_dpi_model_hash() { return static_cast<long long>(hwrnn_design::model_word); }

}  // extern "C"
