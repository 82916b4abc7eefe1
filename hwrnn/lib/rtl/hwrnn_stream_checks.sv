// SPDX-License-Identifier: Apache-2.0
// The rules of a stream, attached with bind: valid stays until ready, the payload is stable while
// it waits. Simulation only; no latency.
`default_nettype none

module hwrnn_stream_checks #(
  parameter int unsigned Width = 8
) (
  input  wire logic             clk_i,
  input  wire logic             rst_i,
  input  wire logic [Width-1:0] data_i,
  input  wire logic             valid_i,
  input  wire logic             ready_i
);

  property p_valid_stays;
    @(posedge clk_i) disable iff (rst_i) valid_i && !ready_i |=> valid_i;
  endproperty

  property p_payload_stays;
    @(posedge clk_i) disable iff (rst_i) valid_i && !ready_i |=> $stable(data_i);
  endproperty

  a_valid_stays :
  assert property (p_valid_stays)
  else $error("valid fell before ready came");

  a_payload_stays :
  assert property (p_payload_stays)
  else $error("the payload changed while it waited");

endmodule

`default_nettype wire
