// SPDX-License-Identifier: Apache-2.0
// One packed multiplier against plain products, for the factors whose bits are in count_i.
module mul_check #(
  parameter int unsigned Lanes = 2,
  parameter int unsigned Spacing = 16,
  parameter bit Overlap = 1'b0,
  parameter bit Lut = 1'b0,
  parameter bit Counted = 1'b0,
  parameter bit Masked = 1'b1,
  parameter int unsigned PackedWidth = 25,
  parameter int unsigned OperandWidth = 8,
  parameter bit OperandSigned = 1'b1,
  parameter int unsigned WeightWidth = 8,
  parameter bit WeightSigned = 1'b1,
  parameter int unsigned ProductWidth = 16,
  parameter int OperandLo = -128,
  parameter int OperandHi = 127,
  parameter int WeightLo = -128,
  parameter int WeightHi = 127
) (
  input  logic [23:0] count_i,
  output logic        legal_o,
  output logic        wrong_o
);

  localparam int unsigned Rows = Lut ? 1 : Lanes;

  logic [OperandWidth-1:0] operand;
  logic [Rows*WeightWidth-1:0] weights;
  logic signed [ProductWidth-1:0] product [1][Rows];
  logic carry [1][Rows];
  int x, w, y;

  assign {operand, weights} = (OperandWidth + Rows * WeightWidth)'(count_i);

  hwrnn_mul_array #(
    .Rows         (Rows),
    .Columns      (1),
    .Lut          (Lut),
    .Masked       (Masked),
    .Lanes        (Lanes),
    .Spacing      (Spacing),
    .Overlap      (Overlap),
    .PackedWidth  (PackedWidth),
    .Register     (1'b0),
    .OperandWidth (OperandWidth),
    .OperandSigned(OperandSigned),
    .WeightWidth  (WeightWidth),
    .WeightSigned (WeightSigned),
    .ProductWidth (ProductWidth)
  ) u_dut (
    .clk_i    (1'b0),
    .operand_i(operand),
    .weights_i(weights),
    .product_o(product),
    .carry_o  (carry)
  );

  always_comb begin
    x = OperandSigned ? int'(signed'(operand)) : int'(operand);
    legal_o = x >= OperandLo && x <= OperandHi;
    wrong_o = 1'b0;
    for (int k = 0; k < Rows; k++) begin
      w = WeightSigned ? int'(signed'(weights[k*WeightWidth+:WeightWidth]))
                       : int'(weights[k*WeightWidth+:WeightWidth]);
      y = int'(product[0][k]) + int'(carry[0][k]);
      legal_o = legal_o && w >= WeightLo && w <= WeightHi;
      wrong_o = wrong_o || y != w * x;
    end
    wrong_o = wrong_o && legal_o;
  end

endmodule
