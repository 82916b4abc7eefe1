// SPDX-License-Identifier: Apache-2.0
// The larger of two vectors, lane by lane; YWidth must hold it. Latency Register, a vector a
// cycle.
`default_nettype none

module hwrnn_max #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned AWidth = 8,
  parameter bit ASigned = 1'b1,
  parameter int unsigned BWidth = 8,
  parameter bit BSigned = 1'b1,
  parameter int unsigned YWidth = 8,
  parameter bit Register = 1'b1
) (
  input  wire logic                    clk_i,
  input  wire logic [Lanes*AWidth-1:0] a_i,
  input  wire logic [Lanes*BWidth-1:0] b_i,
  output logic [Lanes*YWidth-1:0]      y_o
);

  localparam int unsigned Operands = (AWidth > BWidth) ? AWidth : BWidth;
  localparam int unsigned FullWidth = ((Operands > YWidth) ? Operands : YWidth) + 2;

  logic [Lanes*YWidth-1:0] y_d;

  function automatic logic [YWidth-1:0] larger(
      logic [AWidth-1:0] a, logic [BWidth-1:0] b);
    logic signed [FullWidth-1:0] wide_a, wide_b;
    wide_a = FullWidth'(signed'({ASigned && a[AWidth-1], a}));
    wide_b = FullWidth'(signed'({BSigned && b[BWidth-1], b}));
    return YWidth'((wide_a > wide_b) ? wide_a : wide_b);
  endfunction

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      y_d[k*YWidth+:YWidth] = larger(a_i[k*AWidth+:AWidth], b_i[k*BWidth+:BWidth]);
    end
  end

  hwrnn_register #(
    .Width   (Lanes * YWidth),
    .Register(Register)
  ) u_y (
    .clk_i,
    .d_i(y_d),
    .q_o(y_o)
  );

endmodule

`default_nettype wire
