// SPDX-License-Identifier: Apache-2.0
// PLL of an iCE40, fed by a pin: what we use of the vendor's primitive, for readers that do not know it.
`default_nettype none

(* blackbox *)
module SB_PLL40_PAD #(
  parameter string FEEDBACK_PATH = "SIMPLE",
  parameter string PLLOUT_SELECT = "GENCLK",
  parameter bit [3:0] DIVR = 4'd0,
  parameter bit [6:0] DIVF = 7'd0,
  parameter bit [2:0] DIVQ = 3'd0,
  parameter bit [2:0] FILTER_RANGE = 3'd0
) (
  input  wire logic PACKAGEPIN,
  input  wire logic EXTFEEDBACK,
  input  wire logic [7:0] DYNAMICDELAY,
  input  wire logic BYPASS,
  input  wire logic RESETB,
  input  wire logic LATCHINPUTVALUE,
  input  wire logic SDI,
  input  wire logic SCLK,
  output logic      PLLOUTGLOBAL,
  output logic      LOCK
);

endmodule

`default_nettype wire
