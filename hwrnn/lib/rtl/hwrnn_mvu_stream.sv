// SPDX-License-Identifier: Apache-2.0
// Matrix times vector with weights that stream in: for each vector x of Blocks beats, Groups beats
// of Pe sums, each of Blocks * Simd products. Weights come in the order in which they are needed:
// for each group of Pe rows its blocks of Simd columns, a beat of Pe * Simd weights (row by row)
// each. A vector is kept for all groups; the next one may enter as the last group goes through.
// The parameters of the multipliers: see hwrnn_mac_array. AccWidth holds the sums.
// A beat of weights a cycle. A sum leaves Latency + 1 cycles behind its last beat of weights.
`default_nettype none

module hwrnn_mvu_stream #(
  parameter int unsigned Groups = 1,
  parameter int unsigned Blocks = 1,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter bit Lut = 1'b0,
  parameter bit Counted = 1'b0,
  parameter bit Masked = 1'b1,
  parameter int unsigned Lanes = 1,
  parameter int unsigned Spacing = 16,
  parameter bit Overlap = 1'b0,
  parameter int unsigned OperandWidth = 8,
  parameter bit OperandSigned = 1'b1,
  parameter int unsigned WeightWidth = 8,
  parameter bit WeightSigned = 1'b1,
  parameter int unsigned PackedWidth = WeightSigned ? WeightWidth : WeightWidth + 1,
  parameter int unsigned ProductWidth = 16,
  parameter int unsigned AccWidth = 16
) (
  input  wire logic                           clk_i,
  input  wire logic                           rst_i,

  input  wire logic [Simd*OperandWidth-1:0]   x_data_i,
  input  wire logic                           x_valid_i,
  output logic                                x_ready_o,

  input  wire logic [Pe*Simd*WeightWidth-1:0] w_data_i,
  input  wire logic                           w_valid_i,
  output logic                                w_ready_o,

  output logic [Pe*AccWidth-1:0]              y_data_o,
  output logic                                y_valid_o,
  input  wire logic                           y_ready_i
);

  // The operands' register, the multipliers', those of the tree, the accumulators'.
  localparam int unsigned TreeStages = ($clog2(Simd) + 1) / 2;
  localparam int unsigned Latency = 2 + TreeStages + ((Blocks > 1) ? 1 : 0);
  localparam int unsigned OutDepth = (Latency + 2 + Blocks - 1) / Blocks;  // of sums under way
  localparam int unsigned BlockWidth = (Blocks > 1) ? $clog2(Blocks) : 1;
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1;
  localparam int unsigned HeldWidth = $clog2(Blocks + 1);

  logic [Simd*OperandWidth-1:0] vector_q [Blocks], operand_q;
  logic [Pe*Simd*WeightWidth-1:0] weights_q;
  logic [BlockWidth-1:0] block_q, block_d, enter_q, enter_d;
  logic [GroupWidth-1:0] group_q, group_d;
  logic [HeldWidth-1:0] held_q, held_d;
  logic enter, issue, ready, there, credit, last_block, last_group, release_block;
  logic issue_q, first_q, sums_valid;
  logic [Pe*AccWidth-1:0] sums;

  // -- control --------------------------------------------------------------------------------

  assign last_block = block_q == BlockWidth'(Blocks - 1);
  assign last_group = group_q == GroupWidth'(Groups - 1);

  // Blocks of the first group may not have come yet; behind the last group they are given up.
  if (Groups > 1) begin : g_kept
    assign there = group_q != '0 || HeldWidth'(block_q) < held_q;
  end else begin : g_passing
    assign there = held_q != '0;
  end

  assign ready         = there && (credit || !last_block);
  assign issue         = ready && w_valid_i;
  assign release_block = issue && last_group;
  assign enter         = x_valid_i && x_ready_o;
  assign x_ready_o     = held_q != HeldWidth'(Blocks);
  assign w_ready_o     = ready;

  always_comb begin
    block_d = block_q;
    group_d = group_q;
    enter_d = enter_q;
    held_d  = held_q + HeldWidth'(enter) - HeldWidth'(release_block);
    if (issue) block_d = last_block ? '0 : block_q + BlockWidth'(1);
    if (issue && last_block) group_d = last_group ? '0 : group_q + GroupWidth'(1);
    if (enter) enter_d = (enter_q == BlockWidth'(Blocks - 1)) ? '0 : enter_q + BlockWidth'(1);
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      block_q <= '0;
      group_q <= '0;
      enter_q <= '0;
      held_q  <= '0;
    end else begin
      block_q <= block_d;
      group_q <= group_d;
      enter_q <= enter_d;
      held_q  <= held_d;
    end
  end

  hwrnn_credit #(
    .Depth(OutDepth)
  ) u_credit (
    .clk_i,
    .rst_i,
    .take_i(issue && last_block),
    .give_i(y_valid_o && y_ready_i),
    .ok_o  (credit)
  );

  // -- products -------------------------------------------------------------------------------

  always_ff @(posedge clk_i) begin
    if (enter) vector_q[enter_q] <= x_data_i;
    operand_q <= vector_q[block_q];
    weights_q <= w_data_i;
    first_q   <= block_q == '0;
  end

  hwrnn_delay #(
    .Width   (1),
    .HasReset(1'b1)
  ) u_issue (
    .clk_i,
    .rst_i,
    .d_i(issue),
    .q_o(issue_q)
  );

  hwrnn_delay #(
    .Width   (1),
    .Depth   (Latency),
    .HasReset(1'b1)
  ) u_valid (
    .clk_i,
    .rst_i,
    .d_i(issue && last_block),
    .q_o(sums_valid)
  );

  hwrnn_mac_array #(
    .Pe           (Pe),
    .Simd         (Simd),
    .Blocks       (Blocks),
    .Lut          (Lut),
    .Counted      (Counted),
    .Masked       (Masked),
    .Lanes        (Lanes),
    .Spacing      (Spacing),
    .Overlap      (Overlap),
    .OperandWidth (OperandWidth),
    .OperandSigned(OperandSigned),
    .WeightWidth  (WeightWidth),
    .WeightSigned (WeightSigned),
    .PackedWidth  (PackedWidth),
    .ProductWidth (ProductWidth),
    .AccWidth     (AccWidth)
  ) u_mac_array (
    .clk_i,
    .rst_i,
    .valid_i      (issue_q),
    .first_block_i(first_q),
    .group_i      (1'b0),
    .operand_i    (operand_q),
    .weights_i    (weights_q),
    .acc_o        (sums)
  );

  // -- sums -----------------------------------------------------------------------------------

  if (OutDepth == 1) begin : g_one
    logic [Pe*AccWidth-1:0] y_q;
    logic valid_q;

    assign y_data_o  = y_q;
    assign y_valid_o = valid_q;

    always_ff @(posedge clk_i) begin
      if (sums_valid) y_q <= sums;
      if (rst_i) valid_q <= 1'b0;
      else valid_q <= sums_valid || (valid_q && !y_ready_i);
    end
  end else begin : g_many
    logic unused, unused_pop;

    hwrnn_fifo #(
      .Width(Pe * AccWidth),
      .Depth(OutDepth)
    ) u_sums (
      .clk_i,
      .rst_i,
      .in_data_i  (sums),
      .in_valid_i (sums_valid),
      .in_ready_o (unused),
      .out_data_o (y_data_o),
      .out_valid_o(y_valid_o),
      .out_ready_i(y_ready_i),
      .out_pop_o  (unused_pop)
    );
  end

endmodule

`default_nettype wire
