// SPDX-License-Identifier: Apache-2.0
// MULT9X9 without registers: DOUT = A * B, 9 x 9 bits to 18.
// Gowin UG287 "Gowin DSP User Guide": ASIGN and BSIGN say of each operand whether
// its highest bit is a sign; ASEL and BSEL at 0 take the operands from the ports, not from the shift chain.
module MULT9X9 #(
  parameter [0:0] AREG = 1'b0, parameter [0:0] BREG = 1'b0, parameter [0:0] OUT_REG = 1'b0,
  parameter [0:0] PIPE_REG = 1'b0, parameter [0:0] ASIGN_REG = 1'b0,
  parameter [0:0] BSIGN_REG = 1'b0, parameter [0:0] SOA_REG = 1'b0,
  parameter MULT_RESET_MODE = "SYNC"
) (
  input wire [8:0] A, B,
  input wire [8:0] SIA, SIB,
  input wire ASEL, BSEL,
  output wire [8:0] SOA, SOB,
  input wire ASIGN, BSIGN, CE, CLK, RESET,
  output wire [17:0] DOUT
);

  if (AREG || BREG || OUT_REG || PIPE_REG || ASIGN_REG || BSIGN_REG || SOA_REG)
    $fatal(1, "MULT9X9: AREG, BREG, OUT_REG, PIPE_REG, ASIGN_REG, BSIGN_REG, SOA_REG are %b %b %b %b %b %b %b; this model has no registers",
           AREG, BREG, OUT_REG, PIPE_REG, ASIGN_REG, BSIGN_REG, SOA_REG);

  always @* begin
    if (ASEL || BSEL)
      $fatal(1, "MULT9X9: ASEL, BSEL are %b %b; this model has no shift chain", ASEL, BSEL);
  end

  assign SOA = A;
  assign SOB = B;

  wire signed [9:0] wide_a = {ASIGN && A[8], A};
  wire signed [9:0] wide_b = {BSIGN && B[8], B};
  wire signed [19:0] product = wide_a * wide_b;

  assign DOUT = product[17:0];

endmodule
