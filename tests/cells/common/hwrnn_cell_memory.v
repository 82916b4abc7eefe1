// SPDX-License-Identifier: Apache-2.0
// What the block memories of all vendors have in common: lanes of 9 bits (8 and a ninth, called
// parity by some), and two ports of one clock, each of which may read and write.  An address
// counts bits without the ninth: a port of 1, 2 or 4 bits sees the 8 bits of a lane in parts, low
// bits first; a port of 8 or 9 bits one lane, a wider one neighbouring lanes, the lowest in the low
// bits.  Data is lane by lane, 9 bits each; a narrow port has its bits in the lowest places.
//
// Modes, of a port that writes: 0 keeps its output, 1 gives the new data, 2 the old.  A read of
// bits that the other port writes at the same edge gives the old data if that port's mode is 2.  In
// the other modes vendors promise nothing, and the bits come out inverted: what relies on them
// fails.
module hwrnn_cell_memory #(
  parameter integer Words = 256,  // of eight lanes
  parameter integer Layout = 9,  // of Data: 8 bits a lane, the ninth in Parity; 9; or 20 for two
  parameter [Words*80-1:0] Data = 0,
  parameter [Words*8-1:0] Parity = 0,
  parameter integer WriteWidthA = 0,
  parameter integer ReadWidthA = 0,
  parameter integer WriteWidthB = 0,
  parameter integer ReadWidthB = 0,
  parameter integer ModeA = 0,
  parameter integer ModeB = 0,
  parameter [71:0] StartA = 0,
  parameter [71:0] StartB = 0,
  parameter [71:0] ResetA = 0,
  parameter [71:0] ResetB = 0,
  localparam integer AddressWidth = $clog2(Words * 64)
) (
  input wire clk_a, enable_a, reset_a,
  input wire [7:0] write_a,
  input wire [AddressWidth-1:0] address_a,
  input wire [71:0] data_a,
  output reg [71:0] q_a,
  input wire clk_b, enable_b, reset_b,
  input wire [7:0] write_b,
  input wire [AddressWidth-1:0] address_b,
  input wire [71:0] data_b,
  output reg [71:0] q_b
);

  reg [71:0] words [0:Words-1];

  initial begin
    for (integer i = 0; i < Words; i = i + 1) begin
      for (integer k = 0; k < 8; k = k + 1) begin
        case (Layout)
          8:       words[i][k*9+:9] = {Parity[i*8+k], Data[(i*8+k)*8+:8]};
          9:       words[i][k*9+:9] = Data[(i*8+k)*9+:9];
          default: words[i][k*9+:9] = Data[(i*4+k/2)*20+(k%2)*9+:9];
        endcase
      end
    end
    q_a = StartA;
    q_b = StartB;
  end

  function automatic integer lanes_of(integer width);
    if (width < 8) return 1;
    return (width % 9 == 0) ? width / 9 : width / 8;
  endfunction

  // The bits of a port in the lowest places, of the lanes that are written.
  function automatic [71:0] places_of(integer width, [7:0] lanes);
    places_of = 0;
    for (integer i = 0; i < 8; i = i + 1) begin
      if (i < lanes_of(width) && lanes[i])
        places_of[i*9+:9] = (width < 8) ? 9'((1 << width) - 1) : (width % 9 == 0) ? 9'h1ff : 9'h0ff;
    end
  endfunction

  // Where they lie in a word.
  function automatic [6:0] shift_of(integer width, [AddressWidth-1:0] address);
    reg [2:0] lane, first;
    lane  = address[5:3] & ~3'(lanes_of(width) - 1);
    first = (width < 8) ? address[2:0] & ~3'(width - 1) : 3'd0;
    return 7'(lane) * 7'd9 + 7'(first);
  endfunction

  wire [AddressWidth-7:0] word_a = address_a[AddressWidth-1:6];
  wire [AddressWidth-7:0] word_b = address_b[AddressWidth-1:6];
  wire [71:0] mask_a = (WriteWidthA != 0 && enable_a)
                       ? places_of(WriteWidthA, write_a) << shift_of(WriteWidthA, address_a) : 0;
  wire [71:0] mask_b = (WriteWidthB != 0 && enable_b)
                       ? places_of(WriteWidthB, write_b) << shift_of(WriteWidthB, address_b) : 0;
  wire [71:0] new_a = data_a << shift_of(WriteWidthA, address_a);
  wire [71:0] new_b = data_b << shift_of(WriteWidthB, address_b);
  wire same = word_a == word_b;
  wire [71:0] lost_a = (same && ModeB != 2) ? mask_b : 0;
  wire [71:0] lost_b = (same && ModeA != 2) ? mask_a : 0;

  // A word that both ports write gets what both of them write.
  wire [71:0] mask = same ? mask_a | mask_b : 0;
  wire [71:0] both = (new_a & mask_a) | (new_b & mask_b);

  always @(posedge clk_a) begin
    if (mask_a != 0)
      words[word_a] <= (words[word_a] & ~mask_a & ~mask) | (same ? both : new_a & mask_a);
  end

  always @(posedge clk_b) begin
    if (mask_b != 0)
      words[word_b] <= (words[word_b] & ~mask_b & ~mask) | (same ? both : new_b & mask_b);
  end

  // What a port reads: the old word, the bits that it writes itself by its mode.
  function automatic [71:0] seen(
      integer width, integer mode, [71:0] old, [71:0] mask, [71:0] data, [71:0] lost, [6:0] shift);
    reg [71:0] word;
    word = old ^ lost;
    if (mode == 1) word = (word & ~mask) | (data & mask);
    return (word >> shift) & places_of(width, 8'hff);
  endfunction

  if (ReadWidthA != 0) begin : g_read_a
    always @(posedge clk_a) begin
      if (enable_a && reset_a) q_a <= ResetA;
      else if (enable_a && (mask_a == 0 || ModeA != 0))
        q_a <= seen(ReadWidthA, ModeA, words[word_a], mask_a, new_a, lost_a,
                    shift_of(ReadWidthA, address_a));
    end
  end

  if (ReadWidthB != 0) begin : g_read_b
    always @(posedge clk_b) begin
      if (enable_b && reset_b) q_b <= ResetB;
      else if (enable_b && (mask_b == 0 || ModeB != 0))
        q_b <= seen(ReadWidthB, ModeB, words[word_b], mask_b, new_b, lost_b,
                    shift_of(ReadWidthB, address_b));
    end
  end

endmodule
