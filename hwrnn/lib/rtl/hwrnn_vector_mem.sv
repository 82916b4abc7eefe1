// SPDX-License-Identifier: Apache-2.0
// A vector of Units elements for each stream: written by groups of Pe (write at cycle t, readable
// from t + 1), read by blocks of Simd, combinationally; in a first step as its initial value, that
// of the stream's own cell. Unused elements of the last block read 0. Flip-flops with one stream; a
// small memory of a word for each stream, for each group, with several.
`default_nettype none

module hwrnn_vector_mem #(
  parameter int unsigned Units = 1,
  parameter int unsigned Width = 8,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter int unsigned Streams = 1,
  parameter int unsigned Cells = 1,
  parameter logic [Cells*Units*Width-1:0] Initial = '0,
  localparam int unsigned Groups = (Units + Pe - 1) / Pe,
  localparam int unsigned Blocks = (Units + Simd - 1) / Simd,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned BlockWidth = (Blocks > 1) ? $clog2(Blocks) : 1,
  localparam int unsigned IdWidth = (Streams > 1) ? $clog2(Streams) : 1
) (
  input  wire logic                  clk_i,

  input  wire logic                  write_i,
  input  wire logic [IdWidth-1:0]    write_stream_i,
  input  wire logic [GroupWidth-1:0] group_i,
  input  wire logic [Pe*Width-1:0]   data_i,

  input  wire logic                  first_step_i,
  input  wire logic [IdWidth-1:0]    stream_i,
  input  wire logic [BlockWidth-1:0] block_i,
  output logic [Simd*Width-1:0]      data_o
);

  if (Cells != 1 && Cells != Streams) begin : g_check_cells
    $error("hwrnn_vector_mem: Cells is %0d, it must be 1 or Streams, %0d", Cells, Streams);
  end

  localparam int unsigned Padded = Blocks * Simd * Width;

  logic [Simd*Width-1:0] blocks [Blocks];
  logic [Units*Width-1:0] kept, initial_value, vector;

  for (genvar g = 0; g < Groups; g++) begin : g_group
    localparam int unsigned Lanes = ((g + 1) * Pe > Units) ? Units - g * Pe : Pe;

    logic [Lanes*Width-1:0] words_q [Streams];

    always_ff @(posedge clk_i) begin
      if (write_i && group_i == GroupWidth'(g)) words_q[write_stream_i] <= data_i[Lanes*Width-1:0];
    end

    assign kept[g*Pe*Width+:Lanes*Width] = words_q[stream_i];
  end

  if (Cells > 1) begin : g_cells
    logic [Units*Width-1:0] initials [Cells];

    for (genvar c = 0; c < Cells; c++) begin : g_cell
      assign initials[c] = Initial[c*Units*Width+:Units*Width];
    end

    assign initial_value = initials[stream_i];
  end else begin : g_one_cell
    assign initial_value = Initial;
  end

  assign vector = first_step_i ? initial_value : kept;

  for (genvar b = 0; b < Blocks; b++) begin : g_block
    assign blocks[b] = (Simd * Width)'(Padded'(vector) >> (b * Simd * Width));
  end

  assign data_o = blocks[block_i];

endmodule

`default_nettype wire
