// SPDX-License-Identifier: Apache-2.0
// Drives any top with one AXI4-Stream in and one out from a file of beats, as fast as it can.
//
// Every beat of the input file is its TDATA bytes, those of TID if the top has one, then one byte
// with TLAST (bit 0) and TUSER (bit 1, for tops that have it). The output file holds ten 64-bit numbers (see Report), then the beats that came out
// in the same form, then, 64 bits each: the cycles in which input beats were first offered,
// accepted, and output beats accepted.
//
// $HWRNN_WRITES may name a file of writes to the AXI4-Lite slave, three 32-bit numbers each (see
// Write), in order: the source waits for them before the next sequence.
#include "Vtop.h"
#include "verilated.h"
#ifdef HWRNN_TRACE
#include "verilated_vcd_c.h"
#endif

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

struct Job {
  const char* input;
  const char* output;
  std::size_t in_bytes;
  std::size_t out_bytes;
  std::size_t id_bytes;
  std::uint64_t sequences;  // how many TLAST have to come out
  std::uint64_t patience;   // cycles without any handshake until it counts as a deadlock
  std::uint32_t idle;       // chance, of 2^32, that the source waits a cycle before a beat
  std::uint32_t stall;      // chance, of 2^32, that the sink is not ready in a cycle
  std::uint64_t seed;
  Pause in_pause;
  Pause out_pause;
  const char* trace;  // "" for none
};

struct Report {
  std::uint64_t deadlock = 0;
  std::uint64_t cycles = 0;
  std::uint64_t in_beats = 0;
  std::uint64_t out_beats = 0;
  std::uint64_t left_over = 0;  // output beats after the last sequence
  std::uint64_t error = 0;
  std::uint64_t version = 0;
  std::uint64_t model_hash = 0;
  std::uint64_t offered = 0;  // input beats that were put on the bus
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
void put(Port& port, const std::uint8_t* bytes, std::size_t count) {
  std::memcpy(&port, bytes, count);
}

template <class Port>
void get(const Port& port, std::uint8_t* bytes, std::size_t count) {
  std::memcpy(bytes, &port, count);
}

// TID, of the tops that have it: the second of each pair is for the others.
template <class Top>
auto put_id(Top& top, const std::uint8_t* bytes, std::size_t count, int)
    -> decltype(static_cast<void>(top.s_axis_tid)) {
  put(top.s_axis_tid, bytes, count);
}
template <class Top>
void put_id(Top&, const std::uint8_t*, std::size_t, long) {}

template <class Top>
auto get_id(const Top& top, std::uint8_t* bytes, std::size_t count, int)
    -> decltype(static_cast<void>(top.m_axis_tid)) {
  get(top.m_axis_tid, bytes, count);
}
template <class Top>
void get_id(const Top&, std::uint8_t*, std::size_t, long) {}

// TUSER, of the tops that have it.
template <class Top>
auto put_user(Top& top, bool user, int) -> decltype(static_cast<void>(top.s_axis_tuser)) {
  top.s_axis_tuser = user;
}
template <class Top>
void put_user(Top&, bool, long) {}

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

class Bench {
 public:
  explicit Bench(const Job& job)
      : job_(job), random_{job.seed * 2 + 0x9e3779b97f4a7c15u}, top_(make_top()) {
    beats_ = read_file(job.input);
    in_row_ = job.in_bytes + job.id_bytes + 1;
    count_ = beats_.size() / in_row_;
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
      if (held() && sequences_ >= writes_[written_].after) load();
      const bool done = report_.in_beats == count_ && sequences_ >= job_.sequences;
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
    std::fwrite(out_.data(), 1, out_.size(), file);
    for (const auto* times : {&offered_, &accepted_, &delivered_}) {
      std::fwrite(times->data(), sizeof(std::uint64_t), times->size(), file);
    }
    if (std::fclose(file) != 0) std::exit(2);
  }

 private:
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
    top_->s_axis_tvalid = 0;
    top_->s_axis_tlast = 0;
    top_->m_axis_tready = 0;
    for (int k = 0; k < 4; ++k) {
      top_->eval();
      tick();
    }
    top_->aresetn = 1;
  }

