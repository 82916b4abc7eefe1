// SPDX-License-Identifier: Apache-2.0
// Walks through the beats of a vector made of segments, each of which starts a new beat:
// lanes_o is how many lanes the present beat uses; step_i moves on, at the end of the cycle.
`default_nettype none

module hwrnn_beat_counter #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned SegmentCount = 1,
  parameter logic [SegmentCount*32-1:0] Segments = {SegmentCount{32'd1}},
  localparam int unsigned LanesWidth = $clog2(Lanes + 1)
) (
  input  wire logic             clk_i,
  input  wire logic             rst_i,
  input  wire logic             step_i,
  output logic [LanesWidth-1:0] lanes_o
);

  localparam int unsigned IndexWidth = (SegmentCount > 1) ? $clog2(SegmentCount) : 1;

  function automatic int unsigned longest();
    int unsigned most;
    most = 1;
    for (int unsigned k = 0; k < SegmentCount; k++) begin
      if (Segments[k*32+:32] > most) most = Segments[k*32+:32];
    end
    return most;
  endfunction

  localparam int unsigned LeftWidth = $clog2(longest() + 1);

  logic [IndexWidth-1:0] index_q, index_d, next_index;
  logic [LeftWidth-1:0] left_q, left_d;
  logic [31:0] next_segment;
  logic segment_end;

  assign segment_end  = 32'(left_q) <= 32'(Lanes);
  assign lanes_o      = segment_end ? LanesWidth'(left_q) : LanesWidth'(Lanes);
  assign next_index   = (index_q == IndexWidth'(SegmentCount - 1)) ? '0 : index_q + IndexWidth'(1);
  assign next_segment = Segments[32'(next_index)*32+:32];

  always_comb begin
    index_d = index_q;
    left_d  = left_q;
    if (step_i) begin
      index_d = segment_end ? next_index : index_q;
      left_d  = LeftWidth'(segment_end ? next_segment : 32'(left_q) - 32'(Lanes));
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      index_q <= '0;
      left_q  <= LeftWidth'(Segments[31:0]);
    end else begin
      index_q <= index_d;
      left_q  <= left_d;
    end
  end

endmodule

`default_nettype wire
