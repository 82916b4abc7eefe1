// SPDX-License-Identifier: Apache-2.0
// MULT18X18 without registers: DOUT = A * B, 18 x 18 bits to 36.
// Gowin UG287 "Gowin DSP User Guide": ASIGN and BSIGN say of each operand whether
// its highest bit is a sign; ASEL and BSEL at 0 take the operands from the ports, not from the shift chain.
module MULT18X18 #(
  parameter [0:0] AREG = 1'b0, parameter [0:0] BREG = 1'b0, parameter [0:0] OUT_REG = 1'b0,
  parameter [0:0] PIPE_REG = 1'b0, parameter [0:0] ASIGN_REG = 1'b0,
  parameter [0:0] BSIGN_REG = 1'b0, parameter [0:0] SOA_REG = 1'b0,
  parameter MULT_RESET_MODE = "SYNC"
) (
  input wire [17:0] A, B,
  input wire [17:0] SIA, SIB,
  input wire ASEL, BSEL,
  output wire [17:0] SOA, SOB,
  input wire ASIGN, BSIGN, CE, CLK, RESET,
  output wire [35:0] DOUT
);

  if (AREG || BREG || OUT_REG || PIPE_REG || ASIGN_REG || BSIGN_REG || SOA_REG)
    $fatal(1, "MULT18X18: AREG, BREG, OUT_REG, PIPE_REG, ASIGN_REG, BSIGN_REG, SOA_REG are %b %b %b %b %b %b %b; this model has no registers",
           AREG, BREG, OUT_REG, PIPE_REG, ASIGN_REG, BSIGN_REG, SOA_REG);

  always @* begin
    if (ASEL || BSEL)
      $fatal(1, "MULT18X18: ASEL, BSEL are %b %b; this model has no shift chain", ASEL, BSEL);
  end

  assign SOA = A;
  assign SOB = B;

  wire signed [18:0] wide_a = {ASIGN && A[17], A};
  wire signed [18:0] wide_b = {BSIGN && B[17], B};
  wire signed [37:0] product = wide_a * wide_b;

  assign DOUT = product[35:0];

endmodule
