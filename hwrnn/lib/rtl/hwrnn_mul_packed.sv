// SPDX-License-Identifier: Apache-2.0
// Products of Rows weights with each of Columns operands, in hard multipliers of Lanes rows each:
// multiplier m of a column takes the rows m, Heads + m, 2 * Heads + m and so on.
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
  output logic signed [ProductWidth-1:0]           product_o [Columns][Rows],
  output logic                                     carry_o   [Columns][Rows]
);

  localparam int unsigned Heads = Rows / Lanes;
  localparam int unsigned OperandBits = OperandSigned ? OperandWidth : OperandWidth + 1;
  localparam int unsigned WeightBits = WeightSigned ? WeightWidth : WeightWidth + 1;
  localparam int unsigned ResultWidth = PackedWidth + OperandBits;

  // The sign bits of all lanes.
  function automatic logic [PackedWidth-1:0] sign_bits();
    logic [PackedWidth-1:0] bits;
    bits = '0;
    for (int unsigned k = 0; k < Lanes; k++) bits[k*Spacing+WeightBits-1] = 1'b1;
    return bits;
  endfunction

  localparam bit [PackedWidth-1:0] Signs = sign_bits();

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
  logic [WeightBits-1:0] weight [Columns][Rows];
  logic [PackedWidth-1:0] fields [Columns][Heads];
  logic signed [PackedWidth-1:0] sum [Columns][Heads];
  (* use_dsp = "yes" *) logic signed [ResultWidth-1:0] result_d [Columns][Heads];
  (* use_dsp = "yes" *) logic signed [ResultWidth-1:0] result [Columns][Heads];

  for (genvar c = 0; c < Columns; c++) begin : g_operand
    assign operand[c] = signed'(OperandBits'(operand_i[c*OperandWidth+:OperandWidth]));
  end

  always_comb begin
    for (int unsigned c = 0; c < Columns; c++) begin
      for (int unsigned r = 0; r < Rows; r++) begin
        weight[c][r] = WeightBits'(weights_i[(r*Columns+c)*WeightWidth+:WeightWidth]);
      end
    end
  end

  // The loops below run along the arrays, and call nothing: a simulator's compiler makes vectors
  // of them.
  always_comb begin
    for (int unsigned c = 0; c < Columns; c++) begin
      // verilator unroll_disable
      for (int unsigned m = 0; m < Heads; m++) begin
        fields[c][m] = PackedWidth'(weight[c][m]);
      end
      for (int unsigned k = 1; k < Lanes; k++) begin
        // verilator unroll_disable
        for (int unsigned m = 0; m < Heads; m++) begin
          fields[c][m] |= PackedWidth'(weight[c][k*Heads+m]) << (k * Spacing);
        end
      end
    end
  end

  // Sum of the Lanes weights, in one subtraction: with its sign bit inverted, each is too large by
  // that bit.
  always_comb begin
    for (int unsigned c = 0; c < Columns; c++) begin
      // verilator unroll_disable
      for (int unsigned m = 0; m < Heads; m++) begin
        sum[c][m] = (Lanes > 1) ? signed'((fields[c][m] ^ Signs) - Signs)
                                : PackedWidth'(signed'(fields[c][m][WeightBits-1:0]));
      end
    end
  end

  always_comb begin
    for (int unsigned c = 0; c < Columns; c++) begin
      // verilator unroll_disable
      for (int unsigned m = 0; m < Heads; m++) begin
        result_d[c][m] = ResultWidth'(sum[c][m]) * ResultWidth'(operand[c]);
      end
    end
  end

  if (Register) begin : g_register
    always_ff @(posedge clk_i) begin
      result <= result_d;
    end
  end else begin : g_wire
    logic unused;
    assign unused = clk_i;
    assign result = result_d;
  end

  // A carry is the sign of what stands in the lane below, which with Overlap lies on the lowest
  // bit of this one.
  if (Overlap) begin : g_overlap
    logic [Lanes:0] lowest_d [Columns][Heads], lowest [Columns][Heads];

    always_comb begin
      for (int unsigned c = 0; c < Columns; c++) begin
        for (int unsigned m = 0; m < Heads; m++) begin
          lowest_d[c][m] = '0;
          for (int unsigned k = 1; k < Lanes; k++) begin
            lowest_d[c][m][k] = operand[c][0] && fields[c][m][k*Spacing];
          end
        end
      end
    end

    if (Register) begin : g_register
      always_ff @(posedge clk_i) begin
        lowest <= lowest_d;
      end
    end else begin : g_wire
      assign lowest = lowest_d;
    end

    always_comb begin
      for (int unsigned c = 0; c < Columns; c++) begin
        for (int unsigned k = 0; k < Lanes; k++) begin
          for (int unsigned m = 0; m < Heads; m++) begin
            product_o[c][k*Heads+m] = ProductWidth'(result[c][m] >>> (k * Spacing))
                ^ (ProductWidth'(lowest[c][m][k+1]) << Spacing);
            carry_o[c][k*Heads+m] = k > 0 && 1'(result[c][m] >> (k * Spacing)) ^ lowest[c][m][k];
          end
        end
      end
    end
  end else begin : g_apart
    always_comb begin
      for (int unsigned c = 0; c < Columns; c++) begin
        for (int unsigned k = 0; k < Lanes; k++) begin
          // verilator unroll_disable
          for (int unsigned m = 0; m < Heads; m++) begin
            product_o[c][k*Heads+m] = ProductWidth'(result[c][m] >>> (k * Spacing));
          end
        end
      end
    end

    always_comb begin
      for (int unsigned c = 0; c < Columns; c++) begin
        for (int unsigned k = 0; k < Lanes; k++) begin
          // verilator unroll_disable
          for (int unsigned m = 0; m < Heads; m++) begin
            carry_o[c][k*Heads+m] = k > 0 && 1'({result[c][m], 1'b0} >> (k * Spacing));
          end
        end
      end
    end
  end

endmodule

`default_nettype wire
