// SPDX-License-Identifier: Apache-2.0
// MULT18X18D without registers: P = A * B, 18 x 18 bits to 36.
// Lattice FPGA-TN-02205 "ECP5 and ECP5-5G sysDSP Usage Guide": SIGNEDA and SIGNEDB
// say of each operand whether its bit 17 is a sign; SOURCEA and SOURCEB at 0 take the operands from
// the ports, not from the neighbouring block's shift chain.
module MULT18X18D #(
  parameter REG_INPUTA_CLK = "NONE", parameter REG_INPUTB_CLK = "NONE",
  parameter REG_INPUTC_CLK = "NONE", parameter REG_PIPELINE_CLK = "NONE",
  parameter REG_OUTPUT_CLK = "NONE", parameter REG_INPUTA_CE = "CE0",
  parameter REG_INPUTA_RST = "RST0", parameter REG_INPUTB_CE = "CE0",
  parameter REG_INPUTB_RST = "RST0", parameter REG_INPUTC_CE = "CE0",
  parameter REG_INPUTC_RST = "RST0", parameter REG_PIPELINE_CE = "CE0",
  parameter REG_PIPELINE_RST = "RST0", parameter REG_OUTPUT_CE = "CE0",
  parameter REG_OUTPUT_RST = "RST0", parameter SOURCEB_MODE = "B_SHIFT",
  parameter MULT_BYPASS = "DISABLED", parameter CAS_MATCH_REG = "FALSE",
  parameter HIGHSPEED_CLK = "NONE", parameter GSR = "ENABLED", parameter RESETMODE = "SYNC",
  parameter CLK0_DIV = "ENABLED", parameter CLK1_DIV = "ENABLED", parameter CLK2_DIV = "ENABLED",
  parameter CLK3_DIV = "ENABLED"
) (
  input wire A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input wire B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input wire C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input wire SRIA17, SRIA16, SRIA15, SRIA14, SRIA13, SRIA12, SRIA11, SRIA10, SRIA9, SRIA8, SRIA7,
             SRIA6, SRIA5, SRIA4, SRIA3, SRIA2, SRIA1, SRIA0,
  input wire SRIB17, SRIB16, SRIB15, SRIB14, SRIB13, SRIB12, SRIB11, SRIB10, SRIB9, SRIB8, SRIB7,
             SRIB6, SRIB5, SRIB4, SRIB3, SRIB2, SRIB1, SRIB0,
  input wire SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  input wire CLK0, CLK1, CLK2, CLK3, CE0, CE1, CE2, CE3, RST0, RST1, RST2, RST3,
  output wire P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
              P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0,
  output wire SIGNEDP
);

  if (REG_INPUTA_CLK != "NONE" || REG_INPUTB_CLK != "NONE" || REG_PIPELINE_CLK != "NONE"
      || REG_OUTPUT_CLK != "NONE")
    $fatal(1, "MULT18X18D: REG_INPUTA_CLK, REG_INPUTB_CLK, REG_PIPELINE_CLK, REG_OUTPUT_CLK are %s %s %s %s; this model has no registers",
           REG_INPUTA_CLK, REG_INPUTB_CLK, REG_PIPELINE_CLK, REG_OUTPUT_CLK);
  if (MULT_BYPASS != "DISABLED")
    $fatal(1, "MULT18X18D: MULT_BYPASS is %s; this model multiplies", MULT_BYPASS);

  always @* begin
    if (SOURCEA || SOURCEB)
      $fatal(1, "MULT18X18D: SOURCEA, SOURCEB are %b %b; this model has no shift chain",
             SOURCEA, SOURCEB);
  end

  wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  wire signed [18:0] wide_a = {SIGNEDA && a[17], a};
  wire signed [18:0] wide_b = {SIGNEDB && b[17], b};
  wire signed [37:0] product = wide_a * wide_b;

  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17,
      P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = product[35:0];
  assign SIGNEDP = SIGNEDA || SIGNEDB;

endmodule
