// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream beats of Bytes bytes to bytes, the low bits first; bit 8 marks the last byte of a
// sequence. Combinational but for the count: the beat is taken with its last byte.
`default_nettype none

module hwrnn_uart_from_axis #(
  parameter int unsigned Bytes = 1
) (
  input  wire logic               clk_i,
  input  wire logic               rst_i,

  input  wire logic [Bytes*8-1:0] s_axis_tdata,
  input  wire logic               s_axis_tvalid,
  output logic                    s_axis_tready,
  input  wire logic               s_axis_tlast,

  output logic [8:0]              out_data_o,
  output logic                    out_valid_o,
  input  wire logic               out_ready_i
);

  localparam int unsigned CountWidth = (Bytes > 1) ? $clog2(Bytes) : 1;

  logic [CountWidth-1:0] count_q, count_d;
  logic put, at_end;

  assign at_end        = count_q == CountWidth'(Bytes - 1);
  assign put           = out_valid_o && out_ready_i;
  assign s_axis_tready = out_ready_i && at_end;
  assign out_valid_o   = s_axis_tvalid;
  assign count_d       = !put ? count_q : at_end ? '0 : count_q + CountWidth'(1);

  always_comb begin
    out_data_o = {s_axis_tlast && at_end, 8'd0};
    for (int unsigned k = 0; k < Bytes; k++) begin
      if (count_q == CountWidth'(k)) out_data_o[7:0] = s_axis_tdata[k*8+:8];
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) count_q <= '0;
    else count_q <= count_d;
  end

endmodule

`default_nettype wire
