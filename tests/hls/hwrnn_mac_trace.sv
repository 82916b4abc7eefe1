// SPDX-License-Identifier: Apache-2.0
// Prints what a MAC array accumulates, attached with bind: a line for each group of each block with
// its sums, gate after gate, the last one first. Simulation only; no latency.
`default_nettype none

module hwrnn_mac_trace #(
  parameter int unsigned Width = 8,
  parameter int unsigned GroupWidth = 1,
  parameter int unsigned Latency = 1
) (
  input  wire logic                  clk_i,
  input  wire logic                  rst_i,
  input  wire logic                  valid_i,
  input  wire logic                  first_block_i,
  input  wire logic [GroupWidth-1:0] group_i,
  input  wire logic [Width-1:0]      acc_i
);

  logic [Latency:0] valid, first_block;
  logic [Latency:0][GroupWidth-1:0] group;

  assign valid[0] = valid_i;
  assign first_block[0] = first_block_i;
  assign group[0] = group_i;

  for (genvar k = 0; k < Latency; k++) begin : g_stage
    always_ff @(posedge clk_i) begin
      valid[k+1]       <= valid[k] && !rst_i;
      first_block[k+1] <= first_block[k];
      group[k+1]       <= group[k];
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid[Latency] && !rst_i) begin
      $display("SUMS %m %0d %0d %h", first_block[Latency], group[Latency], acc_i);
    end
  end

endmodule

bind hwrnn_mac_array hwrnn_mac_trace #(
  .Width     (Sums * AccWidth),
  .GroupWidth(GroupWidth),
  .Latency   (TreeDelay + ((Blocks > 1) ? 1 : 0))
) u_trace (
  .clk_i        (clk_i),
  .rst_i        (rst_i),
  .valid_i      (valid_i),
  .first_block_i(first_block_i),
  .group_i      (group_i),
  .acc_i        (acc_o)
);

`default_nettype wire
