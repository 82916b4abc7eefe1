// SPDX-License-Identifier: Apache-2.0
// Takes a vector, then gives it Steps times from the next cycle, a beat a cycle, and takes nothing
// meanwhile. The last beat of all has last.
`default_nettype none

module hwrnn_repeat #(
  parameter int unsigned Width = 8,
  parameter int unsigned Beats = 1,
  parameter int unsigned Steps = 2
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

  localparam int unsigned BeatWidth = (Beats > 1) ? $clog2(Beats) : 1;
  localparam int unsigned StepWidth = (Steps > 1) ? $clog2(Steps) : 1;

  logic [Width-1:0] memory_q [Beats];
  logic [BeatWidth-1:0] beat_q, next_beat;
  logic [StepWidth-1:0] step_q, next_step;
  logic give_q, give_d, take, give, last_beat, last_step;

  assign in_ready_o  = !give_q;
  assign out_valid_o = give_q;
  assign out_data_o  = memory_q[beat_q];
  assign out_last_o  = last_beat && last_step;

  assign take      = in_valid_i && in_ready_o;
  assign give      = out_valid_o && out_ready_i;
  assign last_beat = beat_q == BeatWidth'(Beats - 1);
  assign last_step = step_q == StepWidth'(Steps - 1);
  assign next_beat = last_beat ? '0 : beat_q + BeatWidth'(1);
  assign next_step = last_step ? '0 : step_q + StepWidth'(1);
  assign give_d    = give_q ? !(give && out_last_o) : (take && in_last_i);

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      beat_q <= '0;
      step_q <= '0;
      give_q <= 1'b0;
    end else begin
      if (take || give) beat_q <= next_beat;
      if (give && last_beat) step_q <= next_step;
      give_q <= give_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) memory_q[beat_q] <= in_data_i;
  end

endmodule

`default_nettype wire
