// SPDX-License-Identifier: Apache-2.0
// Of each vector of Beats beats, those from number First on, Count of them, pass; the others are
// swallowed. A vector is one sequence: the last beat that passes is its last. Combinational.
`default_nettype none

module hwrnn_crop #(
  parameter int unsigned Beats = 2,
  parameter int unsigned First = 0,
  parameter int unsigned Count = 1
) (
  input  wire logic clk_i,
  input  wire logic rst_i,

  input  wire logic in_last_i,
  input  wire logic in_valid_i,
  output logic      in_ready_o,

  output logic      out_last_o,
  output logic      out_valid_o,
  input  wire logic out_ready_i
);

  if (Count < 1 || First + Count > Beats) begin : g_check_piece
    $error("hwrnn_crop: Count is %0d from First %0d on, but a vector has %0d beats",
           Count, First, Beats);
  end

  localparam int unsigned BeatWidth = (Beats > 1) ? $clog2(Beats) : 1;

  logic [BeatWidth-1:0] beat_q, beat_d;
  logic pass, take, unused_last;

  assign pass        = 32'(beat_q) - 32'(First) < 32'(Count);
  assign in_ready_o  = !pass || out_ready_i;
  assign out_valid_o = pass && in_valid_i;
  assign out_last_o  = beat_q == BeatWidth'(First + Count - 1);
  assign take        = in_valid_i && in_ready_o;
  assign beat_d      = (beat_q == BeatWidth'(Beats - 1)) ? '0 : beat_q + BeatWidth'(1);
  assign unused_last = in_last_i;

  always_ff @(posedge clk_i) begin
    if (rst_i) beat_q <= '0;
    else if (take) beat_q <= beat_d;
  end

endmodule

`default_nettype wire
