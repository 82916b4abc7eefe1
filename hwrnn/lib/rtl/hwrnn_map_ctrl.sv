// SPDX-License-Identifier: Apache-2.0
// Control of a pipeline of element-wise ops: takes a beat when there is one and a credit of the
// output. index_o is the number of the beat in its vector; index_next_o is that of the next cycle.
`default_nettype none

module hwrnn_map_ctrl #(
  parameter int unsigned Beats = 1,
  parameter int unsigned OutDepth = 2,
  localparam int unsigned IndexWidth = (Beats > 1) ? $clog2(Beats) : 1
) (
  input  wire logic              clk_i,
  input  wire logic              rst_i,

  input  wire logic              x_valid_i,
  output logic                   x_ready_o,
  input  wire logic              out_pop_i,

  output logic                   issue_o,
  output logic [IndexWidth-1:0]  index_o,
  output logic [IndexWidth-1:0]  index_next_o
);

  logic [IndexWidth-1:0] index_q, index_d;
  logic credit;

  hwrnn_credit #(
    .Depth(OutDepth)
  ) u_credit (
    .clk_i,
    .rst_i,
    .take_i(issue_o),
    .give_i(out_pop_i),
    .ok_o  (credit)
  );

  assign issue_o      = x_valid_i && credit;
  assign x_ready_o    = issue_o;
  assign index_o      = index_q;
  assign index_next_o = rst_i ? '0 : index_d;

  always_comb begin
    index_d = index_q;
    if (issue_o) index_d = (index_q == IndexWidth'(Beats - 1)) ? '0 : index_q + IndexWidth'(1);
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) index_q <= '0;
    else index_q <= index_d;
  end

endmodule

`default_nettype wire
