// SPDX-License-Identifier: Apache-2.0
// The element-wise state, for each stream a word of Width bits for each group: asked for at cycle
// t, in the output register at t + 1; a write at t is seen by a read at t + 1. In a first step it
// reads its initial value, that of the stream's own cell.
`default_nettype none

module hwrnn_state_mem #(
  parameter int unsigned Width = 8,
  parameter int unsigned Groups = 1,
  parameter int unsigned Streams = 1,
  parameter int unsigned Cells = 1,
  parameter logic [Cells*Groups*Width-1:0] Initial = '0,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned IdWidth = (Streams > 1) ? $clog2(Streams) : 1
) (
  input  wire logic                  clk_i,

  input  wire logic                  write_i,
  input  wire logic [IdWidth-1:0]    write_stream_i,
  input  wire logic [GroupWidth-1:0] write_group_i,
  input  wire logic [Width-1:0]      data_i,

  input  wire logic                  first_step_i,
  input  wire logic [IdWidth-1:0]    read_stream_i,
  input  wire logic [GroupWidth-1:0] read_group_i,
  output logic [Width-1:0]           data_o
);

  if (Cells != 1 && Cells != Streams) begin : g_check_cells
    $error("hwrnn_state_mem: Cells is %0d, it must be 1 or Streams, %0d", Cells, Streams);
  end

  localparam int unsigned Depth = Streams * Groups;
  localparam int unsigned AddressWidth = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int unsigned InitialDepth = Cells * Groups;
  localparam int unsigned InitialWidth = (InitialDepth > 1) ? $clog2(InitialDepth) : 1;

  logic [Width-1:0] memory_q [Depth];
  logic [Width-1:0] initial_words [InitialDepth];
  logic [Width-1:0] data_q;
  logic [AddressWidth-1:0] write_address, read_address;
  logic [InitialWidth-1:0] initial_address;

  for (genvar k = 0; k < InitialDepth; k++) begin : g_initial
    assign initial_words[k] = Initial[k*Width+:Width];
  end

  // stream * Groups + group; no product, which would take a hard multiplier.
  function automatic logic [AddressWidth-1:0] address_of(
      logic [IdWidth-1:0] stream, logic [GroupWidth-1:0] group);
    logic [AddressWidth-1:0] address;
    address = AddressWidth'(group);
    for (int unsigned k = 0; k < AddressWidth; k++) begin
      if (Groups[k]) address += AddressWidth'(stream) << k;
    end
    return address;
  endfunction

  assign write_address   = address_of(write_stream_i, write_group_i);
  assign read_address    = address_of(read_stream_i, read_group_i);
  assign initial_address = (Cells > 1) ? InitialWidth'(read_address) : InitialWidth'(read_group_i);

  assign data_o = data_q;

  always_ff @(posedge clk_i) begin
    if (write_i) memory_q[write_address] <= data_i;
    data_q <= first_step_i ? initial_words[initial_address] : memory_q[read_address];
  end

endmodule

`default_nettype wire
