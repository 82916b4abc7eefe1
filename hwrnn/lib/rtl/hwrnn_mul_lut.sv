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

  // The top bit of a signed factor counts negative.
  function automatic logic [ProductWidth-1:0] multiples(
      logic [ProductWidth-1:0] wide, logic [NarrowWidth-1:0] narrow);
    logic [ProductWidth-1:0] sum, term;
    sum = '0;
    for (int unsigned k = 0; k < NarrowWidth; k++) begin
      term = narrow[k] ? wide << k : '0;
      if (NarrowSigned && k == NarrowWidth - 1) sum = sum - term;
      else sum = sum + term;
    end
    return sum;
  endfunction

  function automatic logic [ProductWidth-1:0] product(
      logic [OperandWidth-1:0] x, logic [WeightWidth-1:0] w);
    logic signed [ProductWidth-1:0] wide_x, wide_w;
    wide_x = ProductWidth'(signed'({OperandSigned && x[OperandWidth-1], x}));
    wide_w = ProductWidth'(signed'({WeightSigned && w[WeightWidth-1], w}));
    return ByWeight ? multiples(wide_x, NarrowWidth'(w)) : multiples(wide_w, NarrowWidth'(x));
  endfunction

  always_comb begin
    for (int unsigned k = 0; k < Rows * Columns; k++) begin
      product_d[k*ProductWidth+:ProductWidth] = product(
          operand_i[k%Columns*OperandWidth+:OperandWidth], weights_i[k*WeightWidth+:WeightWidth]);
    end
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
