// SPDX-License-Identifier: Apache-2.0
// Walks the passes of a step, one for each cycle with next_i: the sources in order (x, then each
// vector), of each its blocks, of each block the groups 0 .. Groups-1. HandAfter has a bit for each
// source: set if the sums are handed over behind its last block. level_o counts the hand-overs of
// the step so far. A step of Blocks * Groups passes follows the other without a gap.
`default_nettype none

module hwrnn_block_counter #(
  parameter int unsigned Groups = 1,
  parameter int unsigned Sources = 1,
  parameter int unsigned XBlocks = 1,
  parameter int unsigned VectorBlocks = 1,
  parameter bit [Sources-1:0] HandAfter = '1,
  localparam int unsigned Hands = $countones(HandAfter),
  localparam int unsigned Blocks = XBlocks + (Sources - 1) * VectorBlocks,
  localparam int unsigned MostBlocks = (XBlocks > VectorBlocks) ? XBlocks : VectorBlocks,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned SourceWidth = (Sources > 1) ? $clog2(Sources) : 1,
  localparam int unsigned IndexWidth = (MostBlocks > 1) ? $clog2(MostBlocks) : 1,
  localparam int unsigned LevelWidth = (Hands > 1) ? $clog2(Hands) : 1,
  localparam int unsigned AddressWidth = (Blocks * Groups > 1) ? $clog2(Blocks * Groups) : 1
) (
  input  wire logic                   clk_i,
  input  wire logic                   rst_i,

  input  wire logic                   next_i,
  output logic [GroupWidth-1:0]       group_o,
  output logic [SourceWidth-1:0]      source_o,
  output logic [IndexWidth-1:0]       index_o,
  output logic [LevelWidth-1:0]       level_o,
  output logic [AddressWidth-1:0]     address_o,
  output logic                        first_group_o,
  output logic                        last_group_o,
  output logic                        hand_over_o,
  output logic                        step_end_o
);

  if (!HandAfter[Sources-1]) begin : g_check_hand
    $error("hwrnn_block_counter: HandAfter is %b, its bit %0d must be set", HandAfter, Sources - 1);
  end

  logic [GroupWidth-1:0] group_q, group_d;
  logic [SourceWidth-1:0] source_q, source_d;
  logic [IndexWidth-1:0] index_q, index_d, last_index;
  logic [LevelWidth-1:0] level_q, level_d;
  logic [AddressWidth-1:0] address_q, address_d;
  logic source_end;

  assign group_o   = group_q;
  assign source_o  = source_q;
  assign index_o   = index_q;
  assign level_o   = level_q;
  assign address_o = address_q;

  assign last_index    = (source_q == '0) ? IndexWidth'(XBlocks - 1)
                                          : IndexWidth'(VectorBlocks - 1);
  assign source_end    = index_q == last_index;
  assign first_group_o = group_q == '0;
  assign last_group_o  = group_q == GroupWidth'(Groups - 1);
  assign hand_over_o   = source_end && HandAfter[source_q];
  assign step_end_o    = last_group_o && source_end && source_q == SourceWidth'(Sources - 1);

  always_comb begin
    group_d   = group_q;
    source_d  = source_q;
    index_d   = index_q;
    level_d   = level_q;
    address_d = address_q;
    if (next_i) begin
      group_d   = last_group_o ? '0 : group_q + GroupWidth'(1);
      address_d = step_end_o ? '0 : address_q + AddressWidth'(1);
      if (last_group_o) index_d = source_end ? '0 : index_q + IndexWidth'(1);
      if (last_group_o && source_end) source_d = step_end_o ? '0 : source_q + SourceWidth'(1);
      if (last_group_o && hand_over_o) level_d = step_end_o ? '0 : level_q + LevelWidth'(1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      group_q   <= '0;
      source_q  <= '0;
      index_q   <= '0;
      level_q   <= '0;
      address_q <= '0;
    end else begin
      group_q   <= group_d;
      source_q  <= source_d;
      index_q   <= index_d;
      level_q   <= level_d;
      address_q <= address_d;
    end
  end

endmodule

`default_nettype wire
