// SPDX-License-Identifier: Apache-2.0
// Credits for a FIFO of Depth entries: ok_o while an entry is sure to be free for one more beat.
// take_i spends one; give_i (the FIFO was read) returns one, usable from the next cycle.
`default_nettype none

module hwrnn_credit #(
  parameter int unsigned Depth = 2
) (
  input  wire logic clk_i,
  input  wire logic rst_i,
  input  wire logic take_i,
  input  wire logic give_i,
  output logic      ok_o
);

  localparam int unsigned CountWidth = $clog2(Depth + 1);

  logic [CountWidth-1:0] count_q, count_d;

  assign ok_o = count_q != '0;

  always_comb begin
    unique case ({take_i, give_i})
      2'b10:   count_d = count_q - CountWidth'(1);
      2'b01:   count_d = count_q + CountWidth'(1);
      default: count_d = count_q;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) count_q <= CountWidth'(Depth);
    else count_q <= count_d;
  end

endmodule

`default_nettype wire
