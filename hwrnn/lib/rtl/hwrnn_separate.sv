// SPDX-License-Identifier: Apache-2.0
// The beats of stream k to output k. Combinational; the payload goes to all outputs.
`default_nettype none

module hwrnn_separate #(
  parameter int unsigned Outputs = 2,
  localparam int unsigned IdWidth = $clog2(Outputs)
) (
  input  wire logic [IdWidth-1:0] in_id_i,
  input  wire logic               in_valid_i,
  output logic                    in_ready_o,
  output logic [Outputs-1:0]      out_valid_o,
  input  wire logic [Outputs-1:0] out_ready_i
);

  if (Outputs < 2) begin : g_check_outputs
    $error("hwrnn_separate: Outputs is %0d, it must be at least 2", Outputs);
  end

  logic [Outputs-1:0] chosen;

  always_comb begin
    for (int unsigned k = 0; k < Outputs; k++) chosen[k] = in_id_i == IdWidth'(k);
  end

  assign in_ready_o  = |(chosen & out_ready_i);
  assign out_valid_o = chosen & {Outputs{in_valid_i}};

endmodule

`default_nettype wire
