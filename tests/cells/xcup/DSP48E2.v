// SPDX-License-Identifier: Apache-2.0
// DSP48E2 as yosys' script for UltraScale+ uses it: P = A * B, signed, 27 x 18 bits, without any
// register and without the adders.  UG579 "UltraScale Architecture DSP Slice": the
// multiplier takes A[26:0] and B[17:0] and gives a product of 45 bits, extended by its sign to 48;
// OPMODE[3:0] = 0101 takes it to both X and Y of the ALU, OPMODE[8:4] = 0 makes
// W and Z zero, ALUMODE 0000 adds all of them, INMODE 00000 takes the multiplier's inputs from the
// ports A and B.
module DSP48E2 #(
  parameter integer ACASCREG = 1,
  parameter integer ADREG = 1,
  parameter integer ALUMODEREG = 1,
  parameter AMULTSEL = "A",
  parameter integer AREG = 1,
  parameter AUTORESET_PATDET = "NO_RESET",
  parameter AUTORESET_PRIORITY = "RESET",
  parameter A_INPUT = "DIRECT",
  parameter integer BCASCREG = 1,
  parameter BMULTSEL = "B",
  parameter integer BREG = 1,
  parameter B_INPUT = "DIRECT",
  parameter integer CARRYINREG = 1,
  parameter integer CARRYINSELREG = 1,
  parameter integer CREG = 1,
  parameter integer DREG = 1,
  parameter integer INMODEREG = 1,
  parameter [3:0] IS_ALUMODE_INVERTED = 4'b0000,
  parameter [0:0] IS_CARRYIN_INVERTED = 1'b0,
  parameter [0:0] IS_CLK_INVERTED = 1'b0,
  parameter [4:0] IS_INMODE_INVERTED = 5'b00000,
  parameter [8:0] IS_OPMODE_INVERTED = 9'b000000000,
  parameter integer MREG = 1,
  parameter integer OPMODEREG = 1,
  parameter PREADDINSEL = "A",
  parameter integer PREG = 1,
  parameter [47:0] RND = 48'h000000000000,
  parameter USE_MULT = "MULTIPLY",
  parameter USE_PATTERN_DETECT = "NO_PATDET",
  parameter USE_SIMD = "ONE48",
  parameter USE_WIDEXOR = "FALSE"
) (
  output [29:0] ACOUT,
  output [17:0] BCOUT,
  output CARRYCASCOUT,
  output [3:0] CARRYOUT,
  output MULTSIGNOUT,
  output OVERFLOW,
  output [47:0] P,
  output PATTERNBDETECT,
  output PATTERNDETECT,
  output [47:0] PCOUT,
  output UNDERFLOW,
  output [7:0] XOROUT,
  input [29:0] A,
  input [29:0] ACIN,
  input [3:0] ALUMODE,
  input [17:0] B,
  input [17:0] BCIN,
  input [47:0] C,
  input CARRYCASCIN,
  input CARRYIN,
  input [2:0] CARRYINSEL,
  input CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
  input CLK,
  input [26:0] D,
  input [4:0] INMODE,
  input MULTSIGNIN,
  input [8:0] OPMODE,
  input [47:0] PCIN,
  input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP
);

  if (AREG != 0 || BREG != 0 || MREG != 0 || PREG != 0)
    $fatal(1, "DSP48E2: AREG, BREG, MREG, PREG are %0d %0d %0d %0d; this model has no registers",
           AREG, BREG, MREG, PREG);
  if (ALUMODEREG != 0 || INMODEREG != 0 || OPMODEREG != 0)
    $fatal(1, "DSP48E2: ALUMODEREG, INMODEREG, OPMODEREG are %0d %0d %0d; %s",
           ALUMODEREG, INMODEREG, OPMODEREG, "this model has no registers");
  if (A_INPUT != "DIRECT" || B_INPUT != "DIRECT")
    $fatal(1, "DSP48E2: A_INPUT, B_INPUT are %s %s; this model has no cascade", A_INPUT, B_INPUT);
  if (AMULTSEL != "A" || BMULTSEL != "B" || PREADDINSEL != "A")
    $fatal(1, "DSP48E2: AMULTSEL, BMULTSEL, PREADDINSEL are %s %s %s; %s",
           AMULTSEL, BMULTSEL, PREADDINSEL, "this model has no pre-adder");
  if (USE_MULT != "MULTIPLY" || USE_SIMD != "ONE48" || USE_WIDEXOR != "FALSE")
    $fatal(1, "DSP48E2: USE_MULT, USE_SIMD, USE_WIDEXOR are %s %s %s; this model only multiplies",
           USE_MULT, USE_SIMD, USE_WIDEXOR);
  if (USE_PATTERN_DETECT != "NO_PATDET")
    $fatal(1, "DSP48E2: USE_PATTERN_DETECT is %s; this model has none", USE_PATTERN_DETECT);
  if (IS_ALUMODE_INVERTED != 0 || IS_CARRYIN_INVERTED != 0 || IS_INMODE_INVERTED != 0
      || IS_OPMODE_INVERTED != 0)
    $fatal(1, "DSP48E2: an input is inverted; this model inverts none");

  // Constants in a netlist; after the first evaluation they are there.
  always @* begin
    if (OPMODE != 9'b000000101 || ALUMODE != 4'b0000 || INMODE != 5'b00000)
      $fatal(1, "DSP48E2: OPMODE, ALUMODE, INMODE are %b %b %b; this model only multiplies",
             OPMODE, ALUMODE, INMODE);
    if (CARRYINSEL != 3'b000 || CARRYIN)
      $fatal(1, "DSP48E2: CARRYINSEL, CARRYIN are %b %b; this model has no carry",
             CARRYINSEL, CARRYIN);
  end

  wire signed [44:0] product = $signed(A[26:0]) * $signed(B);

  assign P = {{3{product[44]}}, product};
  assign {ACOUT, BCOUT, CARRYCASCOUT, CARRYOUT, MULTSIGNOUT, OVERFLOW, PATTERNBDETECT,
          PATTERNDETECT, PCOUT, UNDERFLOW, XOROUT} = 'x;

endmodule
