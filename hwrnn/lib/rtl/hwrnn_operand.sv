// SPDX-License-Identifier: Apache-2.0
// The columns that are multiplied: Simd of x, or Simd of h, brought to one width. Latency 1: what
// is chosen in a cycle with load_i is there from the next one, and stays.
`default_nettype none

module hwrnn_operand #(
  parameter int unsigned Simd = 1,
  parameter int unsigned XWidth = 8,
  parameter bit XSigned = 1'b1,
  parameter int unsigned HWidth = 8,
  parameter bit HSigned = 1'b1,
  parameter int unsigned OperandWidth = 8
) (
  input  wire logic                        clk_i,

  input  wire logic                        load_i,
  input  wire logic                        is_h_i,
  input  wire logic [Simd*XWidth-1:0]      x_data_i,
  input  wire logic [Simd*HWidth-1:0]      h_data_i,
  output logic [Simd*OperandWidth-1:0] operand_o
);

  logic [Simd*OperandWidth-1:0] x_wide, h_wide, operand_q;

  hwrnn_resize #(
    .Lanes  (Simd),
    .XWidth (XWidth),
    .XSigned(XSigned),
    .YWidth (OperandWidth)
  ) u_x_wide (
    .x_i(x_data_i),
    .y_o(x_wide)
  );

  hwrnn_resize #(
    .Lanes  (Simd),
    .XWidth (HWidth),
    .XSigned(HSigned),
    .YWidth (OperandWidth)
  ) u_h_wide (
    .x_i(h_data_i),
    .y_o(h_wide)
  );

  always_ff @(posedge clk_i) begin
    if (load_i) operand_q <= is_h_i ? h_wide : x_wide;
  end

  assign operand_o = operand_q;

endmodule

`default_nettype wire
