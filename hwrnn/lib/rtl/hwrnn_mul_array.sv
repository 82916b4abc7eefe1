// SPDX-License-Identifier: Apache-2.0
// Products of Rows weights with each of Columns operands: weight * operand = product_o + carry_o.
// Hard multipliers take Lanes rows each (see hwrnn_mul_packed), or with Lut none at all. Rows that
// do not fill one share one nevertheless in some of the columns, and do without in the others, so
// that there are no more multipliers than a Lanes-th of the products, rounded up. A single product
// of few bits is not worth one (AloneBits; synthesis tools think so, too). The weights come row by
// row; products and carries leave as arrays [column][row], which a simulator keeps as arrays.
// Latency: 1 with Register, else 0. A set a cycle.
`default_nettype none

module hwrnn_mul_array #(
  parameter int unsigned Rows = 1,
  parameter int unsigned Columns = 1,
  parameter bit Lut = 1'b0,
  parameter bit Masked = 1'b1,
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

  localparam int unsigned FullRows = Lut ? 0 : Rows / Lanes * Lanes;
  localparam int unsigned RestRows = Rows - FullRows;
  localparam int unsigned OperandBits = OperandSigned ? OperandWidth : OperandWidth + 1;
  localparam int unsigned WeightBits = WeightSigned ? WeightWidth : WeightWidth + 1;
  localparam int unsigned AloneBits = 10;
  localparam bit Worth = RestRows > 1 || WeightBits + OperandBits > AloneBits;
  localparam int unsigned HardColumns
      = (!Lut && Worth) ? (RestRows * Columns + Lanes - 1) / Lanes : 0;
  localparam int unsigned SoftColumns = (RestRows > 0) ? Columns - HardColumns : 0;

  if (FullRows > 0) begin : g_full
    logic signed [ProductWidth-1:0] product [Columns][FullRows];
    logic carry [Columns][FullRows];

    hwrnn_mul_packed #(
      .Rows         (FullRows),
      .Columns      (Columns),
      .Lanes        (Lanes),
      .Spacing      (Spacing),
      .Overlap      (Overlap),
      .PackedWidth  (PackedWidth),
      .Register     (Register),
      .OperandWidth (OperandWidth),
      .OperandSigned(OperandSigned),
      .WeightWidth  (WeightWidth),
      .WeightSigned (WeightSigned),
      .ProductWidth (ProductWidth)
    ) u_packed (
      .clk_i,
      .operand_i,
      .weights_i(weights_i[FullRows*Columns*WeightWidth-1:0]),
      .product_o(product),
      .carry_o  (carry)
    );
  end

  if (RestRows > 0) begin : g_rest
    logic signed [ProductWidth-1:0] rest [Columns][RestRows];
    logic rest_carry [Columns][RestRows];

    if (HardColumns > 0) begin : g_hard
      logic [RestRows*HardColumns*WeightWidth-1:0] weights;
      logic signed [ProductWidth-1:0] product [HardColumns][RestRows];
      logic carry [HardColumns][RestRows];

      hwrnn_mul_packed #(
        .Rows         (RestRows),
        .Columns      (HardColumns),
        .Lanes        (RestRows),
        .Spacing      (Spacing),
        .Overlap      (Overlap),
        .PackedWidth  ((RestRows > 1) ? PackedWidth - (Lanes - RestRows) * Spacing : WeightBits),
        .Register     (Register),
        .OperandWidth (OperandWidth),
        .OperandSigned(OperandSigned),
        .WeightWidth  (WeightWidth),
        .WeightSigned (WeightSigned),
        .ProductWidth (ProductWidth)
      ) u_packed (
        .clk_i,
        .operand_i(operand_i[HardColumns*OperandWidth-1:0]),
        .weights_i(weights),
        .product_o(product),
        .carry_o  (carry)
      );

      for (genvar r = 0; r < RestRows; r++) begin : g_row
        localparam int unsigned First = (FullRows + r) * Columns;

        assign weights[r*HardColumns*WeightWidth+:HardColumns*WeightWidth]
            = weights_i[First*WeightWidth+:HardColumns*WeightWidth];
      end

      for (genvar c = 0; c < HardColumns; c++) begin : g_column
        assign rest[c] = product[c];
        assign rest_carry[c] = carry[c];
      end
    end

    if (SoftColumns > 0) begin : g_soft
      logic [RestRows*SoftColumns*WeightWidth-1:0] weights;
      logic signed [ProductWidth-1:0] product [SoftColumns][RestRows];

      hwrnn_mul_lut #(
        .Rows         (RestRows),
        .Columns      (SoftColumns),
        .Masked       (Masked),
        .Register     (Register),
        .OperandWidth (OperandWidth),
        .OperandSigned(OperandSigned),
        .WeightWidth  (WeightWidth),
        .WeightSigned (WeightSigned),
        .ProductWidth (ProductWidth)
      ) u_lut (
        .clk_i,
        .operand_i(operand_i[Columns*OperandWidth-1:HardColumns*OperandWidth]),
        .weights_i(weights),
        .product_o(product)
      );

      for (genvar r = 0; r < RestRows; r++) begin : g_row
        localparam int unsigned First = (FullRows + r) * Columns + HardColumns;

        assign weights[r*SoftColumns*WeightWidth+:SoftColumns*WeightWidth]
            = weights_i[First*WeightWidth+:SoftColumns*WeightWidth];
      end

      for (genvar c = 0; c < SoftColumns; c++) begin : g_column
        assign rest[HardColumns+c] = product[c];

        always_comb begin
          for (int unsigned r = 0; r < RestRows; r++) begin
            rest_carry[HardColumns+c][r] = 1'b0;
          end
        end
      end
    end
  end

  if (RestRows == 0) begin : g_only_full
    assign product_o = g_full.product;
    assign carry_o = g_full.carry;
  end else if (FullRows == 0) begin : g_only_rest
    assign product_o = g_rest.rest;
    assign carry_o = g_rest.rest_carry;
  end else begin : g_both
    always_comb begin
      for (int unsigned c = 0; c < Columns; c++) begin
        for (int unsigned r = 0; r < FullRows; r++) begin
          product_o[c][r] = g_full.product[c][r];
          carry_o[c][r] = g_full.carry[c][r];
        end
        for (int unsigned r = 0; r < RestRows; r++) begin
          product_o[c][FullRows+r] = g_rest.rest[c][r];
          carry_o[c][FullRows+r] = g_rest.rest_carry[c][r];
        end
      end
    end
  end

endmodule

`default_nettype wire
