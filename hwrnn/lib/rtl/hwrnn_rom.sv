// SPDX-License-Identifier: Apache-2.0
// Read-only memory with a registered output: data_o is the word at the address of the cycle
// before. Contents come from a $readmemh file. A word a cycle. Style "auto": a memory block from
// 512 words and 4096 bits on, LUTs below; rom_block says the same to yosys, which knows no
// "distributed" ROM.
`default_nettype none

module hwrnn_rom #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 2,
  parameter string File = "",
  parameter string Style = "auto",
  localparam int unsigned AddressWidth = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  wire logic                    clk_i,
  input  wire logic [AddressWidth-1:0] address_i,
  output logic [Width-1:0]             data_o
);

  localparam bit Large = Depth >= 512 && Depth * Width >= 4096;
  localparam bit Block = Style == "block" || (Style == "auto" && Large);

  (* rom_block = Block ? "block" : "logic", rom_style = Block ? "block" : "distributed" *)
  logic [Width-1:0] words [Depth];
  logic [Width-1:0] data_q;

  initial $readmemh(File, words);

  assign data_o = data_q;

  always_ff @(posedge clk_i) begin
    data_q <= words[address_i];
  end

endmodule

`default_nettype wire
