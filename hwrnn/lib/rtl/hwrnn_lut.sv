// SPDX-License-Identifier: Apache-2.0
// Table read, lane by lane: the entry at the bit pattern of x. The table is a $readmemh file of
// 2**XWidth entries. Latency 1, a vector a cycle.
`default_nettype none

module hwrnn_lut #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned XWidth = 8,
  parameter int unsigned YWidth = 8,
  parameter string File = ""
) (
  input  wire logic                    clk_i,
  input  wire logic [Lanes*XWidth-1:0] x_i,
  output logic [Lanes*YWidth-1:0]      y_o
);

  logic [YWidth-1:0] entries [2**XWidth];
  logic [Lanes*YWidth-1:0] y_q;

  initial $readmemh(File, entries);

  assign y_o = y_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      y_q[k*YWidth+:YWidth] <= entries[x_i[k*XWidth+:XWidth]];
    end
  end

endmodule

`default_nettype wire
