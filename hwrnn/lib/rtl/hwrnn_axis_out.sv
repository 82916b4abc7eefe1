// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream out: widens each element to PortWidth bits by its sign; unused lanes are 0, as are
// the bits that fill the last byte. Combinational.
`default_nettype none

module hwrnn_axis_out #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned Width = 8,
  parameter bit Signed = 1'b1,
  parameter int unsigned PortWidth = 8,
  parameter int unsigned SegmentCount = 1,
  parameter logic [SegmentCount*32-1:0] Segments = {SegmentCount{32'd1}},
  localparam int unsigned DataWidth = (Lanes * PortWidth + 7) / 8 * 8
) (
  input  wire logic                   clk_i,
  input  wire logic                   rst_i,

  input  wire logic [Lanes*Width-1:0] in_data_i,
  input  wire logic                   in_last_i,
  input  wire logic                   in_valid_i,
  output logic                        in_ready_o,

  output logic [DataWidth-1:0]        m_axis_tdata,
  output logic                        m_axis_tvalid,
  input  wire logic                   m_axis_tready,
  output logic                        m_axis_tlast
);

  localparam int unsigned LanesWidth = $clog2(Lanes + 1);

  logic [LanesWidth-1:0] lanes;
  logic [Lanes*PortWidth-1:0] wide;

  hwrnn_resize #(
    .Lanes  (Lanes),
    .XWidth (Width),
    .XSigned(Signed),
    .YWidth (PortWidth)
  ) u_wide (
    .x_i(in_data_i),
    .y_o(wide)
  );

  hwrnn_beat_counter #(
    .Lanes       (Lanes),
    .SegmentCount(SegmentCount),
    .Segments    (Segments)
  ) u_lanes (
    .clk_i,
    .rst_i,
    .step_i (m_axis_tvalid && m_axis_tready),
    .lanes_o(lanes)
  );

  assign m_axis_tvalid = in_valid_i;
  assign m_axis_tlast  = in_last_i;
  assign in_ready_o    = m_axis_tready;

  always_comb begin
    m_axis_tdata = '0;
    for (int unsigned k = 0; k < Lanes; k++) begin
      if (k < 32'(lanes)) m_axis_tdata[k*PortWidth+:PortWidth] = wide[k*PortWidth+:PortWidth];
    end
  end

endmodule

`default_nettype wire
