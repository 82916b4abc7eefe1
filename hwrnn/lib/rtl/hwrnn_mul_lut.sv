// SPDX-License-Identifier: Apache-2.0
// Products of Rows weights with each of Columns operands, without hard multipliers: the sum of one
// factor's multiples for the bits of the narrower one. Latency: 1 with Register, else 0. A set a
// cycle.
`default_nettype none

module hwrnn_mul_lut #(
  parameter int unsigned Rows = 1,
  parameter int unsigned Columns = 1,
  parameter bit Register = 1'b1,
  parameter int unsigned OperandWidth = 8,
  parameter bit OperandSigned = 1'b1,
  parameter int unsigned WeightWidth = 8,
  parameter bit WeightSigned = 1'b1,
  parameter int unsigned ProductWidth = 16
) (
  input  wire logic                                clk_i,

  input  wire logic [Columns*OperandWidth-1:0]     operand_i,
  input  wire logic [Rows*Columns*WeightWidth-1:0] weights_i,
  output logic [Rows*Columns*ProductWidth-1:0]     product_o
);

  localparam bit ByWeight = WeightWidth <= OperandWidth;
  localparam int unsigned NarrowWidth = ByWeight ? WeightWidth : OperandWidth;
  localparam bit NarrowSigned = ByWeight ? WeightSigned : OperandSigned;

  logic [Rows*Columns*ProductWidth-1:0] product_d;
  logic [ProductWidth-1:0] wide [Rows*Columns];
  logic [NarrowWidth-1:0] narrow [Rows*Columns];

  function automatic logic [ProductWidth-1:0] wide_operand(logic [OperandWidth-1:0] x);
    return ProductWidth'(signed'({OperandSigned && x[OperandWidth-1], x}));
  endfunction

  function automatic logic [ProductWidth-1:0] wide_weight(logic [WeightWidth-1:0] w);
    return ProductWidth'(signed'({WeightSigned && w[WeightWidth-1], w}));
  endfunction

  always_comb begin
    for (int unsigned k = 0; k < Rows * Columns; k++) begin
      wide[k] = ByWeight ? wide_operand(operand_i[k%Columns*OperandWidth+:OperandWidth])
                         : wide_weight(weights_i[k*WeightWidth+:WeightWidth]);
      narrow[k] = ByWeight ? NarrowWidth'(weights_i[k*WeightWidth+:WeightWidth])
                           : NarrowWidth'(operand_i[k%Columns*OperandWidth+:OperandWidth]);
    end
  end

  // The multiples for the bits up to this one; the top bit of a signed factor counts negative.
  for (genvar b = 0; b < NarrowWidth; b++) begin : g_bit
    localparam bit Negative = NarrowSigned && b == NarrowWidth - 1;

    logic [ProductWidth-1:0] sum [Rows*Columns], below [Rows*Columns];

    if (b == 0) begin : g_first
      assign below = '{default: '0};
    end else begin : g_next
      assign below = g_bit[b-1].sum;
    end

    always_comb begin
      for (int unsigned k = 0; k < Rows * Columns; k++) begin
        if (!narrow[k][b]) sum[k] = below[k];
        else sum[k] = Negative ? below[k] - (wide[k] << b) : below[k] + (wide[k] << b);
      end
    end
  end

  for (genvar k = 0; k < Rows * Columns; k++) begin : g_product
    assign product_d[k*ProductWidth+:ProductWidth] = g_bit[NarrowWidth-1].sum[k];
  end

  if (Register) begin : g_register
    logic [Rows*Columns*ProductWidth-1:0] product_q;

    always_ff @(posedge clk_i) begin
      product_q <= product_d;
    end

    assign product_o = product_q;
  end else begin : g_wire
    logic unused;
    assign unused = clk_i;
    assign product_o = product_d;
  end

endmodule

`default_nettype wire
