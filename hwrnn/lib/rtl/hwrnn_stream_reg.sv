// SPDX-License-Identifier: Apache-2.0
// Two-entry stream register: a beat written at cycle t can be read from t + 1, an entry read at t
// is free from t + 1. A beat a cycle; no combinational path from out_ready_i to in_ready_o.
`default_nettype none

module hwrnn_stream_reg #(
  parameter int unsigned Width = 8
) (
  input  wire logic             clk_i,
  input  wire logic             rst_i,

  input  wire logic [Width-1:0] in_data_i,
  input  wire logic             in_valid_i,
  output logic                  in_ready_o,

  output logic [Width-1:0]      out_data_o,
  output logic                  out_valid_o,
  input  wire logic             out_ready_i,
  output logic                  out_pop_o
);

  logic [Width-1:0] head_q, tail_q;
  logic head_valid_q, tail_valid_q;
  logic push, pop, load_head, load_tail;

  assign in_ready_o  = !tail_valid_q;
  assign out_data_o  = head_q;
  assign out_valid_o = head_valid_q;
  assign out_pop_o   = pop;

  assign push      = in_valid_i && in_ready_o;
  assign pop       = out_valid_o && out_ready_i;
  assign load_head = pop ? (push || tail_valid_q) : (push && !head_valid_q);
  assign load_tail = push && head_valid_q && !pop;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      head_valid_q <= 1'b0;
      tail_valid_q <= 1'b0;
    end else begin
      head_valid_q <= load_head || (head_valid_q && !pop);
      tail_valid_q <= load_tail || (tail_valid_q && !pop);
    end
  end

  always_ff @(posedge clk_i) begin
    if (load_head) head_q <= tail_valid_q ? tail_q : in_data_i;
    if (load_tail) tail_q <= in_data_i;
  end

endmodule

`default_nettype wire
