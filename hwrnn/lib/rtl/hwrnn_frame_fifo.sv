// SPDX-License-Identifier: Apache-2.0
// Holds whole sequences: the beats of one can be read from the cycle after its last beat, a read
// issued at t is written out at t + 1 (credits), one a cycle. in_drop_i, with a beat, forgets the
// sequence so far. Depth must hold two sequences of the greatest length.
`default_nettype none

module hwrnn_frame_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 4,
  parameter int unsigned OutDepth = 2,
  parameter string Style = "auto"
) (
  input  wire logic             clk_i,
  input  wire logic             rst_i,

  input  wire logic [Width-1:0] in_data_i,
  input  wire logic             in_last_i,
  input  wire logic             in_valid_i,
  input  wire logic             in_drop_i,
  output logic                  in_ready_o,

  output logic [Width-1:0]      out_data_o,
  output logic                  out_last_o,
  output logic                  out_valid_o,
  input  wire logic             out_pop_i
);

  if (Depth < 2) begin : g_check_depth
    $error("hwrnn_frame_fifo: Depth is %0d, it must be at least 2", Depth);
  end

  localparam int unsigned PointerWidth = $clog2(Depth);
  localparam int unsigned CountWidth = $clog2(Depth + 1);

  typedef logic [PointerWidth-1:0] pointer_t;
  typedef logic [CountWidth-1:0] count_t;

  (* ram_style = Style *) logic [Width:0] memory_q [Depth];
  pointer_t write_q, write_d, start_q, start_d, read_q, read_d;
  count_t used_q, used_d, frame_q, frame_d, whole_q, whole_d;
  logic [Width-1:0] data_q;
  logic last_q, valid_q, push, read, credit;

  hwrnn_credit #(
    .Depth(OutDepth)
  ) u_credit (
    .clk_i,
    .rst_i,
    .take_i(read),
    .give_i(out_pop_i),
    .ok_o  (credit)
  );

  function automatic pointer_t after(pointer_t pointer);
    return (pointer == pointer_t'(Depth - 1)) ? '0 : pointer + pointer_t'(1);
  endfunction

  assign out_data_o  = data_q;
  assign out_last_o  = last_q;
  assign out_valid_o = valid_q;

  assign in_ready_o = used_q != count_t'(Depth);
  assign push       = in_valid_i && in_ready_o;
  assign read       = whole_q != '0 && credit;

  always_comb begin
    write_d = write_q;
    start_d = start_q;
    frame_d = frame_q;
    used_d  = used_q;
    whole_d = whole_q;
    if (push && in_drop_i) begin
      write_d = start_q;
      frame_d = '0;
      used_d  = used_q - frame_q;
    end else if (push) begin
      write_d = after(write_q);
      used_d  = used_q + count_t'(1);
      frame_d = in_last_i ? '0 : frame_q + count_t'(1);
      if (in_last_i) begin
        start_d = write_d;
        whole_d = whole_q + frame_q + count_t'(1);
      end
    end
    if (read) begin
      used_d  = used_d - count_t'(1);
      whole_d = whole_d - count_t'(1);
    end
  end

  assign read_d = read ? after(read_q) : read_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_q <= '0;
      start_q <= '0;
      read_q  <= '0;
      used_q  <= '0;
      frame_q <= '0;
      whole_q <= '0;
      valid_q <= 1'b0;
    end else begin
      write_q <= write_d;
      start_q <= start_d;
      read_q  <= read_d;
      used_q  <= used_d;
      frame_q <= frame_d;
      whole_q <= whole_d;
      valid_q <= read;
    end
  end

  always_ff @(posedge clk_i) begin
    if (push) memory_q[write_q] <= {in_last_i, in_data_i};
    {last_q, data_q} <= memory_q[read_q];
  end

endmodule

`default_nettype wire
