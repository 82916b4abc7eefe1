// SPDX-License-Identifier: Apache-2.0
// Data width converter: regroups the elements of each vector into beats of the output. Holds up to
// XLanes + YLanes elements; takes a beat when it fits beside what is held at the start of the
// cycle, gives one as soon as its elements are held: a beat in at t is seen at the output at t + 1.
// After a beat with last it takes none until that sequence has left. Unused lanes go out as 0.
`default_nettype none

module hwrnn_dwc #(
  parameter int unsigned Width = 8,
  parameter int unsigned XLanes = 1,
  parameter int unsigned XSegmentCount = 1,
  parameter logic [XSegmentCount*32-1:0] XSegments = {XSegmentCount{32'd1}},
  parameter int unsigned YLanes = 1,
  parameter int unsigned YSegmentCount = 1,
  parameter logic [YSegmentCount*32-1:0] YSegments = {YSegmentCount{32'd1}}
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_i,

  input  wire logic [XLanes*Width-1:0] in_data_i,
  input  wire logic                    in_last_i,
  input  wire logic                    in_valid_i,
  output logic                         in_ready_o,

  output logic [YLanes*Width-1:0]      out_data_o,
  output logic                         out_last_o,
  output logic                         out_valid_o,
  input  wire logic                    out_ready_i
);

  localparam int unsigned Capacity = XLanes + YLanes;
  localparam int unsigned HeldWidth = $clog2(Capacity + 1);
  localparam int unsigned SumWidth = HeldWidth + 1;
  localparam int unsigned XCountWidth = $clog2(XLanes + 1);
  localparam int unsigned YCountWidth = $clog2(YLanes + 1);

  logic [XCountWidth-1:0] x_lanes;
  logic [YCountWidth-1:0] y_lanes;
  logic [Capacity*Width-1:0] elements_q, elements_d, kept, added;
  logic [HeldWidth-1:0] held_q, held_d, left;
  logic drain_q, drain_d, take, give;

  hwrnn_beat_counter #(
    .Lanes       (XLanes),
    .SegmentCount(XSegmentCount),
    .Segments    (XSegments)
  ) u_x_lanes (
    .clk_i,
    .rst_i,
    .step_i (take),
    .lanes_o(x_lanes)
  );

  hwrnn_beat_counter #(
    .Lanes       (YLanes),
    .SegmentCount(YSegmentCount),
    .Segments    (YSegments)
  ) u_y_lanes (
    .clk_i,
    .rst_i,
    .step_i (give),
    .lanes_o(y_lanes)
  );

  assign in_ready_o  = !drain_q && SumWidth'(held_q) + SumWidth'(x_lanes) <= SumWidth'(Capacity);
  assign out_valid_o = held_q >= HeldWidth'(y_lanes);
  assign out_last_o  = drain_q && held_q == HeldWidth'(y_lanes);
  assign take        = in_valid_i && in_ready_o;
  assign give        = out_valid_o && out_ready_i;

  // Elements moved down or up by whole elements: a multiplexer for each bit of the distance. (A
  // shift by distance * Width would be one for each bit of that product.)
  function automatic logic [Capacity*Width-1:0] down(
      logic [Capacity*Width-1:0] elements, logic [YCountWidth-1:0] distance);
    logic [Capacity*Width-1:0] moved;
    moved = elements;
    for (int unsigned k = 0; k < YCountWidth; k++) begin
      if (distance[k]) moved = moved >> ((32'd1 << k) * Width);
    end
    return moved;
  endfunction

  function automatic logic [Capacity*Width-1:0] up(
      logic [Capacity*Width-1:0] elements, logic [HeldWidth-1:0] distance);
    logic [Capacity*Width-1:0] moved;
    moved = elements;
    for (int unsigned k = 0; k < HeldWidth; k++) begin
      if (distance[k]) moved = moved << ((32'd1 << k) * Width);
    end
    return moved;
  endfunction

  assign left    = give ? held_q - HeldWidth'(y_lanes) : held_q;
  assign kept    = give ? down(elements_q, y_lanes) : elements_q;
  assign held_d  = take ? left + HeldWidth'(x_lanes) : left;
  assign drain_d = (drain_q && !(give && out_last_o)) || (take && in_last_i);

  always_comb begin
    added = '0;
    for (int unsigned k = 0; k < XLanes; k++) begin
      if (k < 32'(x_lanes)) added[k*Width+:Width] = in_data_i[k*Width+:Width];
    end
    elements_d = take ? kept | up(added, left) : kept;
    for (int unsigned k = 0; k < YLanes; k++) begin
      out_data_o[k*Width+:Width] = (k < 32'(y_lanes)) ? elements_q[k*Width+:Width] : '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      elements_q <= '0;
      held_q     <= '0;
      drain_q    <= 1'b0;
    end else begin
      elements_q <= elements_d;
      held_q     <= held_d;
      drain_q    <= drain_d;
    end
  end

endmodule

`default_nettype wire
