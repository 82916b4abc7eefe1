// SPDX-License-Identifier: Apache-2.0
// Drives any top with AXI4-Stream ports from files of beats, as fast as it can. ports.h names the
// ports; uart.cpp has none.
//
// Every beat of an input file is its TDATA bytes, those of TID if the port has one, then one byte
// with TLAST (bit 0) and TUSER (bit 1, for ports that have it). The output file holds, in 64-bit
// numbers: the report (see Report); for each input the beats offered and accepted; for each output
// the beats accepted. Then for each output its beats, in the same form as at the input. Then, 64
// bits each, for each input the cycles in which its beats were first offered, and accepted; for
// each output those in which they were accepted.
//
// $HWRNN_WRITES may name a file of writes to the AXI4-Lite slave, three 32-bit numbers each (see
// Write), in order: the sources wait for them before the next sequence.
#include "Vtop.h"
#include "ports.h"
#include "verilated.h"
#ifdef HWRNN_TRACE
#include "verilated_vcd_c.h"
#endif

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

// One long wait: of `left` cycles when beat number `beat` is due.
struct Pause {
  std::uint64_t beat;
  std::uint64_t left;

  bool holds(std::uint64_t due) {
    if (due != beat || left == 0) return false;
    --left;
    return true;
  }
};

// An input, and what is sent there; it begins when all inputs of an earlier turn have got theirs.
struct InJob {
  const char* beats;
  std::size_t bytes;
  std::size_t id_bytes;
  std::uint64_t turn;
};

// An output. One with a turn of 1 or more is not ready before all inputs have got theirs, and all
// outputs of an earlier turn have given theirs.
struct OutJob {
  std::size_t bytes;
  std::size_t id_bytes;
  std::uint64_t turn;
};

struct Job {
  const char* output;
  const char* trace;        // "" for none
  std::uint64_t sequences;  // how many TLAST have to come out of each output
  std::uint64_t patience;   // cycles without any handshake until it counts as a deadlock
  std::uint32_t idle;       // chance, of 2^32, that a source waits a cycle before a beat
  std::uint32_t stall;      // chance, of 2^32, that a sink is not ready in a cycle
  std::uint64_t seed;
  Pause in_pause;  // of the first input
  Pause out_pause;  // of the first output
  std::vector<InJob> inputs;
  std::vector<OutJob> outputs;
};

struct Report {
  std::uint64_t deadlock = 0;
  std::uint64_t cycles = 0;
  std::uint64_t left_over = 0;  // output beats after the last sequence
  std::uint64_t error = 0;
  std::uint64_t version = 0;
  std::uint64_t model_hash = 0;
  std::uint64_t refused = 0;  // writes that the AXI4-Lite slave answered with an error
};

struct Random {
  std::uint64_t state;

  bool below(std::uint32_t chance) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<std::uint32_t>(state >> 32) < chance;
  }
};

template <class Port>
std::uint8_t* bytes_of(Port& port) {
  return reinterpret_cast<std::uint8_t*>(&port);
}

// TID and TUSER, of the ports that have them: the second of each pair is for the others.
#define HWRNN_OPTIONAL(port)                                                                   \
  template <class Top>                                                                         \
  auto id_of_##port(Top& top, int) -> decltype(bytes_of(top.port##_tid)) {                     \
    return bytes_of(top.port##_tid);                                                           \
  }                                                                                            \
  template <class Top>                                                                         \
  std::uint8_t* id_of_##port(Top&, long) {                                                     \
    return nullptr;                                                                            \
  }                                                                                            \
  template <class Top>                                                                         \
  auto user_of_##port(Top& top, int) -> decltype(bytes_of(top.port##_tuser)) {                 \
    return bytes_of(top.port##_tuser);                                                         \
  }                                                                                            \
  template <class Top>                                                                         \
  std::uint8_t* user_of_##port(Top&, long) {                                                   \
    return nullptr;                                                                            \
  }
HWRNN_INPUTS(HWRNN_OPTIONAL)
HWRNN_OUTPUTS(HWRNN_OPTIONAL)

// The signals of a port.
struct Wires {
  std::uint8_t* data;
  std::uint8_t* id;
  std::uint8_t* user;
  std::uint8_t* valid;
  std::uint8_t* ready;
  std::uint8_t* last;
};

