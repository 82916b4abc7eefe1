// SPDX-License-Identifier: Apache-2.0
// The sum, or with Max the maximum, of Vectors vectors, lane by lane; with Vectors 0 of all up to
// the one with last. When the last beat has come at t, it gives the result from t + 1, a beat a
// cycle, and takes nothing meanwhile.
`default_nettype none

module hwrnn_combine #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned XWidth = 8,
  parameter bit XSigned = 1'b1,
  parameter int unsigned YWidth = 8,
  parameter int unsigned Beats = 1,
  parameter int unsigned Vectors = 0,
  parameter bit Max = 1'b0
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_i,

  input  wire logic [Lanes*XWidth-1:0] in_data_i,
  input  wire logic                    in_last_i,
  input  wire logic                    in_valid_i,
  output logic                         in_ready_o,

  output logic [Lanes*YWidth-1:0]      out_data_o,
  output logic                         out_last_o,
  output logic                         out_valid_o,
  input  wire logic                    out_ready_i
);

  if (YWidth < XWidth) begin : g_check_widths
    $error("hwrnn_combine: YWidth is %0d, below XWidth %0d", YWidth, XWidth);
  end

  localparam int unsigned BeatWidth = (Beats > 1) ? $clog2(Beats) : 1;
  localparam int unsigned VectorWidth = (Vectors > 1) ? $clog2(Vectors) : 1;
  localparam int unsigned FullWidth = YWidth + 1;

  logic [Lanes*YWidth-1:0] memory_q [Beats];
  logic [Lanes*YWidth-1:0] held, joined;
  logic [BeatWidth-1:0] beat_q, next_beat;
  logic first_q, first_d, give_q, give_d;
  logic last_beat, last_vector, take, give, complete;

  // The result of a sequence of vectors has the sign of what is in them.
  function automatic logic [YWidth-1:0] combined(
      logic [YWidth-1:0] so_far, logic [XWidth-1:0] x, logic first);
    logic signed [FullWidth-1:0] wide_so_far, wide_x;
    wide_so_far = FullWidth'(signed'({XSigned && so_far[YWidth-1], so_far}));
    wide_x      = FullWidth'(signed'({XSigned && x[XWidth-1], x}));
    if (first) return YWidth'(wide_x);
    if (Max) return YWidth'((wide_x > wide_so_far) ? wide_x : wide_so_far);
    return YWidth'(wide_so_far + wide_x);
  endfunction

  if (Vectors == 0) begin : g_sequence
    assign last_vector = in_last_i;
    assign out_last_o  = last_beat;
  end else begin : g_vectors
    logic [VectorWidth-1:0] vector_q;
    logic last_q;

    assign last_vector = vector_q == VectorWidth'(Vectors - 1);
    assign out_last_o  = last_beat && last_q;

    always_ff @(posedge clk_i) begin
      if (rst_i) vector_q <= '0;
      else if (take && last_beat) vector_q <= last_vector ? '0 : vector_q + VectorWidth'(1);
      if (take) last_q <= in_last_i;
    end
  end

  assign in_ready_o  = !give_q;
  assign out_valid_o = give_q;
  assign out_data_o  = held;

  assign take      = in_valid_i && in_ready_o;
  assign give      = out_valid_o && out_ready_i;
  assign last_beat = beat_q == BeatWidth'(Beats - 1);
  assign next_beat = last_beat ? '0 : beat_q + BeatWidth'(1);
  assign complete  = take && last_beat && last_vector;
  assign give_d    = give_q ? !(give && last_beat) : complete;
  assign first_d   = (take && last_beat) ? last_vector : first_q;
  assign held      = memory_q[beat_q];

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      joined[k*YWidth+:YWidth] =
          combined(held[k*YWidth+:YWidth], in_data_i[k*XWidth+:XWidth], first_q);
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      beat_q  <= '0;
      first_q <= 1'b1;
      give_q  <= 1'b0;
    end else begin
      if (take || give) beat_q <= next_beat;
      first_q <= first_d;
      give_q  <= give_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) memory_q[beat_q] <= joined;
  end

endmodule

`default_nettype wire
