// SPDX-License-Identifier: Apache-2.0
// Read-only memory that is read word by word, from the first to the last and again: data_o is the
// next word in the cycle after one with next_i. Two registers stand behind the words, but none is
// waited for: the memory reads ahead, so that a slow memory block does not limit what the words go
// into. next_i is low in the first cycle after a reset. Contents come from a $readmemh file. A word
// a cycle.
`default_nettype none

module hwrnn_rom_ahead #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 2,
  parameter string File = "",
  localparam int unsigned AddressWidth = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  wire logic        clk_i,
  input  wire logic        rst_i,
  input  wire logic        next_i,
  output logic [Width-1:0] data_o
);

  (* rom_block = "block", rom_style = "block" *) logic [Width-1:0] words [Depth];
  logic [Width-1:0] word_q, data_q;
  logic [AddressWidth-1:0] ahead_q, ahead_d;
  logic filled_q, advance;

  initial $readmemh(File, words);

  assign data_o  = data_q;
  assign advance = next_i || !filled_q;
  assign ahead_d = (ahead_q == AddressWidth'(Depth - 1)) ? '0 : ahead_q + AddressWidth'(1);

  always_ff @(posedge clk_i) begin
    if (advance) word_q <= words[ahead_q];
    data_q <= word_q;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      ahead_q  <= '0;
      filled_q <= 1'b0;
    end else begin
      filled_q <= 1'b1;
      if (advance) ahead_q <= ahead_d;
    end
  end

endmodule

`default_nettype wire
