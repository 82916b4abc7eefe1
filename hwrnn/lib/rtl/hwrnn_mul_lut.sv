// SPDX-License-Identifier: Apache-2.0
// Products of Rows weights with each of Columns operands, without hard multipliers: the sum of one
// factor's multiples for the bits of the narrower one. For a bit that is not set, Masked adds zero
// (an AND before the adder), else nothing is added (a multiplexer behind it): which of them fits
// the adder's LUT depends on the device. Latency: 1 with Register, else 0. A set a cycle.
`default_nettype none

module hwrnn_mul_lut #(
  parameter int unsigned Rows = 1,
  parameter int unsigned Columns = 1,
  parameter bit Masked = 1'b1,
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
  output logic signed [ProductWidth-1:0]           product_o [Columns][Rows]
);

  localparam bit ByWeight = WeightWidth <= OperandWidth;
  localparam int unsigned NarrowWidth = ByWeight ? WeightWidth : OperandWidth;
  localparam bit NarrowSigned = ByWeight ? WeightSigned : OperandSigned;
  localparam int unsigned OperandBits = OperandSigned ? OperandWidth : OperandWidth + 1;
  localparam int unsigned WeightBits = WeightSigned ? WeightWidth : WeightWidth + 1;
  localparam int unsigned SumWidth = (ByWeight ? OperandBits : WeightBits) + 1;

  logic signed [ProductWidth-1:0] product_d [Columns][Rows];
  logic signed [SumWidth-1:0] wide [Columns][Rows];
  logic [NarrowWidth-1:0] narrow [Columns][Rows];

  function automatic logic [SumWidth-1:0] wide_operand(logic [OperandWidth-1:0] x);
    return SumWidth'(signed'({OperandSigned && x[OperandWidth-1], x}));
  endfunction

  function automatic logic [SumWidth-1:0] wide_weight(logic [WeightWidth-1:0] w);
    return SumWidth'(signed'({WeightSigned && w[WeightWidth-1], w}));
  endfunction

  always_comb begin
    for (int unsigned c = 0; c < Columns; c++) begin
      for (int unsigned r = 0; r < Rows; r++) begin
        wide[c][r] = ByWeight ? wide_operand(operand_i[c*OperandWidth+:OperandWidth])
            : wide_weight(weights_i[(r*Columns+c)*WeightWidth+:WeightWidth]);
        narrow[c][r] = ByWeight
            ? NarrowWidth'(weights_i[(r*Columns+c)*WeightWidth+:WeightWidth])
            : NarrowWidth'(operand_i[c*OperandWidth+:OperandWidth]);
      end
    end
  end

  // The multiples for the bits up to this one, without the bits that no further one changes; the
  // top bit of a signed factor counts negative.
  for (genvar b = 0; b < NarrowWidth; b++) begin : g_bit
    localparam bit Negative = NarrowSigned && b == NarrowWidth - 1;

    logic signed [SumWidth-1:0] sum [Columns][Rows];
    logic signed [SumWidth-1:0] below [Columns][Rows];
    logic signed [SumWidth-1:0] masked [Columns][Rows];
    logic [b:0] done [Columns][Rows];

    if (b == 0) begin : g_first
      always_comb begin
        for (int unsigned c = 0; c < Columns; c++) begin
          for (int unsigned r = 0; r < Rows; r++) begin
            below[c][r] = '0;
          end
        end
      end
    end else begin : g_next
      always_comb begin
        for (int unsigned c = 0; c < Columns; c++) begin
          for (int unsigned r = 0; r < Rows; r++) begin
            below[c][r] = g_bit[b-1].sum[c][r] >>> 1;
          end
        end
      end
    end

    always_comb begin
      for (int unsigned c = 0; c < Columns; c++) begin
        for (int unsigned r = 0; r < Rows; r++) begin
          masked[c][r] = wide[c][r] & {SumWidth{!Masked || narrow[c][r][b]}};
          if (!Masked && !narrow[c][r][b]) sum[c][r] = below[c][r];
          else if (Negative) sum[c][r] = below[c][r] - masked[c][r];
          else sum[c][r] = below[c][r] + masked[c][r];
        end
      end
    end

    // In a process of its own, which reads the sum: the one above makes what the sum is made of.
    if (b == 0) begin : g_first_done
      always_comb begin
        for (int unsigned c = 0; c < Columns; c++) begin
          for (int unsigned r = 0; r < Rows; r++) done[c][r] = 1'(sum[c][r]);
        end
      end
    end else begin : g_next_done
      always_comb begin
        for (int unsigned c = 0; c < Columns; c++) begin
          for (int unsigned r = 0; r < Rows; r++) begin
            done[c][r] = {1'(sum[c][r]), g_bit[b-1].done[c][r]};
          end
        end
      end
    end
  end

  always_comb begin
    for (int unsigned c = 0; c < Columns; c++) begin
      for (int unsigned r = 0; r < Rows; r++) begin
        product_d[c][r] = ProductWidth'(signed'({
            SumWidth'(g_bit[NarrowWidth-1].sum[c][r] >>> 1), g_bit[NarrowWidth-1].done[c][r]}));
      end
    end
  end

  if (Register) begin : g_register
    always_ff @(posedge clk_i) begin
      product_o <= product_d;
    end
  end else begin : g_wire
    logic unused;
    assign unused = clk_i;
    assign product_o = product_d;
  end

endmodule

`default_nettype wire
