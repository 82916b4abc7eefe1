// SPDX-License-Identifier: Apache-2.0
// The columns that are multiplied: those of one of the sources. Latency 1: what is chosen in a
// cycle with load_i is there from the next one, and stays.
`default_nettype none

module hwrnn_operand #(
  parameter int unsigned Sources = 1,
  parameter int unsigned Width = 8,
  localparam int unsigned SourceWidth = (Sources > 1) ? $clog2(Sources) : 1
) (
  input  wire logic                     clk_i,

  input  wire logic                     load_i,
  input  wire logic [SourceWidth-1:0]   source_i,
  input  wire logic [Sources*Width-1:0] data_i,
  output logic [Width-1:0]              operand_o
);

  logic [Width-1:0] columns [Sources], operand_q;

  for (genvar s = 0; s < Sources; s++) begin : g_source
    assign columns[s] = data_i[s*Width+:Width];
  end

  always_ff @(posedge clk_i) begin
    if (load_i) operand_q <= columns[source_i];
  end

  assign operand_o = operand_q;

endmodule

`default_nettype wire
