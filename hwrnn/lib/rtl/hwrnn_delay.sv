// SPDX-License-Identifier: Apache-2.0
// Shift register: q_o is d_i of Depth cycles ago. HasReset clears it, for valid bits. Free-running.
`default_nettype none

module hwrnn_delay #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 1,
  parameter bit HasReset = 1'b0
) (
  input  wire logic             clk_i,
  input  wire logic             rst_i,
  input  wire logic [Width-1:0] d_i,
  output logic [Width-1:0]      q_o
);

  if (Depth < 1) begin : g_check_depth
    $error("hwrnn_delay: Depth is %0d, it must be at least 1", Depth);
  end

  logic [Width-1:0] line_q [Depth];

  assign q_o = line_q[Depth-1];

  always_ff @(posedge clk_i) begin
    for (int unsigned k = 0; k < Depth; k++) begin
      if (HasReset && rst_i) line_q[k] <= '0;
      else if (k == 0) line_q[k] <= d_i;
      else line_q[k] <= line_q[k-1];
    end
  end

endmodule

`default_nettype wire
