// SPDX-License-Identifier: Apache-2.0
// The element-wise state, a word of Width bits for each group: asked for at cycle t, in the output
// register at t + 1; a write at t is seen by a read at t + 1. In a first step it reads Initial.
`default_nettype none

module hwrnn_state_mem #(
  parameter int unsigned Width = 8,
  parameter int unsigned Groups = 1,
  parameter logic [Groups*Width-1:0] Initial = '0,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1
) (
  input  wire logic                  clk_i,

  input  wire logic                  write_i,
  input  wire logic [GroupWidth-1:0] write_group_i,
  input  wire logic [Width-1:0]      data_i,

  input  wire logic                  first_step_i,
  input  wire logic [GroupWidth-1:0] read_group_i,
  output logic [Width-1:0]           data_o
);

  logic [Width-1:0] memory_q [Groups];
  logic [Width-1:0] initial_words [Groups];
  logic [Width-1:0] data_q;

  for (genvar g = 0; g < Groups; g++) begin : g_initial
    assign initial_words[g] = Initial[g*Width+:Width];
  end

  assign data_o = data_q;

  always_ff @(posedge clk_i) begin
    if (write_i) memory_q[write_group_i] <= data_i;
    data_q <= first_step_i ? initial_words[read_group_i] : memory_q[read_group_i];
  end

endmodule

`default_nettype wire
