// SPDX-License-Identifier: Apache-2.0
// Joins the serial line of hwrnn_board_core to a pseudo-terminal: what a host writes to the
// terminal goes bit by bit to uart_rx_i, what uart_tx_o says goes back. The clock stands still
// while nothing happens. Ends when its standard input is closed, with a line of counts: cycles,
// bytes to the core, bytes from the core, bytes damaged on the way.
#include "Vtop.h"
#include "verilated.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <unistd.h>

namespace {

constexpr unsigned kBits = 10;        // start, eight of data, stop
constexpr unsigned kLookEvery = 256;  // cycles between looks at the terminal

struct Job {
  int terminal;
  unsigned divisor;      // cycles a bit
  std::uint32_t damage;  // chance, of 2^32, that a byte is damaged
  std::uint64_t seed;
  std::uint64_t limit;  // cycles, then it gives up
};

struct Random {
  std::uint64_t state;

  std::uint32_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<std::uint32_t>(state >> 32);
  }
};

// A line that damages some bytes: most are changed, some vanish, some come twice.
class Noise {
 public:
  Noise(std::uint32_t chance, std::uint64_t seed)
      : chance_(chance), random_{seed * 2 + 0x9e3779b97f4a7c15} {}

  template <class Sink>
  void pass(std::uint8_t byte, Sink sink) {
    if (random_.next() >= chance_) return sink(byte);
    ++damaged_;
    const std::uint32_t how = random_.next() % 8;
    if (how == 0) return;
    if (how == 1) sink(byte);
    if (how > 1) byte ^= static_cast<std::uint8_t>(1 + random_.next() % 255);
    sink(byte);
  }

  std::uint64_t damaged() const { return damaged_; }

 private:
  std::uint32_t chance_;
  Random random_;
  std::uint64_t damaged_ = 0;
};

// Bytes to a line, a bit each `divisor` cycles.
class Sender {
 public:
  explicit Sender(unsigned divisor) : divisor_(divisor) {}

  void put(std::uint8_t byte) { waiting_.push_back(byte); }
  bool idle() const { return left_ == 0 && waiting_.empty(); }
  bool starved() const { return waiting_.empty(); }

  bool cycle() {
    if (count_ > 0) {
      --count_;
    } else if (left_ > 1) {
      shift_ >>= 1;
      --left_;
      count_ = divisor_ - 1;
    } else if (!waiting_.empty()) {
      shift_ = 0x200u | static_cast<unsigned>(waiting_.front()) << 1;
      waiting_.pop_front();
      left_ = kBits;
      count_ = divisor_ - 1;
    } else {
      left_ = 0;
    }
    return left_ == 0 || (shift_ & 1u);
  }

 private:
  unsigned divisor_;
  std::deque<std::uint8_t> waiting_;
  unsigned shift_ = 1;
  unsigned left_ = 0;
  unsigned count_ = 0;
};

// Bytes from a line, each bit looked at in its middle.
class Receiver {
 public:
  explicit Receiver(unsigned divisor) : divisor_(divisor) {}

  bool idle() const { return left_ == 0; }

  template <class Sink>
  void cycle(bool line, Sink sink) {
    if (left_ == 0) {
      if (line) return;
      left_ = kBits;
      count_ = divisor_ / 2;
    }
    if (count_-- > 0) return;
    count_ = divisor_ - 1;
    shift_ = shift_ >> 1 | static_cast<unsigned>(line) << (kBits - 1);
    if (--left_ > 0) return;
    if (!line) {
      std::fprintf(stderr, "uart: a byte without a stop bit\n");
      std::exit(2);
    }
    sink(static_cast<std::uint8_t>(shift_ >> 1));
  }

 private:
  unsigned divisor_;
  unsigned shift_ = 0;
  unsigned left_ = 0;
  unsigned count_ = 0;
};

// False when standard input is closed; waits up to `milliseconds` for the terminal or for that.
bool wanted(int terminal, int milliseconds) {
  pollfd files[2] = {{STDIN_FILENO, POLLIN, 0}, {terminal, POLLIN, 0}};
  if (poll(files, 2, milliseconds) <= 0 || files[0].revents == 0) return true;
  char ignored;
  return read(STDIN_FILENO, &ignored, 1) > 0;
}

int run(const Job& job, Vtop& top) {
  Sender sender(job.divisor);
  Receiver receiver(job.divisor);
  Noise to_core(job.damage, job.seed), from_core(job.damage, job.seed + 1);
  std::uint64_t cycles = 0, in_count = 0, out_count = 0, quiet = 0;
  bool go_on = true;

  const auto clock = [&](bool line, bool reset = false) {
    top.rst_i = reset;
    top.uart_rx_i = line;
    top.clk_i = 0;
    top.eval();
    top.clk_i = 1;
    top.eval();
    ++cycles;
  };
  const auto to_terminal = [&](std::uint8_t byte) {
    ++out_count;  // a full terminal loses bytes, as a serial line does
    if (write(job.terminal, &byte, 1) != 1) return;
  };

  for (int k = 0; k < 4; ++k) clock(true, true);
  while (go_on) {
    if (cycles >= job.limit) {
      std::fprintf(stderr, "uart: still busy after %llu cycles\n",
                   static_cast<unsigned long long>(cycles));
      return 3;
    }
    quiet = sender.idle() && receiver.idle() && !top.busy_o ? quiet + 1 : 0;
    const bool asleep = quiet > 16 * job.divisor;
    if (asleep || cycles % kLookEvery == 0) go_on = wanted(job.terminal, asleep ? 200 : 0);
    if (sender.starved() && (asleep || cycles % kLookEvery == 0)) {
      std::uint8_t bytes[64];
      const ssize_t count = read(job.terminal, bytes, sizeof bytes);
      for (ssize_t k = 0; k < count; ++k) {
        ++in_count;
        to_core.pass(bytes[k], [&](std::uint8_t byte) { sender.put(byte); });
      }
      if (asleep && sender.starved()) continue;
    }
    clock(sender.cycle());
    receiver.cycle(top.uart_tx_o,
                   [&](std::uint8_t byte) { from_core.pass(byte, to_terminal); });
  }
  std::printf("%llu %llu %llu %llu\n", static_cast<unsigned long long>(cycles),
              static_cast<unsigned long long>(in_count),
              static_cast<unsigned long long>(out_count),
              static_cast<unsigned long long>(to_core.damaged() + from_core.damaged()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s TERMINAL DIVISOR DAMAGE SEED LIMIT\n", argv[0]);
    return 2;
  }
  Job job{};
  job.terminal = std::atoi(argv[1]);
  job.divisor = static_cast<unsigned>(std::atoi(argv[2]));
  job.damage = static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10));
  job.seed = std::strtoull(argv[4], nullptr, 10);
  job.limit = std::strtoull(argv[5], nullptr, 10);
  fcntl(job.terminal, F_SETFL, fcntl(job.terminal, F_GETFL) | O_NONBLOCK);
  VerilatedContext context;
#ifdef HWRNN_RANDOM_START
  context.randReset(2);
  context.randSeed(static_cast<int>(job.seed % 0x7fffffffu) + 1);
#endif
  auto top = std::make_unique<Vtop>(&context);
  const int code = run(job, *top);
  top->final();
  return code;
}
