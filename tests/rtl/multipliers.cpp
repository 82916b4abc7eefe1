// SPDX-License-Identifier: Apache-2.0
// All counts through the multipliers (the first Wide: 24 bits, the others: 20), then random cycles through the arrays. Prints, for each
// multiplier, its legal and its wrong cases, and for each array its checks and 1 if one failed.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "Vtop.h"

int main() {
  Vtop top;
  std::vector<uint64_t> legal(Multipliers), wrong(Multipliers);
  const auto look = [&](int from, int to) {
    top.eval();
    for (int k = from; k < to; k++) {
      legal[k] += (top.legal_o >> k) & 1;
      wrong[k] += (top.wrong_o >> k) & 1;
    }
  };
  for (uint32_t count = 0; count < (1u << 24); count++) {
    top.wide_i = count;
    look(0, Wide);
  }
  for (uint32_t count = 0; count < (1u << 20); count++) {
    top.count_i = count;
    look(Wide, Multipliers);
  }
  for (int k = 0; k < Multipliers; k++) std::printf("%llu %llu\n", (unsigned long long)legal[k], (unsigned long long)wrong[k]);
  for (int cycle = 0; cycle < 4000; cycle++) {
    top.rst_i = cycle < 10;
    top.clk_i = 1;
    top.eval();
    top.clk_i = 0;
    top.eval();
  }
  for (int k = 0; k < Arrays; k++) std::printf("%u %u\n", top.checked_o[k], (unsigned)((top.failed_o >> k) & 1));
}
