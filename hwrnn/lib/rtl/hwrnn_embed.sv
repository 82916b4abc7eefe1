// SPDX-License-Identifier: Apache-2.0
// Reads a row of Beats words for each number from a memory beside it, whose word is there in the
// cycle after its address. A read a cycle while there is a credit; a number is taken with its last.
`default_nettype none

module hwrnn_embed #(
  parameter int unsigned IndexWidth = 8,
  parameter int unsigned Rows = 2,
  parameter int unsigned Beats = 1,
  parameter int unsigned OutDepth = 3,
  localparam int unsigned Depth = Rows * Beats,
  localparam int unsigned AddressWidth = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_i,

  input  wire logic [IndexWidth-1:0]   in_data_i,
  input  wire logic                    in_last_i,
  input  wire logic                    in_valid_i,
  output logic                         in_ready_o,

  output logic [AddressWidth-1:0]      address_o,
  output logic                         out_last_o,
  output logic                         out_valid_o,
  input  wire logic                    out_pop_i
);

  localparam int unsigned BeatWidth = (Beats > 1) ? $clog2(Beats) : 1;

  logic [BeatWidth-1:0] beat_q;
  logic last_beat, issue, credit, valid_q, last_q;

  hwrnn_credit #(
    .Depth(OutDepth)
  ) u_credit (
    .clk_i,
    .rst_i,
    .take_i(issue),
    .give_i(out_pop_i),
    .ok_o  (credit)
  );

  assign issue       = in_valid_i && credit;
  assign last_beat   = beat_q == BeatWidth'(Beats - 1);
  assign in_ready_o  = issue && last_beat;
  assign address_o   = AddressWidth'(32'(in_data_i) * Beats + 32'(beat_q));
  assign out_last_o  = last_q;
  assign out_valid_o = valid_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      beat_q  <= '0;
      valid_q <= 1'b0;
    end else begin
      if (issue) beat_q <= last_beat ? '0 : beat_q + BeatWidth'(1);
      valid_q <= issue;
    end
  end

  always_ff @(posedge clk_i) begin
    last_q <= in_last_i && last_beat;
  end

endmodule

`default_nettype wire
