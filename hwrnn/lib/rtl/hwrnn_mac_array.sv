// SPDX-License-Identifier: Apache-2.0
// Multiplies Simd columns by the weights of Pe units of every gate and accumulates by group.
// Parts in order: multipliers, TreeStages stages of two levels of adders, accumulators (with
// Blocks > 1). Registers: bit 0 puts a register behind the multipliers, bit k one behind stage k
// of the tree; the accumulators are registers always.
// Lut, Masked, Lanes, Spacing, Overlap and PackedWidth: see hwrnn_mul_array. The carries that
// packed products leave go in with the adders, one each; the last one with the accumulator or, with
// one block, at the end. Counted: hwrnn_dot_lut takes the place of multipliers and tree.
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
  parameter bit Lut = 1'b0,
  parameter bit Masked = 1'b1,
  parameter bit Counted = 1'b0,
  parameter int unsigned Lanes = 1,
  parameter int unsigned Spacing = 16,
  parameter bit Overlap = 1'b0,
  parameter int unsigned OperandWidth = 8,
  parameter bit OperandSigned = 1'b1,
  parameter int unsigned WeightWidth = 8,
  parameter bit WeightSigned = 1'b1,
  parameter int unsigned PackedWidth = WeightSigned ? WeightWidth : WeightWidth + 1,
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
  localparam bit Carries = !Lut && Lanes > 1;

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

  logic signed [width_at(TreeStages)-1:0] total [Sums];
  logic total_carry [Sums];

  if (Counted) begin : g_counted
    hwrnn_dot_lut #(
      .Rows         (Sums),
      .Columns      (Simd),
      .TreeStages   (TreeStages),
      .Registers    (Registers),
      .OperandWidth (OperandWidth),
      .OperandSigned(OperandSigned),
      .WeightWidth  (WeightWidth),
      .WeightSigned (WeightSigned),
      .SumWidth     (width_at(TreeStages))
    ) u_dot (
      .clk_i,
      .operand_i,
      .weights_i,
      .sum_o(total)
    );

    for (genvar u = 0; u < Sums; u++) begin : g_no_carry
      assign total_carry[u] = 1'b0;
    end
  end else begin : g_products
    logic signed [ProductWidth-1:0] product [Simd][Sums];
    logic product_carry [Simd][Sums];

    hwrnn_mul_array #(
      .Rows         (Sums),
      .Columns      (Simd),
      .Lut          (Lut),
      .Masked       (Masked),
      .Lanes        (Lanes),
      .Spacing      (Spacing),
      .Overlap      (Overlap),
      .PackedWidth  (PackedWidth),
      .Register     (Registers[0]),
      .OperandWidth (OperandWidth),
      .OperandSigned(OperandSigned),
      .WeightWidth  (WeightWidth),
      .WeightSigned (WeightSigned),
      .ProductWidth (ProductWidth)
    ) u_multipliers (
      .clk_i,
      .operand_i,
      .weights_i,
      .product_o(product),
      .carry_o  (product_carry)
    );

    // The inner loops run over all sums, and call nothing: a simulator's compiler makes vectors of
    // them.
    for (genvar s = 0; s <= TreeStages; s++) begin : g_tree
      localparam int unsigned Terms = terms_at(s);
      localparam int unsigned Places = places_at(s);
      localparam int unsigned Width = width_at(s);
      localparam bit IsLast = s == TreeStages && Blocks == 1;

      logic signed [Width-1:0] sum [Places][Sums];
      logic carry [Places][Sums];

      if (s == 0 && Places == Terms && Width == ProductWidth) begin : g_products
        assign sum = product;
        assign carry = product_carry;
      end else if (s == 0) begin : g_resized_products
        always_comb begin
          for (int unsigned t = 0; t < Places; t++) begin
            // verilator unroll_disable
            for (int unsigned u = 0; u < Sums; u++) begin
              sum[t][u] = (t < Terms) ? Width'(product[t%Terms][u]) : '0;
              carry[t][u] = t < Terms && product_carry[t%Terms][u];
            end
          end
        end
      end else begin : g_adders
        logic signed [Width-1:0] low [Terms][Sums], high [Terms][Sums];
        logic signed [Width-1:0] sum_d [Places][Sums];
        logic carry_d [Places][Sums];

        // Two numbers and a carry, in one adder.
        always_comb begin
          for (int unsigned t = 0; t < Terms; t++) begin
            // verilator unroll_disable
            for (int unsigned u = 0; u < Sums; u++) begin
              low[t][u] = Carries
                  ? Width'(({Width'(g_tree[s-1].sum[4*t][u]), 1'b1}
                      + {Width'(g_tree[s-1].sum[4*t+1][u]), g_tree[s-1].carry[4*t][u]}) >> 1)
                  : Width'(g_tree[s-1].sum[4*t][u]) + Width'(g_tree[s-1].sum[4*t+1][u]);
            end
          end
        end

        always_comb begin
          for (int unsigned t = 0; t < Terms; t++) begin
            // verilator unroll_disable
            for (int unsigned u = 0; u < Sums; u++) begin
              high[t][u] = Carries
                  ? Width'(({Width'(g_tree[s-1].sum[4*t+2][u]), 1'b1}
                      + {Width'(g_tree[s-1].sum[4*t+3][u]), g_tree[s-1].carry[4*t+1][u]}) >> 1)
                  : Width'(g_tree[s-1].sum[4*t+2][u]) + Width'(g_tree[s-1].sum[4*t+3][u]);
            end
          end
        end

        // Four numbers and the carries of three; with that of the fourth if it can go nowhere else.
        always_comb begin
          for (int unsigned t = 0; t < Places; t++) begin
            // verilator unroll_disable
            for (int unsigned u = 0; u < Sums; u++) begin
              if (t >= Terms) begin
                sum_d[t][u] = '0;
              end else if (Carries) begin
                sum_d[t][u] = Width'(({low[t%Terms][u], 1'b1}
                    + {high[t%Terms][u], g_tree[s-1].carry[t%Terms*4+2][u]}) >> 1)
                    + Width'(IsLast && g_tree[s-1].carry[t%Terms*4+3][u]);
              end else begin
                sum_d[t][u] = low[t%Terms][u] + high[t%Terms][u];
              end
            end
          end
        end

        always_comb begin
          for (int unsigned t = 0; t < Places; t++) begin
            // verilator unroll_disable
            for (int unsigned u = 0; u < Sums; u++) begin
              carry_d[t][u] = !IsLast && t < Terms && g_tree[s-1].carry[t%Terms*4+3][u];
            end
          end
        end

        if (Registers[s]) begin : g_register
          always_ff @(posedge clk_i) begin
            sum <= sum_d;
            carry <= carry_d;
          end
        end else begin : g_wire
          assign sum = sum_d;
          assign carry = carry_d;
        end
      end
    end

    assign total = g_tree[TreeStages].sum[0];
    assign total_carry = g_tree[TreeStages].carry[0];
  end

  logic [Sums*AccWidth-1:0] acc_d;

  for (genvar u = 0; u < Sums; u++) begin : g_sum
    logic [AccWidth-1:0] old, sum;
    logic carry;

    if (Blocks > 1) begin : g_old
      assign old = g_accumulate.first_block ? '0 : g_accumulate.kept[u*AccWidth+:AccWidth];
    end else begin : g_none
      assign old = '0;
    end

    assign sum = AccWidth'(total[u]);
    assign carry = total_carry[u];
    assign acc_d[u*AccWidth+:AccWidth]
        = Carries ? AccWidth'(({old, 1'b1} + {sum, carry}) >> 1) : old + sum;
  end

  if (Blocks > 1) begin : g_accumulate
    logic [Sums*AccWidth-1:0] memory_q [Groups], acc_q, kept;
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

    assign kept = memory_q[group];

    always_ff @(posedge clk_i) begin
      if (valid) memory_q[group] <= acc_d;
      acc_q <= acc_d;
    end

    assign acc_o = acc_q;
  end else begin : g_single_block
    logic unused;
    assign unused = &{clk_i, rst_i, valid_i, first_block_i, group_i};
    assign acc_o = acc_d;
  end

endmodule

`default_nettype wire
