// SPDX-License-Identifier: Apache-2.0
// A state that is read by blocks of Simd and starts as a vector from outside: the vectors, a bank
// each, written by groups of Pe, and the choice between them and what the engine has kept.
// Combinational from bank, block and kept_i to data_o; a write at t is readable from t + 1.
`default_nettype none

module hwrnn_start_vector #(
  parameter int unsigned Units = 1,
  parameter int unsigned Width = 8,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter int unsigned Banks = 2,
  localparam int unsigned Groups = (Units + Pe - 1) / Pe,
  localparam int unsigned Blocks = (Units + Simd - 1) / Simd,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned BlockWidth = (Blocks > 1) ? $clog2(Blocks) : 1,
  localparam int unsigned BankWidth = (Banks > 1) ? $clog2(Banks) : 1
) (
  input  wire logic                  clk_i,

  input  wire logic                  write_i,
  input  wire logic [BankWidth-1:0]  write_bank_i,
  input  wire logic [GroupWidth-1:0] group_i,
  input  wire logic [Pe*Width-1:0]   data_i,

  input  wire logic                  first_step_i,
  input  wire logic [BankWidth-1:0]  bank_i,
  input  wire logic [BlockWidth-1:0] block_i,
  input  wire logic [Simd*Width-1:0] kept_i,
  output logic [Simd*Width-1:0]      data_o
);

  logic [Simd*Width-1:0] start;

  hwrnn_vector_mem #(
    .Units  (Units),
    .Width  (Width),
    .Pe     (Pe),
    .Simd   (Simd),
    .Streams(Banks)
  ) u_vectors (
    .clk_i,
    .write_i,
    .write_stream_i(write_bank_i),
    .group_i,
    .data_i,
    .first_step_i  (1'b0),
    .stream_i      (bank_i),
    .block_i,
    .data_o        (start)
  );

  assign data_o = first_step_i ? start : kept_i;

endmodule

`default_nettype wire
