// SPDX-License-Identifier: Apache-2.0
// Bytes, the first in the low bits, to AXI4-Stream beats of Bytes bytes. Bit 8 of a byte ends the
// sequence and with it the beat, be it whole or not. A beat every Bytes + 1 cycles.
`default_nettype none

module hwrnn_uart_to_axis #(
  parameter int unsigned Bytes = 1
) (
  input  wire logic               clk_i,
  input  wire logic               rst_i,

  input  wire logic [8:0]         in_data_i,
  input  wire logic               in_valid_i,
  output logic                    in_ready_o,

  output logic [Bytes*8-1:0]      m_axis_tdata,
  output logic                    m_axis_tvalid,
  input  wire logic               m_axis_tready,
  output logic                    m_axis_tlast
);

  localparam int unsigned CountWidth = (Bytes > 1) ? $clog2(Bytes) : 1;

  logic [Bytes*8-1:0] data_q, data_d, shifted;
  logic [CountWidth-1:0] count_q, count_d;
  logic valid_q, valid_d, last_q, last_d, take, whole;

  if (Bytes > 1) begin : g_shift
    assign shifted = {in_data_i[7:0], data_q[Bytes*8-1:8]};
  end else begin : g_byte
    assign shifted = in_data_i[7:0];
  end

  assign in_ready_o = !valid_q;
  assign take       = in_valid_i && in_ready_o;
  assign whole      = in_data_i[8] || count_q == CountWidth'(Bytes - 1);

  assign m_axis_tdata  = data_q;
  assign m_axis_tvalid = valid_q;
  assign m_axis_tlast  = last_q;

  assign data_d  = take ? shifted : data_q;
  assign last_d  = take ? in_data_i[8] : last_q;
  assign count_d = !take ? count_q : whole ? '0 : count_q + CountWidth'(1);
  assign valid_d = take ? whole : valid_q && !m_axis_tready;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      count_q <= '0;
      valid_q <= 1'b0;
    end else begin
      count_q <= count_d;
      valid_q <= valid_d;
    end
    data_q <= data_d;
    last_q <= last_d;
  end

endmodule

`default_nettype wire
