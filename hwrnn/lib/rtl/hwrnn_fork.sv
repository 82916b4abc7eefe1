// SPDX-License-Identifier: Apache-2.0
// The same beat to every output, in the cycle in which all of them have room. Combinational; the
// outputs must be FIFOs, whose ready does not fall before they are written.
`default_nettype none

module hwrnn_fork #(
  parameter int unsigned Outputs = 2
) (
  input  wire logic               in_valid_i,
  output logic                    in_ready_o,
  output logic [Outputs-1:0]      out_valid_o,
  input  wire logic [Outputs-1:0] out_ready_i
);

  assign in_ready_o  = &out_ready_i;
  assign out_valid_o = {Outputs{in_valid_i && in_ready_o}};

endmodule

`default_nettype wire
