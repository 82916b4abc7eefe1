// SPDX-License-Identifier: Apache-2.0
// Puts the escapes of SLIP (RFC 1055) into a stream of bytes; a beat with in_end_i is an END.
// Combinational but for the memory of an ESC; an escaped byte takes two beats.
`default_nettype none

module hwrnn_uart_slip (
  input  wire logic       clk_i,
  input  wire logic       rst_i,
  input  wire logic [7:0] in_data_i,
  input  wire logic       in_end_i,
  input  wire logic       in_valid_i,
  output logic            in_ready_o,
  output logic [7:0]      out_data_o,
  output logic            out_valid_o,
  input  wire logic       out_ready_i
);

  localparam logic [7:0] End = 8'hc0;
  localparam logic [7:0] Esc = 8'hdb;
  localparam logic [7:0] EscapedEnd = 8'hdc;
  localparam logic [7:0] EscapedEsc = 8'hdd;

  logic special, escaped_q, escaped_d;

  assign special     = !in_end_i && (in_data_i == End || in_data_i == Esc);
  assign out_valid_o = in_valid_i;
  assign in_ready_o  = out_ready_i && (!special || escaped_q);
  assign escaped_d   = (in_valid_i && out_ready_i) ? special && !escaped_q : escaped_q;

  always_comb begin
    out_data_o = in_data_i;
    if (in_end_i) out_data_o = End;
    else if (special && !escaped_q) out_data_o = Esc;
    else if (special) out_data_o = (in_data_i == End) ? EscapedEnd : EscapedEsc;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) escaped_q <= 1'b0;
    else escaped_q <= escaped_d;
  end

endmodule

`default_nettype wire
