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

bind hwrnn_stream_reg hwrnn_stream_checks #(
  .Width(Width)
) u_in_checks (
  .clk_i  (clk_i),
  .rst_i  (rst_i),
  .data_i (in_data_i),
  .valid_i(in_valid_i),
  .ready_i(in_ready_o)
);

bind hwrnn_stream_reg hwrnn_stream_checks #(
  .Width(Width)
) u_out_checks (
  .clk_i  (clk_i),
  .rst_i  (rst_i),
  .data_i (out_data_o),
  .valid_i(out_valid_o),
  .ready_i(out_ready_i)
);

bind hwrnn_fifo hwrnn_stream_checks #(
  .Width(Width)
) u_in_checks (
  .clk_i  (clk_i),
  .rst_i  (rst_i),
  .data_i (in_data_i),
  .valid_i(in_valid_i),
  .ready_i(in_ready_o)
);

bind hwrnn_fifo hwrnn_stream_checks #(
  .Width(Width)
) u_out_checks (
  .clk_i  (clk_i),
  .rst_i  (rst_i),
  .data_i (out_data_o),
  .valid_i(out_valid_o),
  .ready_i(out_ready_i)
);

`default_nettype wire