#define HWRNN_WIRES(port)                                                                      \
  Wires{bytes_of(top.port##_tdata),   id_of_##port(top, 0),          user_of_##port(top, 0), \
        bytes_of(top.port##_tvalid), bytes_of(top.port##_tready), bytes_of(top.port##_tlast)},

std::vector<Wires> input_wires(Vtop& top) { return {HWRNN_INPUTS(HWRNN_WIRES)}; }
std::vector<Wires> output_wires(Vtop& top) { return {HWRNN_OUTPUTS(HWRNN_WIRES)}; }

// A write to the AXI4-Lite slave, when `after` sequences have come out.
struct Write {
  std::uint32_t after;
  std::uint32_t address;
  std::uint32_t data;
};

// The slave, of the tops that have it: offers a write or takes it back.
template <class Top>
auto offer_write(Top& top, const Write& write, bool valid, int)
    -> decltype(static_cast<void>(top.s_axi_awaddr)) {
  top.s_axi_awaddr = write.address;
  top.s_axi_wdata = write.data;
  top.s_axi_wstrb = 15;
  top.s_axi_awvalid = top.s_axi_wvalid = valid;
  top.s_axi_bready = 1;
}
template <class Top>
void offer_write(Top&, const Write&, bool, long) {
  std::fprintf(stderr, "harness: the top has no AXI4-Lite slave\n");
  std::exit(2);
}

struct Answer {
  bool taken;
  bool valid;
  unsigned code;
};

template <class Top>
auto answer(const Top& top, int) -> decltype(static_cast<void>(top.s_axi_awaddr), Answer{}) {
  return {top.s_axi_awready && top.s_axi_wready, top.s_axi_bvalid != 0, top.s_axi_bresp};
}
template <class Top>
Answer answer(const Top&, long) {
  return {};
}

std::vector<std::uint8_t> read_file(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) std::exit(2);
  std::vector<std::uint8_t> bytes;
  std::fseek(file, 0, SEEK_END);
  bytes.resize(static_cast<std::size_t>(std::ftell(file)));
  std::rewind(file);
  if (!bytes.empty() && std::fread(bytes.data(), 1, bytes.size(), file) != bytes.size()) {
    std::exit(2);
  }
  std::fclose(file);
  return bytes;
}

// What is sent to an input.
struct Source {
  Wires wires;
  InJob job;
  std::vector<std::uint8_t> beats;
  std::vector<std::uint64_t> offered, accepted;
  std::uint64_t sent = 0;  // TLAST that went in
  bool offering = false;

  std::size_t row() const { return job.bytes + job.id_bytes + 1; }
  std::size_t count() const { return beats.size() / row(); }
  bool done() const { return accepted.size() == count(); }

  void offer(std::uint64_t cycle) {
    const std::uint8_t* beat = &beats[offered.size() * row()];
    std::memcpy(wires.data, beat, job.bytes);
    if (wires.id != nullptr) std::memcpy(wires.id, beat + job.bytes, job.id_bytes);
    *wires.last = beat[row() - 1] & 1;
    if (wires.user != nullptr) *wires.user = beat[row() - 1] >> 1;
    *wires.valid = 1;
    offered.push_back(cycle);
    offering = true;
  }
};

// What comes out of an output.
struct Sink {
  Wires wires;
  OutJob job;
  std::vector<std::uint8_t> beats;
  std::vector<std::uint64_t> delivered;
  std::uint64_t sequences = 0;

  void take(std::uint64_t cycle) {
    const std::size_t start = beats.size();
    beats.resize(start + job.bytes + job.id_bytes + 1);
    std::memcpy(&beats[start], wires.data, job.bytes);
    if (wires.id != nullptr) std::memcpy(&beats[start + job.bytes], wires.id, job.id_bytes);
    beats.back() = *wires.last;
    delivered.push_back(cycle);
    if (*wires.last) ++sequences;
  }
};

class Bench {
 public:
  explicit Bench(const Job& job)
      : job_(job), random_{job.seed * 2 + 0x9e3779b97f4a7c15u}, top_(make_top()) {
    const auto in = input_wires(*top_), out = output_wires(*top_);
    if (in.size() != job.inputs.size() || out.size() != job.outputs.size()) std::exit(2);
    for (std::size_t k = 0; k < in.size(); ++k) {
      sources_.push_back({in[k], job.inputs[k], read_file(job.inputs[k].beats), {}, {}});
    }
    for (std::size_t k = 0; k < out.size(); ++k) sinks_.push_back({out[k], job.outputs[k], {}, {}});
    if (const char* path = std::getenv("HWRNN_WRITES")) {
      const auto bytes = read_file(path);
      writes_.resize(bytes.size() / sizeof(Write));
      if (!bytes.empty()) std::memcpy(writes_.data(), bytes.data(), bytes.size());
    }
    open_trace();
  }

  ~Bench() {
    top_->final();
#ifdef HWRNN_TRACE
    if (trace_) trace_->close();
#endif
  }

  void run() {
    reset();
    std::uint64_t quiet = 0;
    const std::uint64_t tail = 64;
    while (true) {
      if (written_ < writes_.size() && out_of_all() >= writes_[written_].after && all_held()) load();
      const bool done = all_in() && out_of_all() >= job_.sequences;
      if (done && quiet >= tail) break;
      if (!done && quiet >= job_.patience) {
        report_.deadlock = 1;
        break;
      }
      quiet = cycle(done) ? 0 : quiet + 1;
    }
    report_.error = top_->error_o;
    report_.version = top_->version_o;
    report_.model_hash = top_->model_hash_o;
  }

  void write() const {
    std::FILE* file = std::fopen(job_.output, "wb");
    if (file == nullptr) std::exit(2);
    std::fwrite(&report_, sizeof report_, 1, file);
    for (const Source& in : sources_) {
      const std::uint64_t counts[] = {in.offered.size(), in.accepted.size()};
      std::fwrite(counts, sizeof counts, 1, file);
    }
    for (const Sink& out : sinks_) {
      const std::uint64_t count = out.delivered.size();
      std::fwrite(&count, sizeof count, 1, file);
    }
    for (const Sink& out : sinks_) std::fwrite(out.beats.data(), 1, out.beats.size(), file);
    for (const Source& in : sources_) {
      put_times(file, in.offered);
      put_times(file, in.accepted);
    }
    for (const Sink& out : sinks_) put_times(file, out.delivered);
    if (std::fclose(file) != 0) std::exit(2);
  }

 private:
  static void put_times(std::FILE* file, const std::vector<std::uint64_t>& times) {
    std::fwrite(times.data(), sizeof(std::uint64_t), times.size(), file);
  }

  // A netlist starts with random bits wherever its cells say nothing.
  Vtop* make_top() {
#ifdef HWRNN_RANDOM_START
    context_.randReset(2);
    context_.randSeed(static_cast<int>(job_.seed % 0x7fffffffu) + 1);
#endif
    return new Vtop(&context_);
  }

  void open_trace() {
#ifdef HWRNN_TRACE
    if (job_.trace[0] == '\0') return;
    context_.traceEverOn(true);
    trace_.reset(new VerilatedVcdC);
    top_->trace(trace_.get(), 99);
    trace_->open(job_.trace);
#endif
  }

  void dump() {
#ifdef HWRNN_TRACE
    if (trace_) trace_->dump(time_);
#endif
    time_ += 5;
  }

  void tick() {
    dump();
    top_->aclk = 1;
    top_->eval();
    dump();
    top_->aclk = 0;
  }

  void reset() {
    top_->aresetn = 0;
    for (Source& in : sources_) *in.wires.valid = *in.wires.last = 0;
    for (Sink& out : sinks_) *out.wires.ready = 0;
    for (int k = 0; k < 4; ++k) {
      top_->eval();
      tick();
    }
    top_->aresetn = 1;
  }

  bool all_in() const {
    for (const Source& in : sources_) {
      if (!in.done()) return false;
    }
    return true;
  }

  // How many sequences have come out of every output.
  std::uint64_t out_of_all() const {
    std::uint64_t least = sinks_[0].sequences;
    for (const Sink& out : sinks_) least = std::min(least, out.sequences);
    return least;
  }

  // True while a source waits until all that was sent has come out, and writes were made.
  bool held(const Source& in) const {
    return written_ < writes_.size() && in.sent >= writes_[written_].after;
  }

  bool all_held() const {
    for (const Source& in : sources_) {
      if (!held(in)) return false;
    }
    return true;
  }

  // True while it is another input's turn, or another output's.
  bool waits(const Source& in) const {
    for (const Source& other : sources_) {
      if (other.job.turn < in.job.turn && !other.done()) return true;
    }
    return false;
  }

  bool waits(const Sink& out) const {
    if (out.job.turn == 0) return false;
    for (const Sink& other : sinks_) {
      if (other.job.turn < out.job.turn && other.job.turn > 0 && other.sequences < job_.sequences) {
        return true;
      }
    }
    return !all_in();
  }

  // The writes that are due.
  void load() {
    const std::uint32_t after = writes_[written_].after;
    for (Sink& out : sinks_) *out.wires.ready = 0;
    for (; written_ < writes_.size() && writes_[written_].after == after; ++written_) {
      bool offered = true;
      int patience = 1000;
      for (bool answered = false; !answered;) {
        if (--patience == 0) {
          std::fprintf(stderr, "harness: the AXI4-Lite slave does not answer\n");
          std::exit(2);
        }
        offer_write(*top_, writes_[written_], offered, 0);
        top_->eval();
        const Answer found = answer(*top_, 0);
        answered = found.valid && !offered;
        if (offered && found.taken) offered = false;
        if (answered && found.code != 0) ++report_.refused;
        tick();
        ++report_.cycles;
      }
    }
  }

  bool paused(const Source& in) {
    return &in == &sources_[0] && job_.in_pause.holds(in.offered.size());
  }

  bool paused(const Sink& out) {
    return &out == &sinks_[0] && job_.out_pause.holds(out.delivered.size());
  }

  // One clock cycle; true if a beat moved.
  bool cycle(bool done) {
    for (Source& in : sources_) {
      if (!in.offering && !held(in) && in.offered.size() < in.count() && !paused(in) &&
          !waits(in) && (job_.idle == 0 || !random_.below(job_.idle))) {
        in.offer(report_.cycles);
      }
    }
    for (Sink& out : sinks_) {
      *out.wires.ready =
          !paused(out) && !waits(out) && (job_.stall == 0 || !random_.below(job_.stall));
    }
    top_->eval();
    bool moved = false;
    for (Sink& out : sinks_) {
      if (!*out.wires.valid || !*out.wires.ready) continue;
      out.take(report_.cycles);
      if (done) ++report_.left_over;
      moved = true;
    }
    std::uint64_t taken = 0;  // inputs, as bits
    for (std::size_t k = 0; k < sources_.size(); ++k) {
      if (sources_[k].offering && *sources_[k].wires.ready) taken |= std::uint64_t{1} << k;
    }
    tick();
    for (std::size_t k = 0; k < sources_.size(); ++k) {
      if ((taken >> k & 1) == 0) continue;
      Source& in = sources_[k];
      in.accepted.push_back(report_.cycles);
      if (*in.wires.last) ++in.sent;
      in.offering = false;
      *in.wires.valid = 0;
      moved = true;
    }
    ++report_.cycles;
    return moved;
  }

  Job job_;
  Random random_;
  VerilatedContext context_;
  std::unique_ptr<Vtop> top_;
#ifdef HWRNN_TRACE
  std::unique_ptr<VerilatedVcdC> trace_;
#endif
  std::vector<Source> sources_;
  std::vector<Sink> sinks_;
  std::vector<Write> writes_;
  std::size_t written_ = 0;
  std::uint64_t time_ = 0;
  Report report_;
};

std::uint64_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

}  // namespace

double sc_time_stamp() { return 0; }

// The arguments, as hwrnn/sim/rtl_run.py gives them.
Job read_job(char** argv) {
  const auto next = [&argv] { return *argv == nullptr ? (std::exit(2), *argv) : *argv++; };
  Job job{};
  job.output = next();
  job.trace = next();
  job.sequences = number(next());
  job.patience = number(next());
  job.idle = static_cast<std::uint32_t>(number(next()));
  job.stall = static_cast<std::uint32_t>(number(next()));
  job.seed = number(next());
  for (Pause* pause : {&job.in_pause, &job.out_pause}) {
    pause->beat = number(next());
    pause->left = number(next());
  }
  job.inputs.resize(number(next()));
  for (InJob& in : job.inputs) {
    next();  // its name, for cocotb
    in.beats = next();
    in.bytes = number(next());
    in.id_bytes = number(next());
    in.turn = number(next());
  }
  job.outputs.resize(number(next()));
  for (OutJob& out : job.outputs) {
    next();
    out.bytes = number(next());
    out.id_bytes = number(next());
    out.turn = number(next());
  }
  return job;
}

int main(int, char** argv) {
  Bench bench(read_job(argv + 1));
  bench.run();
  bench.write();
  return 0;
}
