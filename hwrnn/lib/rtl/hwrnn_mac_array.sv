// SPDX-License-Identifier: Apache-2.0
// Multiplies Simd columns by the weights of Pe units of every gate and accumulates by group.
// Issue at cycle s: operand register and weight word (from outside) at s + 1, products at s + 2,
// two levels of the adder tree a cycle, accumulators of the group at s + 3 + tree stages.
// An issue a cycle, free-running. Sums wrap to AccWidth, which holds the final ones.
`default_nettype none

module hwrnn_mac_array #(
  parameter int unsigned Gates = 1,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter int unsigned Groups = 1,
  parameter int unsigned Blocks = 1,
  parameter int unsigned XWidth = 8,
  parameter bit XSigned = 1'b1,
  parameter int unsigned HWidth = 8,
  parameter bit HSigned = 1'b1,
  parameter int unsigned OperandWidth = 8,
  parameter bit OperandSigned = 1'b1,
  parameter int unsigned WeightWidth = 8,
  parameter bit WeightSigned = 1'b1,
  parameter int unsigned ProductWidth = 16,
  parameter int unsigned AccWidth = 16,
  localparam int unsigned Sums = Gates * Pe,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1
) (
  input  wire logic                             clk_i,
  input  wire logic                             rst_i,

  input  wire logic                             issue_i,
  input  wire logic                             load_i,
  input  wire logic                             is_h_i,
  input  wire logic                             first_block_i,
  input  wire logic [GroupWidth-1:0]            group_i,
  input  wire logic [Simd*XWidth-1:0]           x_data_i,
  input  wire logic [Simd*HWidth-1:0]           h_data_i,
  input  wire logic [Sums*Simd*WeightWidth-1:0] weights_i,
  output logic [Sums*AccWidth-1:0]              acc_o
);

  localparam int unsigned TreeStages = ($clog2(Simd) + 1) / 2;
  localparam int unsigned AccDelay = 2 + TreeStages;
  localparam int unsigned OperandBits = OperandSigned ? OperandWidth : OperandWidth + 1;
  localparam int unsigned WeightBits = WeightSigned ? WeightWidth : WeightWidth + 1;

  // Terms of one sum after so many stages of the tree, each of which adds four to one.
  function automatic int unsigned terms_at(int unsigned stage);
    int unsigned n;
    n = Simd;
    for (int unsigned k = 0; k < stage; k++) n = (n + 3) / 4;
    return n;
  endfunction

  // The same with the zeros that make it a multiple of four, but for the last stage.
  function automatic int unsigned places_at(int unsigned stage);
    return (stage == TreeStages) ? 1 : (terms_at(stage) + 3) / 4 * 4;
  endfunction

  function automatic int unsigned width_at(int unsigned stage);
    return (ProductWidth + 2 * stage < AccWidth) ? ProductWidth + 2 * stage : AccWidth;
  endfunction

  logic [Simd*OperandWidth-1:0] x_wide, h_wide, operand_q;
  logic signed [OperandBits-1:0] operand [Simd];
  logic signed [WeightBits-1:0] weight [Sums*Simd];

  hwrnn_resize #(
    .Lanes  (Simd),
    .XWidth (XWidth),
    .XSigned(XSigned),
    .YWidth (OperandWidth)
  ) u_x_wide (
    .x_i(x_data_i),
    .y_o(x_wide)
  );

  hwrnn_resize #(
    .Lanes  (Simd),
    .XWidth (HWidth),
    .XSigned(HSigned),
    .YWidth (OperandWidth)
  ) u_h_wide (
    .x_i(h_data_i),
    .y_o(h_wide)
  );

  always_ff @(posedge clk_i) begin
    if (load_i) operand_q <= is_h_i ? h_wide : x_wide;
  end

  for (genvar k = 0; k < Simd; k++) begin : g_operand
    assign operand[k] = signed'(OperandBits'(operand_q[k*OperandWidth+:OperandWidth]));
  end

  for (genvar k = 0; k < Sums * Simd; k++) begin : g_weight
    assign weight[k] = signed'(WeightBits'(weights_i[k*WeightWidth+:WeightWidth]));
  end

  // Flat loops over all sums at once: a simulator keeps them as loops, however large the array.
  for (genvar s = 0; s <= TreeStages; s++) begin : g_tree
    localparam int unsigned Terms = terms_at(s);
    localparam int unsigned Places = places_at(s);
    localparam int unsigned Width = width_at(s);

    logic signed [Width-1:0] sum_d [Sums*Places], sum_q [Sums*Places];

    if (s == 0) begin : g_products
      always_comb begin
        for (int unsigned k = 0; k < Sums * Places; k++) begin
          sum_d[k] = (k % Places < Terms)
              ? Width'(operand[k%Places%Simd] * weight[(k/Places*Simd+k%Places)%(Sums*Simd)]) : '0;
        end
      end
    end else begin : g_adders
      always_comb begin
        for (int unsigned k = 0; k < Sums * Places; k++) begin
          sum_d[k] = (k % Places < Terms)
              ? Width'(g_tree[s-1].sum_q[(k/Places*Terms+k%Places%Terms)*4])
              + Width'(g_tree[s-1].sum_q[(k/Places*Terms+k%Places%Terms)*4+1])
              + Width'(g_tree[s-1].sum_q[(k/Places*Terms+k%Places%Terms)*4+2])
              + Width'(g_tree[s-1].sum_q[(k/Places*Terms+k%Places%Terms)*4+3]) : '0;
        end
      end
    end

    always_ff @(posedge clk_i) begin
      sum_q <= sum_d;
    end
  end

  logic [Sums*AccWidth-1:0] acc_d, acc_q, acc_old;

  for (genvar u = 0; u < Sums; u++) begin : g_sum
    assign acc_d[u*AccWidth+:AccWidth] = acc_old[u*AccWidth+:AccWidth]
        + AccWidth'(g_tree[TreeStages].sum_q[u]);
  end

  always_ff @(posedge clk_i) begin
    acc_q <= acc_d;
  end

  assign acc_o = acc_q;

  if (Blocks > 1) begin : g_accumulate
    logic [Sums*AccWidth-1:0] memory_q [Groups];
    logic [GroupWidth-1:0] group;
    logic valid, first_block;

    hwrnn_delay #(
      .Width   (1),
      .Depth   (AccDelay),
      .HasReset(1'b1)
    ) u_valid (
      .clk_i,
      .rst_i,
      .d_i(issue_i),
      .q_o(valid)
    );

    hwrnn_delay #(
      .Width(GroupWidth + 1),
      .Depth(AccDelay)
    ) u_group (
      .clk_i,
      .rst_i,
      .d_i({first_block_i, group_i}),
      .q_o({first_block, group})
    );

    assign acc_old = first_block ? '0 : memory_q[group];

    always_ff @(posedge clk_i) begin
      if (valid) memory_q[group] <= acc_d;
    end
  end else begin : g_single_block
    logic unused;
    assign unused  = &{issue_i, first_block_i, group_i, rst_i};
    assign acc_old = '0;
  end

endmodule

`default_nettype wire
