// SPDX-License-Identifier: Apache-2.0
// A vector of each input in turn, of Beats beats; those of input k become stream k of the output.
// Combinational from input to output.
`default_nettype none

module hwrnn_interleave #(
  parameter int unsigned Inputs = 2,
  parameter int unsigned Width = 8,
  parameter int unsigned Beats = 1,
  localparam int unsigned IdWidth = $clog2(Inputs)
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_i,

  input  wire logic [Inputs*Width-1:0] in_data_i,
  input  wire logic [Inputs-1:0]       in_last_i,
  input  wire logic [Inputs-1:0]       in_valid_i,
  output logic [Inputs-1:0]            in_ready_o,

  output logic [Width-1:0]             out_data_o,
  output logic [IdWidth-1:0]           out_id_o,
  output logic                         out_last_o,
  output logic                         out_valid_o,
  input  wire logic                    out_ready_i
);

  localparam int unsigned WordWidth = IdWidth + 1 + Width;

  logic [Inputs*WordWidth-1:0] words;
  logic unused_last;

  always_comb begin
    for (int unsigned k = 0; k < Inputs; k++) begin
      words[k*WordWidth+:WordWidth] = {IdWidth'(k), in_last_i[k], in_data_i[k*Width+:Width]};
    end
  end

  hwrnn_concat #(
    .Inputs(Inputs),
    .Width (WordWidth),
    .Beats ({Inputs{32'(Beats)}})
  ) u_turns (
    .clk_i,
    .rst_i,
    .in_data_i  (words),
    .in_last_i  ('0),
    .in_valid_i,
    .in_ready_o,
    .out_data_o ({out_id_o, out_last_o, out_data_o}),
    .out_last_o (unused_last),
    .out_valid_o,
    .out_ready_i
  );

endmodule

`default_nettype wire
