// SPDX-License-Identifier: Apache-2.0
// Windows over time: all beats of Size steps, the next window Stride steps later, with Before and
// After steps of Fill around the sequence. A window is given from the cycle after it is complete
// and known to be the last or not, which takes Needed steps or the end of the sequence; nothing is
// taken meanwhile. A beat a cycle. A sequence without a window gives nothing.
`default_nettype none

module hwrnn_slide #(
  parameter int unsigned Width = 8,
  parameter int unsigned Beats = 1,
  parameter int unsigned Size = 3,
  parameter int unsigned Stride = 1,
  parameter int unsigned Before = 0,
  parameter int unsigned After = 0,
  parameter logic [Width-1:0] Fill = '0
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
  input  wire logic             out_ready_i
);

  if (Before >= Size || After >= Size) begin : g_check_padding
    $error("hwrnn_slide: pads %0d and %0d steps, Size is %0d", Before, After, Size);
  end

  localparam int unsigned Needed = Size + ((Stride > After) ? Stride - After : 0);
  localparam int unsigned Depth = Needed * Beats;
  localparam int unsigned AddressWidth = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int unsigned StepWidth = $clog2(Needed + Size + Stride + 1);
  localparam int unsigned BeatWidth = (Beats > 1) ? $clog2(Beats) : 1;

  typedef logic [AddressWidth-1:0] address_t;
  typedef logic [StepWidth-1:0] step_t;

  logic [Width-1:0] memory_q [Depth];
  address_t write_q, write_d, read_q, read_d, start_q, start_d;
  step_t filled_q, filled_d;  // steps from the window's start on, those of Before included
  step_t pads_q, pads_d;      // of these: steps of Before
  step_t tap_q, tap_d;
  logic [BeatWidth-1:0] beat_q, beat_d;
  logic ended_q, ended_d;
  logic give, take, move, last_beat, last_tap, last_window, too_short, real_step;

  // The address `steps` steps further on.
  function automatic address_t ahead(address_t address, step_t steps);
    logic [31:0] sum;
    sum = 32'(address) + 32'(steps) * Beats;
    return address_t'((sum >= Depth) ? sum - Depth : sum);
  endfunction

  function automatic address_t next_beat_of(address_t address);
    return (address == address_t'(Depth - 1)) ? '0 : address + address_t'(1);
  endfunction

  assign give        = ended_q || filled_q == step_t'(Needed);
  assign last_beat   = beat_q == BeatWidth'(Beats - 1);
  assign last_tap    = tap_q == step_t'(Size - 1);
  assign last_window = ended_q && filled_q + step_t'(After) < step_t'(Size + Stride);
  assign too_short   = filled_q + step_t'(After + 1) < step_t'(Size);
  assign real_step   = tap_q >= pads_q && tap_q < filled_q;

  assign in_ready_o  = !give;
  assign out_valid_o = give;
  assign out_data_o  = real_step ? memory_q[read_q] : Fill;
  assign out_last_o  = last_beat && last_tap && last_window;
  assign take        = in_valid_i && in_ready_o;
  assign move        = out_valid_o && out_ready_i;

  always_comb begin
    write_d  = write_q;
    read_d   = read_q;
    start_d  = start_q;
    filled_d = filled_q;
    pads_d   = pads_q;
    tap_d    = tap_q;
    beat_d   = beat_q;
    ended_d  = ended_q;
    if (take || move) beat_d = last_beat ? '0 : beat_q + BeatWidth'(1);
    if (take) begin
      write_d = next_beat_of(write_q);
      if (last_beat) begin
        filled_d = filled_q + step_t'(1);
        ended_d  = in_last_i;
      end
    end
    if (move) begin
      if (real_step) read_d = next_beat_of(read_q);
      if (last_beat) tap_d = last_tap ? '0 : tap_q + step_t'(1);
      if (last_beat && last_tap) begin
        filled_d = filled_q - step_t'(Stride);
        pads_d   = (pads_q > step_t'(Stride)) ? pads_q - step_t'(Stride) : '0;
        start_d  = (pads_q > step_t'(Stride)) ? start_q : ahead(start_q, step_t'(Stride) - pads_q);
        read_d   = start_d;
      end
    end
    if ((take && in_last_i && last_beat && too_short) || (move && out_last_o)) begin
      write_d  = '0;
      read_d   = '0;
      start_d  = '0;
      filled_d = step_t'(Before);
      pads_d   = step_t'(Before);
      ended_d  = 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_q  <= '0;
      read_q   <= '0;
      start_q  <= '0;
      filled_q <= step_t'(Before);
      pads_q   <= step_t'(Before);
      tap_q    <= '0;
      beat_q   <= '0;
      ended_q  <= 1'b0;
    end else begin
      write_q  <= write_d;
      read_q   <= read_d;
      start_q  <= start_d;
      filled_q <= filled_d;
      pads_q   <= pads_d;
      tap_q    <= tap_d;
      beat_q   <= beat_d;
      ended_q  <= ended_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) memory_q[write_q] <= in_data_i;
  end

endmodule

`default_nettype wire
