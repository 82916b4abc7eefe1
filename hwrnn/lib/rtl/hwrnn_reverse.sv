// SPDX-License-Identifier: Apache-2.0
// The steps of each sequence, last first; the beats of a step stay in order. Two banks of MaxSteps
// steps: one is filled while the other is read. A bank is full from the cycle after its last beat;
// reads are issued one a cycle while there is a credit, a read issued at t is written out at t + 1;
// the bank is free from the cycle after its last read.
`default_nettype none

module hwrnn_reverse #(
  parameter int unsigned Width = 8,
  parameter int unsigned Beats = 1,
  parameter int unsigned MaxSteps = 1,
  parameter int unsigned OutDepth = 2,
  parameter string Style = "auto"
) (
  input  wire logic             clk_i,
  input  wire logic             rst_i,

  input  wire logic [Width-1:0] in_data_i,
  input  wire logic             in_last_i,
  input  wire logic             in_valid_i,
  output logic                  in_ready_o,

  output logic [Width-1:0]      out_data_o,
  output logic                  out_last_o,
  output logic                  out_valid_o,
  input  wire logic             out_pop_i
);

  localparam int unsigned Depth = Beats * MaxSteps;
  localparam int unsigned AddressWidth = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int unsigned BeatWidth = (Beats > 1) ? $clog2(Beats) : 1;

  typedef logic [AddressWidth-1:0] address_t;

  (* ram_style = Style *) logic [Width-1:0] memory_q [2*Depth];
  address_t start_q [2];  // first beat of the bank's last step
  address_t write_q, write_d, read_q, read_d, step_q, step_d;
  logic [BeatWidth-1:0] in_beat_q, in_beat_d, out_beat_q, out_beat_d;
  logic [1:0] full_q, full_d;
  logic write_bank_q, write_bank_d, read_bank_q, read_bank_d, reading_q, reading_d;
  logic take, read, credit, in_step_end, out_step_end, read_end;
  address_t step_now, read_now;
  logic [Width-1:0] data_q;
  logic last_q, valid_q;

  hwrnn_credit #(
    .Depth(OutDepth)
  ) u_credit (
    .clk_i,
    .rst_i,
    .take_i(read),
    .give_i(out_pop_i),
    .ok_o  (credit)
  );

  assign out_data_o  = data_q;
  assign out_last_o  = last_q;
  assign out_valid_o = valid_q;

  assign in_ready_o  = !full_q[write_bank_q];
  assign take        = in_valid_i && in_ready_o;
  assign in_step_end = in_beat_q == BeatWidth'(Beats - 1);

  // The first read of a bank starts at its last step, which no register of the reader holds yet.
  assign step_now     = reading_q ? step_q : start_q[read_bank_q];
  assign read_now     = reading_q ? read_q : start_q[read_bank_q];
  assign read         = full_q[read_bank_q] && credit;
  assign out_step_end = out_beat_q == BeatWidth'(Beats - 1);
  assign read_end     = read && out_step_end && step_now == '0;

  always_comb begin
    write_d      = write_q;
    in_beat_d    = in_beat_q;
    write_bank_d = write_bank_q;
    if (take) begin
      write_d   = in_last_i ? '0 : write_q + address_t'(1);
      in_beat_d = in_step_end ? '0 : in_beat_q + BeatWidth'(1);
      if (in_last_i) write_bank_d = !write_bank_q;
    end
  end

  always_comb begin
    read_d      = read_q;
    step_d      = step_q;
    out_beat_d  = out_beat_q;
    read_bank_d = read_bank_q;
    reading_d   = reading_q;
    if (read) begin
      step_d      = out_step_end ? step_now - address_t'(Beats) : step_now;
      read_d      = out_step_end ? step_d : read_now + address_t'(1);
      out_beat_d  = out_step_end ? '0 : out_beat_q + BeatWidth'(1);
      read_bank_d = read_end ? !read_bank_q : read_bank_q;
      reading_d   = !read_end;
    end
  end

  always_comb begin
    full_d = full_q;
    if (take && in_last_i) full_d[write_bank_q] = 1'b1;
    if (read_end) full_d[read_bank_q] = 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_q      <= '0;
      in_beat_q    <= '0;
      write_bank_q <= 1'b0;
      out_beat_q   <= '0;
      read_bank_q  <= 1'b0;
      reading_q    <= 1'b0;
      full_q       <= '0;
      valid_q      <= 1'b0;
    end else begin
      write_q      <= write_d;
      in_beat_q    <= in_beat_d;
      write_bank_q <= write_bank_d;
      out_beat_q   <= out_beat_d;
      read_bank_q  <= read_bank_d;
      reading_q    <= reading_d;
      full_q       <= full_d;
      valid_q      <= read;
    end
  end

  always_ff @(posedge clk_i) begin
    read_q <= read_d;
    step_q <= step_d;
    if (take && in_last_i) start_q[write_bank_q] <= write_q - address_t'(Beats - 1);
    if (take) memory_q[32'(write_q)+(write_bank_q ? Depth : 32'd0)] <= in_data_i;
    data_q <= memory_q[32'(read_now)+(read_bank_q ? Depth : 32'd0)];
    last_q <= read_end;
  end

endmodule

`default_nettype wire
