// SPDX-License-Identifier: Apache-2.0
// Takes the escapes of SLIP (RFC 1055) out of a stream of bytes: end_o for an END, out_valid_o for
// a byte of the frame. Combinational but for the memory of an ESC; what else follows an ESC passes
// unchanged, and the frame's checksum tells.
`default_nettype none

module hwrnn_uart_unslip (
  input  wire logic       clk_i,
  input  wire logic       rst_i,
  input  wire logic [7:0] in_data_i,
  input  wire logic       in_valid_i,
  output logic [7:0]      out_data_o,
  output logic            out_valid_o,
  output logic            end_o
);

  localparam logic [7:0] End = 8'hc0;
  localparam logic [7:0] Esc = 8'hdb;
  localparam logic [7:0] EscapedEnd = 8'hdc;
  localparam logic [7:0] EscapedEsc = 8'hdd;

  logic escape, escaped_q, escaped_d;

  assign end_o       = in_valid_i && in_data_i == End;
  assign escape      = in_valid_i && in_data_i == Esc;
  assign out_valid_o = in_valid_i && !end_o && !escape;
  assign escaped_d   = in_valid_i ? escape : escaped_q;

  always_comb begin
    out_data_o = in_data_i;
    if (escaped_q && in_data_i == EscapedEnd) out_data_o = End;
    if (escaped_q && in_data_i == EscapedEsc) out_data_o = Esc;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) escaped_q <= 1'b0;
    else escaped_q <= escaped_d;
  end

endmodule

`default_nettype wire
