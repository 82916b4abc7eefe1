// SPDX-License-Identifier: Apache-2.0
// Products of Rows weights with each of Columns operands, in hard multipliers of Lanes rows each.
// The weights of the Lanes rows are one factor, Spacing bits apart: the products stand in the
// result Spacing bits apart, too, each less the borrow of the one below it, which goes out as its
// carry: weight * operand = product_o + carry_o. With Overlap the top bit of a product lies on the
// lowest bit of the next; that one is the and of the factors' lowest bits, made beside.
// PackedWidth holds the sum of the weights. Latency: 1 with Register, else 0. A set a cycle.
`default_nettype none

module hwrnn_mul_packed #(
  parameter int unsigned Rows = 1,
  parameter int unsigned Columns = 1,
  parameter int unsigned Lanes = 1,
  parameter int unsigned Spacing = 16,
  parameter bit Overlap = 1'b0,
  parameter bit Register = 1'b1,
  parameter int unsigned OperandWidth = 8,
  parameter bit OperandSigned = 1'b1,
  parameter int unsigned WeightWidth = 8,
  parameter bit WeightSigned = 1'b1,
  parameter int unsigned PackedWidth = WeightSigned ? WeightWidth : WeightWidth + 1,
  parameter int unsigned ProductWidth = 16
) (
  input  wire logic                                clk_i,

  input  wire logic [Columns*OperandWidth-1:0]     operand_i,
  input  wire logic [Rows*Columns*WeightWidth-1:0] weights_i,
  output logic [Rows*Columns*ProductWidth-1:0]     product_o,
  output logic [Rows*Columns-1:0]                  carry_o
);

  localparam int unsigned Multipliers = Rows / Lanes * Columns;
  localparam int unsigned OperandBits = OperandSigned ? OperandWidth : OperandWidth + 1;
  localparam int unsigned WeightBits = WeightSigned ? WeightWidth : WeightWidth + 1;
  localparam int unsigned ResultWidth = PackedWidth + OperandBits;
  localparam int unsigned FieldWidth = Overlap ? Spacing + 1 : Spacing;
  localparam bit [ProductWidth-1:0] BelowSign = ~(ProductWidth'('1) << (FieldWidth - 1));

  if (Rows % Lanes != 0) begin : g_check_rows
    $error("hwrnn_mul_packed: Rows is %0d, it must be a multiple of Lanes, %0d", Rows, Lanes);
  end
  if (Lanes > 1 && Spacing < WeightBits) begin : g_check_spacing
    $error("hwrnn_mul_packed: Spacing is %0d, below a weight's %0d bits", Spacing, WeightBits);
  end

  if (PackedWidth < (Lanes - 1) * Spacing + WeightBits) begin : g_check_width
    $error("hwrnn_mul_packed: PackedWidth is %0d, below what the weights need, %0d", PackedWidth,
        (Lanes - 1) * Spacing + WeightBits);
  end

  logic signed [OperandBits-1:0] operand [Columns];
  logic [WeightBits-1:0] weight [Rows*Columns];

  for (genvar k = 0; k < Columns; k++) begin : g_operand
    assign operand[k] = signed'(OperandBits'(operand_i[k*OperandWidth+:OperandWidth]));
  end

  always_comb begin
    for (int unsigned k = 0; k < Rows * Columns; k++) begin
      weight[k] = WeightBits'(weights_i[k*WeightWidth+:WeightWidth]);
    end
  end

  function automatic logic [WeightBits-1:0] weight_of(int unsigned multiplier, int unsigned lane);
    return weight[(multiplier/Columns*Lanes+lane)*Columns+multiplier%Columns];
  endfunction

  // Sum of the Lanes weights, in one subtraction: their signs from their other bits.
  function automatic logic signed [PackedWidth-1:0] sum_of(int unsigned multiplier);
    logic [PackedWidth-1:0] rest, signs;
    logic [WeightBits-1:0] w;
    if (Lanes == 1) return PackedWidth'(signed'(weight_of(multiplier, 0)));
    rest = '0;
    signs = '0;
    for (int unsigned k = 0; k < Lanes; k++) begin
      w = weight_of(multiplier, k);
      signs |= PackedWidth'(w[WeightBits-1]) << (k * Spacing + WeightBits - 1);
      w[WeightBits-1] = 1'b0;
      rest |= PackedWidth'(w) << (k * Spacing);
    end
    return signed'(rest - signs);
  endfunction

  (* use_dsp = "yes" *) logic signed [ResultWidth-1:0] result_d [Multipliers];
  (* use_dsp = "yes" *) logic signed [ResultWidth-1:0] result [Multipliers];
  logic [Lanes-1:0] lowest_d [Multipliers], lowest [Multipliers];

  always_comb begin
    for (int unsigned m = 0; m < Multipliers; m++) begin
      result_d[m] = ResultWidth'(sum_of(m)) * ResultWidth'(operand[m%Columns]);
    end
  end

  always_comb begin
    for (int unsigned m = 0; m < Multipliers; m++) begin
      for (int unsigned k = 0; k < Lanes; k++) begin
        lowest_d[m][k] = Overlap && operand[m%Columns][0] && 1'(weight_of(m, k));
      end
    end
  end

  if (Register) begin : g_register
    always_ff @(posedge clk_i) begin
      result <= result_d;
      lowest <= lowest_d;
    end
  end else begin : g_wire
    logic unused;
    assign unused = clk_i;
    assign result = result_d;
    assign lowest = lowest_d;
  end

  // Sign of what stands in a lane that is not the last one.
  function automatic logic negative(
      logic signed [ResultWidth-1:0] value, logic [Lanes-1:0] bits, int unsigned lane);
    if (Overlap) return 1'(value >> ((lane + 1) * Spacing)) ^ 1'(bits >> (lane + 1));
    return 1'(value >> ((lane + 1) * Spacing - 1));
  endfunction

  function automatic logic [ProductWidth-1:0] product_of(
      logic signed [ResultWidth-1:0] value, logic [Lanes-1:0] bits, int unsigned lane);
    logic [ProductWidth-1:0] product;
    product = ProductWidth'(value >>> (lane * Spacing));
    if (lane + 1 == Lanes) return product;
    return negative(value, bits, lane) ? product | ~BelowSign : product & BelowSign;
  endfunction

  always_comb begin
    for (int unsigned m = 0; m < Multipliers; m++) begin
      for (int unsigned k = 0; k < Lanes; k++) begin
        product_o[((m/Columns*Lanes+k)*Columns+m%Columns)*ProductWidth+:ProductWidth]
            = product_of(result[m], lowest[m], k);
        carry_o[(m/Columns*Lanes+k)*Columns+m%Columns]
            = k > 0 && negative(result[m], lowest[m], k - 1);
      end
    end
  end

endmodule

`default_nettype wire
