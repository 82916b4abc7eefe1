// SPDX-License-Identifier: Apache-2.0
// What the block memories of Gowin have in common, with bytes of 8 bits (Lane = 8) or 9: the address
// counts bits without the ninth; with two bytes or four the lowest two or four address lines are byte
// enables; mode (WRITE_MODE) 0 keeps the output while writing, 1 gives the new data, 2 the old; the
// contents are the bits of INIT_RAM_00, INIT_RAM_01 and so on in a row; a reset clears the output.
// The output registers are left out.
module hwrnn_cell_bsram #(
  parameter Cell = "",
  parameter integer Lane = 8,
  parameter integer Bytes = 4,  // of a port
  parameter [Lane*2048-1:0] Data = 0,
  parameter integer WriteWidthA = 0,
  parameter integer ReadWidthA = 0,
  parameter integer WriteWidthB = 0,
  parameter integer ReadWidthB = 0,
  parameter [1:0] ModeA = 0,
  parameter [1:0] ModeB = 0,
  parameter ResetMode = "SYNC",
  localparam integer Bits = Bytes * Lane
) (
  input wire clk_a, enable_a, reset_a, write_a,
  input wire [13:0] address_a, input wire [Bits-1:0] data_a, output wire [Bits-1:0] q_a,
  input wire clk_b, enable_b, reset_b, write_b,
  input wire [13:0] address_b, input wire [Bits-1:0] data_b, output wire [Bits-1:0] q_b
);

  // Without a reset its kind does not matter.
  always @* begin
    if (ResetMode != "SYNC" && (reset_a || reset_b))
      $fatal(1, "%s: RESET_MODE is %s; this model resets with the clock", Cell, ResetMode);
  end

  // Bytes as lanes of 9 bits, and back.
  function automatic [71:0] laned([Bits-1:0] data);
    laned = 0;
    for (integer i = 0; i < Bytes; i = i + 1) laned[i*9+:Lane] = data[i*Lane+:Lane];
  endfunction

  function automatic [Bits-1:0] plain([71:0] lanes);
    for (integer i = 0; i < Bytes; i = i + 1) plain[i*Lane+:Lane] = lanes[i*9+:Lane];
  endfunction

  function automatic [7:0] enables(integer width, bit write, [3:0] low);
    if (!write) return 8'h00;
    return (width >= 32) ? 8'(low) : (width >= 16) ? 8'(low[1:0]) : 8'h01;
  endfunction

  wire [71:0] lanes_a, lanes_b;

  assign q_a = plain(lanes_a);
  assign q_b = plain(lanes_b);

  hwrnn_cell_memory #(
    .Words      (256),
    .Layout     (Lane),
    .Data       (Data),
    .WriteWidthA(WriteWidthA),
    .ReadWidthA (ReadWidthA),
    .WriteWidthB(WriteWidthB),
    .ReadWidthB (ReadWidthB),
    .ModeA      (32'(ModeA)),
    .ModeB      (32'(ModeB))
  ) u_memory (
    .clk_a    (clk_a),
    .enable_a (enable_a),
    .reset_a  (reset_a),
    .write_a  (enables(WriteWidthA, write_a, address_a[3:0])),
    .address_a(address_a),
    .data_a   (laned(data_a)),
    .q_a      (lanes_a),
    .clk_b    (clk_b),
    .enable_b (enable_b),
    .reset_b  (reset_b),
    .write_b  (enables(WriteWidthB, write_b, address_b[3:0])),
    .address_b(address_b),
    .data_b   (laned(data_b)),
    .q_b      (lanes_b)
  );

endmodule
