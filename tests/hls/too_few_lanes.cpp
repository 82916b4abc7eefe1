// SPDX-License-Identifier: Apache-2.0
// Does not compile, and says why.
#include "hwrnn/types.hpp"

hwrnn::Beat<ap_int<8>, 0> beat;

int main() { return beat.last; }
