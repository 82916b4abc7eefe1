// SPDX-License-Identifier: Apache-2.0
// PLL of a Gowin: what we use of the vendor's primitive, for readers that do not know it.
`default_nettype none

(* blackbox *)
module rPLL #(
  parameter string FCLKIN = "100.0",
  parameter string DEVICE = "GW2A-18",
  parameter string DYN_IDIV_SEL = "false",
  parameter int unsigned IDIV_SEL = 0,
  parameter string DYN_FBDIV_SEL = "false",
  parameter int unsigned FBDIV_SEL = 0,
  parameter string DYN_ODIV_SEL = "false",
  parameter int unsigned ODIV_SEL = 8,
  parameter string PSDA_SEL = "0000",
  parameter string DYN_DA_EN = "false",
  parameter string DUTYDA_SEL = "1000",
  parameter bit CLKOUT_FT_DIR = 1'b1,
  parameter bit CLKOUTP_FT_DIR = 1'b1,
  parameter int unsigned CLKOUT_DLY_STEP = 0,
  parameter int unsigned CLKOUTP_DLY_STEP = 0,
  parameter string CLKFB_SEL = "internal",
  parameter string CLKOUT_BYPASS = "false",
  parameter string CLKOUTP_BYPASS = "false",
  parameter string CLKOUTD_BYPASS = "false",
  parameter int unsigned DYN_SDIV_SEL = 2,
  parameter string CLKOUTD_SRC = "CLKOUT",
  parameter string CLKOUTD3_SRC = "CLKOUT"
) (
  input  wire logic CLKIN,
  input  wire logic CLKFB,
  input  wire logic RESET,
  input  wire logic RESET_P,
  input  wire logic [5:0] FBDSEL,
  input  wire logic [5:0] IDSEL,
  input  wire logic [5:0] ODSEL,
  input  wire logic [3:0] PSDA,
  input  wire logic [3:0] FDLY,
  input  wire logic [3:0] DUTYDA,
  output logic      CLKOUT,
  output logic      LOCK
);

endmodule

`default_nettype wire
