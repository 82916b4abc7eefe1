// SPDX-License-Identifier: Apache-2.0
// A state that is read unit by unit and starts as a vector from outside: the vectors, a bank each
// of a word of Width bits for each group, and the choice between them and what the engine has
// kept. Asked for at cycle t, there at t + 1, as kept_i is; a write at t is seen by a read at
// t + 1.
`default_nettype none

module hwrnn_start_words #(
  parameter int unsigned Width = 8,
  parameter int unsigned Groups = 1,
  parameter int unsigned Banks = 2,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned BankWidth = (Banks > 1) ? $clog2(Banks) : 1
) (
  input  wire logic                  clk_i,

  input  wire logic                  write_i,
  input  wire logic [BankWidth-1:0]  write_bank_i,
  input  wire logic [GroupWidth-1:0] write_group_i,
  input  wire logic [Width-1:0]      data_i,

  input  wire logic                  first_step_i,
  input  wire logic [BankWidth-1:0]  bank_i,
  input  wire logic [GroupWidth-1:0] read_group_i,
  input  wire logic [Width-1:0]      kept_i,
  output logic [Width-1:0]           data_o
);

  logic [Width-1:0] start;
  logic first_step_q;

  hwrnn_state_mem #(
    .Width  (Width),
    .Groups (Groups),
    .Streams(Banks)
  ) u_vectors (
    .clk_i,
    .write_i,
    .write_stream_i(write_bank_i),
    .write_group_i,
    .data_i,
    .first_step_i  (1'b0),
    .read_stream_i (bank_i),
    .read_group_i,
    .data_o        (start)
  );

  assign data_o = first_step_q ? start : kept_i;

  always_ff @(posedge clk_i) begin
    first_step_q <= first_step_i;
  end

endmodule

`default_nettype wire