  // True while the source waits until all that was sent has come out, and writes were made.
  bool held() const { return written_ < writes_.size() && sent_ >= writes_[written_].after; }

  // The writes that are due.
  void load() {
    const std::uint32_t after = writes_[written_].after;
    top_->m_axis_tready = 0;
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

  // One clock cycle; true if a beat moved.
  bool cycle(bool done) {
    if (!offering_ && !held() && next_ < count_ && !job_.in_pause.holds(next_) &&
        (job_.idle == 0 || !random_.below(job_.idle))) {
      offer();
    }
    top_->m_axis_tready = !job_.out_pause.holds(report_.out_beats) &&
                          (job_.stall == 0 || !random_.below(job_.stall));
    top_->eval();
    const bool in = offering_ && top_->s_axis_tready;
    const bool out = top_->m_axis_tvalid && top_->m_axis_tready;
    if (out) take(done);
    tick();
    if (in) {
      accepted_.push_back(report_.cycles);
      ++report_.in_beats;
      if (top_->s_axis_tlast) ++sent_;
      offering_ = false;
      top_->s_axis_tvalid = 0;
    }
    ++report_.cycles;
    return in || out;
  }

  void offer() {
    const std::uint8_t* beat = &beats_[next_ * in_row_];
    put(top_->s_axis_tdata, beat, job_.in_bytes);
    put_id(*top_, beat + job_.in_bytes, job_.id_bytes, 0);
    top_->s_axis_tlast = beat[in_row_ - 1] & 1;
    put_user(*top_, beat[in_row_ - 1] & 2, 0);
    top_->s_axis_tvalid = 1;
    offered_.push_back(report_.cycles);
    ++report_.offered;
    offering_ = true;
    ++next_;
  }

  void take(bool done) {
    const std::size_t start = out_.size();
    out_.resize(start + job_.out_bytes + job_.id_bytes + 1);
    get(top_->m_axis_tdata, &out_[start], job_.out_bytes);
    get_id(*top_, &out_[start + job_.out_bytes], job_.id_bytes, 0);
    out_.back() = top_->m_axis_tlast;
    delivered_.push_back(report_.cycles);
    ++report_.out_beats;
    if (done) ++report_.left_over;
    if (top_->m_axis_tlast) ++sequences_;
  }

  Job job_;
  Random random_;
  VerilatedContext context_;
  std::unique_ptr<Vtop> top_;
#ifdef HWRNN_TRACE
  std::unique_ptr<VerilatedVcdC> trace_;
#endif
  std::vector<std::uint8_t> beats_, out_;
  std::vector<std::uint64_t> offered_, accepted_, delivered_;
  std::size_t in_row_ = 0;
  std::size_t count_ = 0;
  std::size_t next_ = 0;
  std::uint64_t sequences_ = 0;
  std::uint64_t sent_ = 0;  // TLAST that went in
  std::vector<Write> writes_;
  std::size_t written_ = 0;
  std::uint64_t time_ = 0;
  bool offering_ = false;
  Report report_;
};

std::uint64_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

}  // namespace

double sc_time_stamp() { return 0; }

int main(int argc, char** argv) {
  if (argc != 16) {
    std::fprintf(stderr, "harness: 15 arguments, as hwrnn/sim/rtl_run.py gives them\n");
    return 2;
  }
  const Job job{argv[1],
                argv[2],
                static_cast<std::size_t>(number(argv[3])),
                static_cast<std::size_t>(number(argv[4])),
                static_cast<std::size_t>(number(argv[5])),
                number(argv[6]),
                number(argv[7]),
                static_cast<std::uint32_t>(number(argv[8])),
                static_cast<std::uint32_t>(number(argv[9])),
                number(argv[10]),
                {number(argv[11]), number(argv[12])},
                {number(argv[13]), number(argv[14])},
                argv[15]};
  Bench bench(job);
  bench.run();
  bench.write();
  return 0;
}
