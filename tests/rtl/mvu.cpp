// SPDX-License-Identifier: Apache-2.0
// Clocks the matrix-vector units and prints, for each: sums checked, beats of weights taken without
// stalls in 1000 cycles, whether anything was wrong.
#include <cstdio>
#include "Vtop.h"

int main() {
  Vtop top;
  auto clocks = [&](int n) {
    for (int k = 0; k < n; k++) {
      top.clk_i = 0;
      top.eval();
      top.clk_i = 1;
      top.eval();
    }
  };
  top.stall_i = 1;
  top.rst_i = 1;
  clocks(3);
  top.rst_i = 0;
  clocks(6000);
  uint32_t before[Units];
  top.stall_i = 0;
  clocks(500);
  for (int k = 0; k < Units; k++) before[k] = top.weights_o[k];
  clocks(1000);
  for (int k = 0; k < Units; k++) {
    std::printf("%u %u %u\n", top.checked_o[k], top.weights_o[k] - before[k],
                unsigned(top.wrong_o[k]));
  }
}
