// SPDX-License-Identifier: Apache-2.0
// A register, or with Register 0 a wire: latency Register, a word a cycle. Free-running, no reset.
`default_nettype none

module hwrnn_register #(
  parameter int unsigned Width = 8,
  parameter bit Register = 1'b1
) (
  input  wire logic             clk_i,
  input  wire logic [Width-1:0] d_i,
  output logic [Width-1:0]      q_o
);

  if (Register) begin : g_register
    logic [Width-1:0] value_q;

    always_ff @(posedge clk_i) begin
      value_q <= d_i;
    end

    assign q_o = value_q;
  end else begin : g_wire
    logic unused;
    assign unused = clk_i;
    assign q_o    = d_i;
  end

endmodule

`default_nettype wire
