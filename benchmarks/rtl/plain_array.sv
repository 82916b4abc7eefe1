// SPDX-License-Identifier: Apache-2.0
// A MAC array as one writes it down: sums of products, accumulated by group, left to the
// synthesiser. Ports as hwrnn_mac_array; what it does is the same but for the latency.
`default_nettype none

module plain_array #(
  parameter int unsigned Sums = 1,
  parameter int unsigned Simd = 1,
  parameter int unsigned Groups = 1,
  parameter int unsigned OperandWidth = 8,
  parameter int unsigned WeightWidth = 8,
  parameter int unsigned AccWidth = 24,
  parameter bit Products = 1'b0,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1
) (
  input  wire logic                             clk_i,
  input  wire logic                             valid_i,
  input  wire logic                             first_block_i,
  input  wire logic [GroupWidth-1:0]            group_i,
  input  wire logic [Simd*OperandWidth-1:0]     operand_i,
  input  wire logic [Sums*Simd*WeightWidth-1:0] weights_i,
  output logic [Sums*AccWidth-1:0]              acc_o
);

  localparam int unsigned ProductWidth = OperandWidth + WeightWidth;

  logic signed [AccWidth-1:0] memory_q [Sums][Groups], sum_d [Sums];
  logic signed [ProductWidth-1:0] product_d [Sums][Simd], product [Sums][Simd];
  logic [GroupWidth-1:0] group;
  logic valid, first;

  always_comb begin
    for (int unsigned u = 0; u < Sums; u++) begin
      for (int unsigned c = 0; c < Simd; c++) begin
        product_d[u][c] = signed'(weights_i[(u*Simd+c)*WeightWidth+:WeightWidth])
            * signed'(operand_i[c*OperandWidth+:OperandWidth]);
      end
    end
  end

  // With Products these have registers; without, sums may be merged into the products.
  if (Products) begin : g_register
    always_ff @(posedge clk_i) begin
      product <= product_d;
      {valid, first, group} <= {valid_i, first_block_i, group_i};
    end
  end else begin : g_wire
    assign product = product_d;
    assign {valid, first, group} = {valid_i, first_block_i, group_i};
  end

  always_comb begin
    for (int unsigned u = 0; u < Sums; u++) begin
      sum_d[u] = first ? '0 : memory_q[u][group];
      for (int unsigned c = 0; c < Simd; c++) sum_d[u] += AccWidth'(product[u][c]);
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned u = 0; u < Sums; u++) begin
      if (valid) memory_q[u][group] <= sum_d[u];
      acc_o[u*AccWidth+:AccWidth] <= sum_d[u];
    end
  end

endmodule

`default_nettype wire
