// SPDX-License-Identifier: Apache-2.0
// A vector of Units elements in flip-flops: written by groups of Pe (write at cycle t, readable
// from t + 1), read by blocks of Simd, combinationally; in a first step as its initial value.
// Unused elements of the last block read 0.
`default_nettype none

module hwrnn_vector_mem #(
  parameter int unsigned Units = 1,
  parameter int unsigned Width = 8,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter logic [Units*Width-1:0] Initial = '0,
  localparam int unsigned Groups = (Units + Pe - 1) / Pe,
  localparam int unsigned Blocks = (Units + Simd - 1) / Simd,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned BlockWidth = (Blocks > 1) ? $clog2(Blocks) : 1
) (
  input  wire logic                  clk_i,

  input  wire logic                  write_i,
  input  wire logic [GroupWidth-1:0] group_i,
  input  wire logic [Pe*Width-1:0]   data_i,

  input  wire logic                  first_step_i,
  input  wire logic [BlockWidth-1:0] block_i,
  output logic [Simd*Width-1:0]      data_o
);

  localparam int unsigned Padded = Blocks * Simd * Width;

  logic [Simd*Width-1:0] kept [Blocks], initial_blocks [Blocks];
  logic [Units*Width-1:0] vector_q;

  for (genvar g = 0; g < Groups; g++) begin : g_group
    localparam int unsigned Lanes = ((g + 1) * Pe > Units) ? Units - g * Pe : Pe;

    always_ff @(posedge clk_i) begin
      if (write_i && group_i == GroupWidth'(g)) begin
        vector_q[g*Pe*Width+:Lanes*Width] <= data_i[Lanes*Width-1:0];
      end
    end
  end

  for (genvar b = 0; b < Blocks; b++) begin : g_block
    assign kept[b]           = (Simd * Width)'(Padded'(vector_q) >> (b * Simd * Width));
    assign initial_blocks[b] = (Simd * Width)'(Padded'(Initial) >> (b * Simd * Width));
  end

  assign data_o = first_step_i ? initial_blocks[block_i] : kept[block_i];

endmodule

`default_nettype wire
