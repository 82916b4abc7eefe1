// SPDX-License-Identifier: Apache-2.0
// What the block memories of AMD have in common, RAMB18 (Bits = 16) and RAMB36 (32) of the 7 series
// and of UltraScale: the modes WRITE_FIRST, READ_FIRST and NO_CHANGE; byte-wide write enables;
// contents: bit k of the data is bit k % 256 of INIT_(k / 256), the parity bit of byte k is bit
// k % 256 of INITP_(k / 256); a port's parity bits stand apart from its data; INIT_A and SRVAL_A are
// the output latches at power-on and after a reset, which needs the enable.  With twice the bits
// (simple dual port) port A reads and port B writes, the upper half at the pins of the other port.
// The output registers are left out.
module hwrnn_cell_ramb #(
  parameter Cell = "",
  parameter integer Bits = 16,
  parameter [Bits*1024-1:0] Data = 0,
  parameter [Bits*128-1:0] Parity = 0,
  parameter integer ReadWidthA = 0,
  parameter integer ReadWidthB = 0,
  parameter integer WriteWidthA = 0,
  parameter integer WriteWidthB = 0,
  parameter WriteModeA = "",
  parameter WriteModeB = "",
  parameter integer RegisterA = 0,
  parameter integer RegisterB = 0,
  parameter Inverted = 0,
  parameter InitFile = "NONE",
  parameter [Bits*9/8-1:0] InitA = 0,
  parameter [Bits*9/8-1:0] InitB = 0,
  parameter [Bits*9/8-1:0] SrvalA = 0,
  parameter [Bits*9/8-1:0] SrvalB = 0,
  localparam integer Bytes = Bits / 8,
  localparam integer Wide = Bits * 9 / 4,
  localparam integer AddressWidth = $clog2(Bits * 1024)
) (
  input wire clk_a, enable_a, reset_a, input wire [Bytes-1:0] write_a,
  input wire [AddressWidth-1:0] address_a, input wire [Bits-1:0] data_a,
  input wire [Bytes-1:0] parity_a, output wire [Bits-1:0] q_a, output wire [Bytes-1:0] parity_q_a,
  input wire clk_b, enable_b, reset_b, input wire [2*Bytes-1:0] write_b,
  input wire [AddressWidth-1:0] address_b, input wire [Bits-1:0] data_b,
  input wire [Bytes-1:0] parity_b, output wire [Bits-1:0] q_b, output wire [Bytes-1:0] parity_q_b
);

  function automatic integer mode_of([10*8+8-1:0] name);
    case (name)
      "NO_CHANGE":   return 0;
      "WRITE_FIRST": return 1;
      "READ_FIRST":  return 2;
      default:       return -1;
    endcase
  endfunction

  function automatic bit is_width(integer width, integer most);
    if (width > most) return 0;
    return width == 0 || width == 1 || width == 2 || width == 4 || width == 9 || width == 18
        || width == 36 || width == 72;
  endfunction

  if (RegisterA != 0 || RegisterB != 0)
    $fatal(1, "%s: DOA_REG, DOB_REG are %0d %0d; this model has no output register", Cell, RegisterA, RegisterB);
  if (Inverted)
    $fatal(1, "%s: an input is inverted (IS_..._INVERTED); this model inverts none", Cell);
  if (InitFile != "NONE")
    $fatal(1, "%s: INIT_FILE is %s; this model takes INIT_xx only", Cell, InitFile);
  if (mode_of(WriteModeA) < 0)
    $fatal(1, "%s: WRITE_MODE_A is %s, which is no mode", Cell, WriteModeA);
  if (mode_of(WriteModeB) < 0)
    $fatal(1, "%s: WRITE_MODE_B is %s, which is no mode", Cell, WriteModeB);
  if (WriteWidthA != 0 && ReadWidthA != 0 && WriteWidthA != ReadWidthA)
    $fatal(1, "%s: port A reads %0d and writes %0d bits; this model wants equal widths", Cell, ReadWidthA, WriteWidthA);
  if (WriteWidthB != 0 && ReadWidthB != 0 && WriteWidthB != ReadWidthB)
    $fatal(1, "%s: port B reads %0d and writes %0d bits; this model wants equal widths", Cell, ReadWidthB, WriteWidthB);
  if (!is_width(ReadWidthA, Wide))
    $fatal(1, "%s: READ_WIDTH_A is %0d, which is no width of it", Cell, ReadWidthA);
  if (!is_width(ReadWidthB, Wide / 2))
    $fatal(1, "%s: READ_WIDTH_B is %0d, which is no width of it", Cell, ReadWidthB);
  if (!is_width(WriteWidthA, Wide / 2))
    $fatal(1, "%s: WRITE_WIDTH_A is %0d, which is no width of it", Cell, WriteWidthA);
  if (!is_width(WriteWidthB, Wide))
    $fatal(1, "%s: WRITE_WIDTH_B is %0d, which is no width of it", Cell, WriteWidthB);

  // The parity bits, which a port has apart, behind their bytes, and back.
  function automatic [71:0] joined([63:0] data, [7:0] parity);
    for (integer i = 0; i < 8; i = i + 1) joined[i*9+:9] = {parity[i], data[i*8+:8]};
  endfunction

  function automatic [71:0] latch([Bits*9/8-1:0] low, [Bits*9/8-1:0] high);
    return joined(64'({high[Bits-1:0], low[Bits-1:0]}), 8'({high[Bits+:Bytes], low[Bits+:Bytes]}));
  endfunction

  function automatic [63:0] data_of([71:0] lanes);
    for (integer i = 0; i < 8; i = i + 1) data_of[i*8+:8] = lanes[i*9+:8];
  endfunction

  function automatic [7:0] parity_of([71:0] lanes);
    for (integer i = 0; i < 8; i = i + 1) parity_of[i] = lanes[i*9+8];
  endfunction

  localparam bit WideA = ReadWidthA == Wide;
  wire [71:0] lanes_a, lanes_b;

  assign q_a        = Bits'(data_of(lanes_a));
  assign parity_q_a = Bytes'(parity_of(lanes_a));
  assign q_b        = Bits'(WideA ? data_of(lanes_a) >> Bits : data_of(lanes_b));
  assign parity_q_b = Bytes'(WideA ? parity_of(lanes_a) >> Bytes : parity_of(lanes_b));

  hwrnn_cell_memory #(
    .Words      (Bits * 16),
    .Layout     (8),
    .Data       (Data),
    .Parity     (Parity),
    .WriteWidthA(WriteWidthA),
    .ReadWidthA (ReadWidthA),
    .WriteWidthB(WriteWidthB),
    .ReadWidthB (ReadWidthB),
    .ModeA      (mode_of(WriteModeA)),
    .ModeB      (mode_of(WriteModeB)),
    .StartA     (latch(InitA, WideA ? InitB : '0)),
    .StartB     (latch(InitB, '0)),
    .ResetA     (latch(SrvalA, WideA ? SrvalB : '0)),
    .ResetB     (latch(SrvalB, '0))
  ) u_memory (
    .clk_a    (clk_a),
    .enable_a (enable_a),
    .reset_a  (reset_a),
    .write_a  (8'(write_a)),
    .address_a(address_a),
    .data_a   (joined(64'(data_a), 8'(parity_a))),
    .q_a      (lanes_a),
    .clk_b    (clk_b),
    .enable_b (enable_b),
    .reset_b  (reset_b),
    .write_b  (8'(write_b)),
    .address_b(address_b),
    .data_b   ((WriteWidthB == Wide) ? joined(64'({data_b, data_a}), 8'({parity_b, parity_a}))
                                     : joined(64'(data_b), 8'(parity_b))),
    .q_b      (lanes_b)
  );

endmodule
