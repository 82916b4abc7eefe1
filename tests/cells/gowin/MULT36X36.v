// SPDX-License-Identifier: Apache-2.0
// MULT36X36 without registers: DOUT = A * B, 36 x 36 bits to 72.
// Gowin UG287 "Gowin DSP User Guide": ASIGN and BSIGN say of each operand whether
// its highest bit is a sign.
module MULT36X36 #(
  parameter [0:0] AREG = 1'b0, parameter [0:0] BREG = 1'b0, parameter [0:0] OUT0_REG = 1'b0,
  parameter [0:0] OUT1_REG = 1'b0, parameter [0:0] PIPE_REG = 1'b0,
  parameter [0:0] ASIGN_REG = 1'b0, parameter [0:0] BSIGN_REG = 1'b0,
  parameter MULT_RESET_MODE = "SYNC"
) (
  input wire [35:0] A, B,
  input wire ASIGN, BSIGN, CE, CLK, RESET,
  output wire [71:0] DOUT
);

  if (AREG || BREG || OUT0_REG || OUT1_REG || PIPE_REG || ASIGN_REG || BSIGN_REG)
    $fatal(1, "MULT36X36: AREG, BREG, OUT0_REG, OUT1_REG, PIPE_REG, ASIGN_REG, BSIGN_REG are %b %b %b %b %b %b %b; this model has no registers",
           AREG, BREG, OUT0_REG, OUT1_REG, PIPE_REG, ASIGN_REG, BSIGN_REG);

  wire signed [36:0] wide_a = {ASIGN && A[35], A};
  wire signed [36:0] wide_b = {BSIGN && B[35], B};
  wire signed [73:0] product = wide_a * wide_b;

  assign DOUT = product[71:0];

endmodule
