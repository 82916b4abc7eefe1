// SPDX-License-Identifier: Apache-2.0
// Bytes from the line to the design: what was written is handed on only after keep_i, and forgotten
// after drop_i. Holds Depth - 1 bytes; a write beyond that sets lost_o until keep_i or drop_i.
// free_o: room for that many bytes, at most 255. A byte every two cycles.
`default_nettype none

module hwrnn_uart_inbox #(
  parameter int unsigned Depth = 256
) (
  input  wire logic       clk_i,
  input  wire logic       rst_i,

  input  wire logic [8:0] in_data_i,
  input  wire logic       in_write_i,
  input  wire logic       keep_i,
  input  wire logic       drop_i,
  output logic            lost_o,
  output logic [7:0]      free_o,
  output logic            empty_o,

  output logic [8:0]      out_data_o,
  output logic            out_valid_o,
  input  wire logic       out_ready_i
);

  localparam int unsigned Bits = $clog2(Depth);

  if (Depth != 32'd1 << Bits || Bits < 8 || Bits > 16) begin : g_check_depth
    $error("hwrnn_uart_inbox: Depth is %0d, it must be a power of two from 256 to 65536", Depth);
  end

  (* no_rw_check *) logic [8:0] memory_q [Depth];  // a byte is never read while it is written
  logic [8:0] data_q;
  logic [Bits-1:0] write_q, write_d, kept_q, kept_d, read_q, read_d, room;
  logic lost_q, lost_d, valid_q, valid_d, full, take;

  assign full    = write_q + Bits'(1) == read_q;
  assign room    = read_q - kept_q - Bits'(1);
  assign empty_o = kept_q == read_q;
  assign take    = out_valid_o && out_ready_i;
  assign lost_o  = lost_q;

  assign out_data_o  = data_q;
  assign out_valid_o = valid_q;

  if (Bits > 8) begin : g_large
    assign free_o = (room[Bits-1:8] != '0) ? 8'hff : room[7:0];
  end else begin : g_small
    assign free_o = room;
  end

  always_comb begin
    write_d = write_q;
    kept_d  = kept_q;
    lost_d  = lost_q;
    if (keep_i) kept_d = write_q;
    else if (drop_i) write_d = kept_q;
    else if (in_write_i && !full) write_d = write_q + Bits'(1);
    if (keep_i || drop_i) lost_d = 1'b0;
    else if (in_write_i && full) lost_d = 1'b1;
  end

  assign read_d  = take ? read_q + Bits'(1) : read_q;
  assign valid_d = !empty_o && !take;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_q <= '0;
      kept_q  <= '0;
      read_q  <= '0;
      lost_q  <= 1'b0;
      valid_q <= 1'b0;
    end else begin
      write_q <= write_d;
      kept_q  <= kept_d;
      read_q  <= read_d;
      lost_q  <= lost_d;
      valid_q <= valid_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (in_write_i && !full) memory_q[write_q] <= in_data_i;
    data_q <= memory_q[read_q];
  end

endmodule

`default_nettype wire
