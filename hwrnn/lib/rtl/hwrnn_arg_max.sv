// SPDX-License-Identifier: Apache-2.0
// The index of the greatest of Count numbers, of equal ones the first; a number a cycle. The last
// one is taken when there is room, and the index is there in the same cycle.
`default_nettype none

module hwrnn_arg_max #(
  parameter int unsigned Width = 8,
  parameter bit Signed = 1'b1,
  parameter int unsigned Count = 2,
  parameter int unsigned IndexWidth = 1
) (
  input  wire logic                  clk_i,
  input  wire logic                  rst_i,

  input  wire logic [Width-1:0]      in_data_i,
  input  wire logic                  in_last_i,
  input  wire logic                  in_valid_i,
  output logic                       in_ready_o,

  output logic [IndexWidth-1:0]      out_data_o,
  output logic                       out_last_o,
  output logic                       out_valid_o,
  input  wire logic                  out_ready_i
);

  if (Count > 2 ** IndexWidth) begin : g_check_index
    $error("hwrnn_arg_max: %0d numbers, the index has %0d bits", Count, IndexWidth);
  end

  logic signed [Width:0] x, best_q;
  logic [IndexWidth-1:0] index_q, best_index_q, best_index;
  logic last_number, better, take;

  assign x           = signed'({Signed && in_data_i[Width-1], in_data_i});
  assign last_number = index_q == IndexWidth'(Count - 1);
  assign better      = index_q == '0 || x > best_q;
  assign best_index  = better ? index_q : best_index_q;

  assign in_ready_o  = !last_number || out_ready_i;
  assign take        = in_valid_i && in_ready_o;
  assign out_valid_o = in_valid_i && last_number;
  assign out_data_o  = best_index;
  assign out_last_o  = in_last_i;

  always_ff @(posedge clk_i) begin
    if (rst_i) index_q <= '0;
    else if (take) index_q <= last_number ? '0 : index_q + IndexWidth'(1);
  end

  always_ff @(posedge clk_i) begin
    if (take && better) best_q <= x;
    if (take) best_index_q <= best_index;
  end

endmodule

`default_nettype wire
