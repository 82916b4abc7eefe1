// SPDX-License-Identifier: Apache-2.0
// Multiplies Simd columns by the weights of Pe units of every gate and accumulates by group.
// Parts in order: multipliers, TreeStages stages of two levels of adders, accumulators (with
// Blocks > 1). Registers: bit 0 puts a register behind the multipliers, bit k one behind stage k
// of the tree; the accumulators are registers always.
// Latency from operand_i to acc_o: the bits set, and one more with Blocks > 1. A vector a cycle,
// of any group, free-running. Sums wrap to AccWidth, which holds the final ones.
`default_nettype none

module hwrnn_mac_array #(
  parameter int unsigned Gates = 1,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter int unsigned Groups = 1,
  parameter int unsigned Blocks = 1,
  parameter bit [31:0] Registers = '1,
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

  input  wire logic                             valid_i,
  input  wire logic                             first_block_i,
  input  wire logic [GroupWidth-1:0]            group_i,
  input  wire logic [Simd*OperandWidth-1:0]     operand_i,
  input  wire logic [Sums*Simd*WeightWidth-1:0] weights_i,
  output logic [Sums*AccWidth-1:0]              acc_o
);

  localparam int unsigned TreeStages = ($clog2(Simd) + 1) / 2;
  localparam int unsigned TreeDelay = $countones(Registers[TreeStages:0]);
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

  logic signed [OperandBits-1:0] operand [Simd];
  logic signed [WeightBits-1:0] weight [Sums*Simd];

  for (genvar k = 0; k < Simd; k++) begin : g_operand
    assign operand[k] = signed'(OperandBits'(operand_i[k*OperandWidth+:OperandWidth]));
  end

  for (genvar k = 0; k < Sums * Simd; k++) begin : g_weight
    assign weight[k] = signed'(WeightBits'(weights_i[k*WeightWidth+:WeightWidth]));
  end

  // Flat loops over all sums at once: a simulator keeps them as loops, however large the array.
  for (genvar s = 0; s <= TreeStages; s++) begin : g_tree
    localparam int unsigned Terms = terms_at(s);
    localparam int unsigned Places = places_at(s);
    localparam int unsigned Width = width_at(s);

    logic signed [Width-1:0] sum_d [Sums*Places], sum [Sums*Places];

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
              ? Width'(g_tree[s-1].sum[(k/Places*Terms+k%Places%Terms)*4])
              + Width'(g_tree[s-1].sum[(k/Places*Terms+k%Places%Terms)*4+1])
              + Width'(g_tree[s-1].sum[(k/Places*Terms+k%Places%Terms)*4+2])
              + Width'(g_tree[s-1].sum[(k/Places*Terms+k%Places%Terms)*4+3]) : '0;
        end
      end
    end

    if (Registers[s]) begin : g_register
      always_ff @(posedge clk_i) begin
        sum <= sum_d;
      end
    end else begin : g_wire
      assign sum = sum_d;
    end
  end

  logic [Sums*AccWidth-1:0] total;

  for (genvar u = 0; u < Sums; u++) begin : g_total
    assign total[u*AccWidth+:AccWidth] = AccWidth'(g_tree[TreeStages].sum[u]);
  end

  if (Blocks > 1) begin : g_accumulate
    logic [Sums*AccWidth-1:0] memory_q [Groups], acc_d, acc_q, acc_old;
    logic [GroupWidth-1:0] group;
    logic valid, first_block;

    if (TreeDelay > 0) begin : g_delayed
      hwrnn_delay #(
        .Width   (1),
        .Depth   (TreeDelay),
        .HasReset(1'b1)
      ) u_valid (
        .clk_i,
        .rst_i,
        .d_i(valid_i),
        .q_o(valid)
      );

      hwrnn_delay #(
        .Width(GroupWidth + 1),
        .Depth(TreeDelay)
      ) u_group (
        .clk_i,
        .rst_i,
        .d_i({first_block_i, group_i}),
        .q_o({first_block, group})
      );
    end else begin : g_direct
      logic unused;
      assign unused = rst_i;
      assign valid = valid_i;
      assign {first_block, group} = {first_block_i, group_i};
    end

    assign acc_old = first_block ? '0 : memory_q[group];

    for (genvar u = 0; u < Sums; u++) begin : g_sum
      assign acc_d[u*AccWidth+:AccWidth] = acc_old[u*AccWidth+:AccWidth]
          + total[u*AccWidth+:AccWidth];
    end

    always_ff @(posedge clk_i) begin
      if (valid) memory_q[group] <= acc_d;
      acc_q <= acc_d;
    end

    assign acc_o = acc_q;
  end else begin : g_single_block
    logic unused;
    assign unused = &{clk_i, rst_i, valid_i, first_block_i, group_i};
    assign acc_o = total;
  end

endmodule

`default_nettype wire
