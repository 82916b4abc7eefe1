// SPDX-License-Identifier: Apache-2.0
// Requantiser, lane by lane: y = clamp((mul * x + add) >> Shift); TiesEven clears the lowest bit
// when all bits that were shifted out are zero. ByShift: mul_i is the logarithm of a power of two,
// and all is one item with the register RegisterOut; else RegisterMid stands behind the product
// too, and add_i belongs to the cycle behind it. Latency: the registers; a vector a cycle.
`default_nettype none

module hwrnn_requant_scale #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned XWidth = 16,
  parameter bit XSigned = 1'b1,
  parameter int unsigned MulWidth = 8,
  parameter int unsigned AddWidth = 16,
  parameter int unsigned SumWidth = 26,
  parameter int unsigned Shift = 8,
  parameter bit TiesEven = 1'b1,
  parameter bit ByShift = 1'b0,
  parameter int unsigned YWidth = 8,
  parameter int Lo = -128,
  parameter int Hi = 127,
  parameter bit RegisterMid = 1'b1,
  parameter bit RegisterOut = 1'b1
) (
  input  wire logic                      clk_i,
  input  wire logic [Lanes*XWidth-1:0]   x_i,
  input  wire logic [Lanes*MulWidth-1:0] mul_i,
  input  wire logic [Lanes*AddWidth-1:0] add_i,
  output logic [Lanes*YWidth-1:0]        y_o
);

  // Wide enough for the sum and for both bounds, so that one comparison serves all cases.
  localparam int unsigned FullWidth = ((SumWidth > YWidth + 1) ? SumWidth : YWidth + 1) + 1;
  localparam logic signed [FullWidth-1:0] Low = FullWidth'(Lo);
  localparam logic signed [FullWidth-1:0] High = FullWidth'(Hi);

  logic [Lanes*FullWidth-1:0] product_d, product;
  logic [Lanes*YWidth-1:0] y_d;

  function automatic logic [FullWidth-1:0] scale(
      logic [XWidth-1:0] x, logic [MulWidth-1:0] factor);
    logic signed [FullWidth-1:0] wide;
    wide = FullWidth'(signed'({XSigned && x[XWidth-1], x}));
    if (ByShift) return wide <<< factor;
    return wide * FullWidth'(signed'({1'b0, factor}));
  endfunction

  function automatic logic [YWidth-1:0] round(
      logic [FullWidth-1:0] scaled, logic [AddWidth-1:0] offset);
    logic signed [FullWidth-1:0] sum, shifted;
    sum     = signed'(scaled) + FullWidth'(signed'(offset));
    shifted = sum >>> Shift;
    if (TiesEven && (sum == (shifted <<< Shift))) shifted[0] = 1'b0;
    if (shifted < Low) return YWidth'(Low);
    if (shifted > High) return YWidth'(High);
    return YWidth'(shifted);
  endfunction

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      product_d[k*FullWidth+:FullWidth] = scale(x_i[k*XWidth+:XWidth],
                                                mul_i[k*MulWidth+:MulWidth]);
      y_d[k*YWidth+:YWidth] = round(product[k*FullWidth+:FullWidth],
                                    add_i[k*AddWidth+:AddWidth]);
    end
  end

  // The register stands beside the product, so that both fit one hard multiplier. Each lane has its
  // own: of a register that several products share, yosys' iCE40 script keeps one product only.
  if (RegisterMid && !ByShift) begin : g_register
    for (genvar k = 0; k < Lanes; k++) begin : g_lane
      logic [FullWidth-1:0] product_q;

      always_ff @(posedge clk_i) begin
        product_q <= product_d[k*FullWidth+:FullWidth];
      end

      assign product[k*FullWidth+:FullWidth] = product_q;
    end
  end else begin : g_wire
    assign product = product_d;
  end

  hwrnn_register #(
    .Width   (Lanes * YWidth),
    .Register(RegisterOut)
  ) u_y (
    .clk_i,
    .d_i(y_d),
    .q_o(y_o)
  );

endmodule

`default_nettype wire
