// SPDX-License-Identifier: Apache-2.0
// In front of the issue control of an engine whose states start as vectors from outside: hides the
// beat with which the first step of a sequence begins until all vectors are there. done_o is up
// with the last issue of such a step; bank_o is the bank of its vectors. Combinational.
`default_nettype none

module hwrnn_start_gate #(
  parameter int unsigned States = 1,
  parameter int unsigned Groups = 1,
  parameter int unsigned Banks = 2,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned BankWidth = (Banks > 1) ? $clog2(Banks) : 1
) (
  input  wire logic                  clk_i,
  input  wire logic                  rst_i,

  input  wire logic                  x_valid_i,
  input  wire logic [States-1:0]     there_i,
  output logic                       x_valid_o,

  input  wire logic                  first_step_i,
  input  wire logic                  first_block_i,
  input  wire logic [GroupWidth-1:0] group_i,
  input  wire logic                  finish_i,
  output logic                       done_o,
  output logic [BankWidth-1:0]       bank_o
);

  logic [BankWidth-1:0] bank_q, next_bank;
  logic at_start;

  assign at_start  = first_step_i && first_block_i && group_i == '0;
  assign x_valid_o = x_valid_i && (!at_start || &there_i);
  assign done_o    = finish_i && first_step_i && group_i == GroupWidth'(Groups - 1);
  assign bank_o    = bank_q;
  assign next_bank = (bank_q == BankWidth'(Banks - 1)) ? '0 : bank_q + BankWidth'(1);

  always_ff @(posedge clk_i) begin
    if (rst_i) bank_q <= '0;
    else if (done_o) bank_q <= next_bank;
  end

endmodule

`default_nettype wire
