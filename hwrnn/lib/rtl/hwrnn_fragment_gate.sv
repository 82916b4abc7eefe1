// SPDX-License-Identifier: Apache-2.0
// In front of a design whose states go on from fragment to fragment: TUSER of a fragment's first
// beat says that a new sequence starts. Such a beat waits until every fragment before it has left
// (the cycle after done_i of the last one); restart_o is up in the cycle in which it is taken.
// All other beats pass as they are. Combinational from port to port.
// MostFragments: so many fragments fit into the design behind it, at most.
`default_nettype none

module hwrnn_fragment_gate #(
  parameter int unsigned MostFragments = 1,
  localparam int unsigned CountWidth = $clog2(MostFragments + 1)
) (
  input  wire logic clk_i,
  input  wire logic rst_i,

  input  wire logic s_axis_tvalid,
  output logic      s_axis_tready,
  input  wire logic s_axis_tlast,
  input  wire logic s_axis_tuser,

  output logic      out_valid_o,
  input  wire logic out_ready_i,

  input  wire logic done_i,
  output logic      restart_o
);

  logic [CountWidth-1:0] on_the_way;
  logic at_start_q, fresh, hold, take;

  assign fresh         = at_start_q && s_axis_tuser;
  assign hold          = fresh && on_the_way != '0;
  assign out_valid_o   = s_axis_tvalid && !hold;
  assign s_axis_tready = out_ready_i && !hold;
  assign take          = s_axis_tvalid && s_axis_tready;
  assign restart_o     = take && fresh;

  hwrnn_pending #(
    .Most(MostFragments)
  ) u_inside (
    .clk_i,
    .rst_i,
    .add_i        (take && s_axis_tlast),
    .stream_i     (1'b0),
    .done_i,
    .done_stream_i(1'b0),
    .count_o      (on_the_way)
  );

  always_ff @(posedge clk_i) begin
    if (rst_i) at_start_q <= 1'b1;
    else if (take) at_start_q <= s_axis_tlast;
  end

endmodule

`default_nettype wire
