// SPDX-License-Identifier: Apache-2.0
// Bytes from the design to the line: what was read stays until forget_i, and is read again after
// rewind_i. Holds Depth - 1 bytes. out_data_o follows the read address by two cycles at most;
// reads must be further apart than that.
`default_nettype none

module hwrnn_uart_outbox #(
  parameter int unsigned Depth = 256
) (
  input  wire logic       clk_i,
  input  wire logic       rst_i,

  input  wire logic [8:0] in_data_i,
  input  wire logic       in_valid_i,
  output logic            in_ready_o,

  input  wire logic       forget_i,
  input  wire logic       rewind_i,
  output logic            empty_o,

  output logic [8:0]      out_data_o,
  output logic            out_valid_o,
  input  wire logic       out_read_i
);

  localparam int unsigned Bits = $clog2(Depth);

  if (Depth != 32'd1 << Bits || Bits < 8 || Bits > 16) begin : g_check_depth
    $error("hwrnn_uart_outbox: Depth is %0d, it must be a power of two from 256 to 65536", Depth);
  end

  (* no_rw_check *) logic [8:0] memory_q [Depth];  // a byte is never read while it is written
  logic [8:0] data_q;
  logic [Bits-1:0] write_q, write_d, start_q, start_d, read_q, read_d;
  logic valid_q, valid_d, push;

  assign in_ready_o = write_q + Bits'(1) != start_q;
  assign push       = in_valid_i && in_ready_o;
  assign empty_o    = write_q == read_q;

  assign out_data_o  = data_q;
  assign out_valid_o = valid_q;

  assign write_d = push ? write_q + Bits'(1) : write_q;
  assign start_d = forget_i ? read_q : start_q;
  assign read_d  = rewind_i ? start_q : out_read_i ? read_q + Bits'(1) : read_q;
  assign valid_d = !empty_o;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_q <= '0;
      start_q <= '0;
      read_q  <= '0;
      valid_q <= 1'b0;
    end else begin
      write_q <= write_d;
      start_q <= start_d;
      read_q  <= read_d;
      valid_q <= valid_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (push) memory_q[write_q] <= in_data_i;
    data_q <= memory_q[read_q];
  end

endmodule

`default_nettype wire
