// SPDX-License-Identifier: Apache-2.0
// Handshake of two streams that move together: a beat of each when both are there and there is
// room. Combinational.
`default_nettype none

module hwrnn_zip (
  input  wire logic [1:0] in_last_i,
  input  wire logic [1:0] in_valid_i,
  output logic [1:0]      in_ready_o,

  output logic            out_last_o,
  output logic            out_valid_o,
  input  wire logic       out_ready_i
);

  assign out_valid_o = &in_valid_i;
  assign in_ready_o  = {2{out_valid_o && out_ready_i}};
  assign out_last_o  = |in_last_i;

endmodule

`default_nettype wire
