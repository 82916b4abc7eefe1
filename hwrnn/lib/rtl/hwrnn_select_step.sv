// SPDX-License-Identifier: Apache-2.0
// Keeps one step of each sequence. First: passes the first step on, combinationally, and swallows
// the rest. Else it stores each step over the one before; when the beat with last has come at t,
// it gives the stored step from t + 1, a beat a cycle, and takes nothing meanwhile.
// Streams: with more than one, the stream's number is in the highest bits of the data; the first
// step is that of each stream's sequence.
`default_nettype none

module hwrnn_select_step #(
  parameter int unsigned Width = 8,
  parameter int unsigned Beats = 1,
  parameter bit First = 1'b0,
  parameter int unsigned Streams = 1,
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
  input  wire logic             out_ready_i
);

  localparam int unsigned BeatWidth = (Beats > 1) ? $clog2(Beats) : 1;

  logic [BeatWidth-1:0] beat_q, next_beat;
  logic last_beat, take;

  assign last_beat = beat_q == BeatWidth'(Beats - 1);
  assign next_beat = last_beat ? '0 : beat_q + BeatWidth'(1);
  assign take      = in_valid_i && in_ready_o;

  if (First) begin : g_first
    localparam int unsigned IdWidth = (Streams > 1) ? $clog2(Streams) : 1;

    logic [Streams-1:0] pass_q, pass_d;
    logic [IdWidth-1:0] id;
    logic pass;

    if (Streams > 1) begin : g_streams
      assign id = in_data_i[Width-1-:IdWidth];
    end else begin : g_one_stream
      assign id = '0;
    end

    assign pass        = pass_q[id];
    assign in_ready_o  = !pass || out_ready_i;
    assign out_data_o  = in_data_i;
    assign out_valid_o = pass && in_valid_i;
    assign out_last_o  = last_beat;

    always_comb begin
      pass_d = pass_q;
      if (take) pass_d[id] = (pass && !last_beat) || in_last_i;
    end

    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        beat_q <= '0;
        pass_q <= '1;
      end else begin
        if (take) beat_q <= next_beat;
        pass_q <= pass_d;
      end
    end
  end else begin : g_last
    (* ram_style = Style *) logic [Width-1:0] memory_q [Beats];
    logic give_q, give_d, give;

    assign in_ready_o  = !give_q;
    assign out_data_o  = memory_q[beat_q];
    assign out_valid_o = give_q;
    assign out_last_o  = last_beat;
    assign give        = out_valid_o && out_ready_i;
    assign give_d      = give_q ? !(give && last_beat) : (take && in_last_i);

    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        beat_q <= '0;
        give_q <= 1'b0;
      end else begin
        if (take || give) beat_q <= next_beat;
        give_q <= give_d;
      end
    end

    always_ff @(posedge clk_i) begin
      if (take) memory_q[beat_q] <= in_data_i;
    end
  end

endmodule

`default_nettype wire
