// SPDX-License-Identifier: Apache-2.0
// PLL of an ECP5: what we use of the vendor's primitive, for readers that do not know it.
`default_nettype none

(* blackbox *)
module EHXPLLL #(
  parameter int unsigned CLKI_DIV = 1,
  parameter int unsigned CLKFB_DIV = 1,
  parameter string CLKOP_ENABLE = "ENABLED",
  parameter int unsigned CLKOP_DIV = 8,
  parameter int unsigned CLKOP_CPHASE = 0,
  parameter string CLKOS_ENABLE = "DISABLED",
  parameter int unsigned CLKOS_DIV = 8,
  parameter int unsigned CLKOS_CPHASE = 0,
  parameter string FEEDBK_PATH = "CLKOP"
) (
  input  wire logic CLKI,
  input  wire logic CLKFB,
  input  wire logic PHASESEL1,
  input  wire logic PHASESEL0,
  input  wire logic PHASEDIR,
  input  wire logic PHASESTEP,
  input  wire logic PHASELOADREG,
  input  wire logic STDBY,
  input  wire logic PLLWAKESYNC,
  input  wire logic RST,
  input  wire logic ENCLKOP,
  input  wire logic ENCLKOS,
  input  wire logic ENCLKOS2,
  input  wire logic ENCLKOS3,
  output logic      CLKOP,
  output logic      CLKOS,
  output logic      LOCK
);

endmodule

`default_nettype wire
