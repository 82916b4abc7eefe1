// SPDX-License-Identifier: Apache-2.0
// Data width converter for streams that interleave vector by vector: hwrnn_dwc with one vector in
// it at a time, whose stream and last wait beside it. A beat in at t is seen at the output at
// t + 1; after the last beat of a vector (the XBeats-th) it takes none until that vector has left.
`default_nettype none

module hwrnn_dwc_streams #(
  parameter int unsigned Width = 8,
  parameter int unsigned XBeats = 1,
  parameter int unsigned XLanes = 1,
  parameter int unsigned XSegmentCount = 1,
  parameter logic [XSegmentCount*32-1:0] XSegments = {XSegmentCount{32'd1}},
  parameter int unsigned YLanes = 1,
  parameter int unsigned YSegmentCount = 1,
  parameter logic [YSegmentCount*32-1:0] YSegments = {YSegmentCount{32'd1}},
  parameter int unsigned IdWidth = 1
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_i,

  input  wire logic [XLanes*Width-1:0] in_data_i,
  input  wire logic [IdWidth-1:0]      in_id_i,
  input  wire logic                    in_last_i,
  input  wire logic                    in_valid_i,
  output logic                         in_ready_o,

  output logic [YLanes*Width-1:0]      out_data_o,
  output logic [IdWidth-1:0]           out_id_o,
  output logic                         out_last_o,
  output logic                         out_valid_o,
  input  wire logic                    out_ready_i
);

  localparam int unsigned BeatWidth = (XBeats > 1) ? $clog2(XBeats) : 1;

  logic [BeatWidth-1:0] beat_q, beat_d;
  logic [IdWidth-1:0] id_q;
  logic last_q, take, in_end, out_end;

  hwrnn_dwc #(
    .Width        (Width),
    .XLanes       (XLanes),
    .XSegmentCount(XSegmentCount),
    .XSegments    (XSegments),
    .YLanes       (YLanes),
    .YSegmentCount(YSegmentCount),
    .YSegments    (YSegments)
  ) u_dwc (
    .clk_i,
    .rst_i,
    .in_data_i,
    .in_last_i  (in_end),
    .in_valid_i,
    .in_ready_o,
    .out_data_o,
    .out_last_o (out_end),
    .out_valid_o,
    .out_ready_i
  );

  assign take       = in_valid_i && in_ready_o;
  assign in_end     = beat_q == BeatWidth'(XBeats - 1);
  assign out_id_o   = id_q;
  assign out_last_o = out_end && last_q;

  assign beat_d = !take ? beat_q : in_end ? '0 : beat_q + BeatWidth'(1);

  always_ff @(posedge clk_i) begin
    if (rst_i) beat_q <= '0;
    else       beat_q <= beat_d;
  end

  always_ff @(posedge clk_i) begin
    if (take) begin
      id_q   <= in_id_i;
      last_q <= in_last_i;
    end
  end

endmodule

`default_nettype wire
