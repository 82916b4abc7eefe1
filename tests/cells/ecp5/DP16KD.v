// SPDX-License-Identifier: Apache-2.0
// DP16KD: 1,024 rows of 18 bits in ports of 1, 2, 4, 9 or 18 bits, without output registers; with 36
// bits (what Lattice calls PDPW16KD) port A writes {DIB, DIA} and port B reads {DOB, DOA}.
// Lattice FPGA-TN-02204 "ECP5 and ECP5-5G Memory Usage Guide": the address counts
// bits of the 16K that have no ninth; with 18 bits the lowest two address lines are byte enables,
// with 36 the lowest four; NORMAL keeps the output while writing, WRITETHROUGH gives the new data,
// READBEFOREWRITE the old; of INITVAL_xx each 20 bits hold one row, in the lower 18.
module DP16KD #(
  parameter DATA_WIDTH_A = 18, parameter DATA_WIDTH_B = 18, parameter REGMODE_A = "NOREG",
  parameter REGMODE_B = "NOREG", parameter RESETMODE = "SYNC",
  parameter ASYNC_RESET_RELEASE = "SYNC", parameter CSDECODE_A = "0b000",
  parameter CSDECODE_B = "0b000", parameter WRITEMODE_A = "NORMAL",
  parameter WRITEMODE_B = "NORMAL", parameter CLKAMUX = "CLKA", parameter CLKBMUX = "CLKB",
  parameter GSR = "ENABLED", parameter INIT_DATA = "STATIC", parameter [319:0] INITVAL_00 = 0,
  parameter [319:0] INITVAL_01 = 0, parameter [319:0] INITVAL_02 = 0,
  parameter [319:0] INITVAL_03 = 0, parameter [319:0] INITVAL_04 = 0,
  parameter [319:0] INITVAL_05 = 0, parameter [319:0] INITVAL_06 = 0,
  parameter [319:0] INITVAL_07 = 0, parameter [319:0] INITVAL_08 = 0,
  parameter [319:0] INITVAL_09 = 0, parameter [319:0] INITVAL_0A = 0,
  parameter [319:0] INITVAL_0B = 0, parameter [319:0] INITVAL_0C = 0,
  parameter [319:0] INITVAL_0D = 0, parameter [319:0] INITVAL_0E = 0,
  parameter [319:0] INITVAL_0F = 0, parameter [319:0] INITVAL_10 = 0,
  parameter [319:0] INITVAL_11 = 0, parameter [319:0] INITVAL_12 = 0,
  parameter [319:0] INITVAL_13 = 0, parameter [319:0] INITVAL_14 = 0,
  parameter [319:0] INITVAL_15 = 0, parameter [319:0] INITVAL_16 = 0,
  parameter [319:0] INITVAL_17 = 0, parameter [319:0] INITVAL_18 = 0,
  parameter [319:0] INITVAL_19 = 0, parameter [319:0] INITVAL_1A = 0,
  parameter [319:0] INITVAL_1B = 0, parameter [319:0] INITVAL_1C = 0,
  parameter [319:0] INITVAL_1D = 0, parameter [319:0] INITVAL_1E = 0,
  parameter [319:0] INITVAL_1F = 0, parameter [319:0] INITVAL_20 = 0,
  parameter [319:0] INITVAL_21 = 0, parameter [319:0] INITVAL_22 = 0,
  parameter [319:0] INITVAL_23 = 0, parameter [319:0] INITVAL_24 = 0,
  parameter [319:0] INITVAL_25 = 0, parameter [319:0] INITVAL_26 = 0,
  parameter [319:0] INITVAL_27 = 0, parameter [319:0] INITVAL_28 = 0,
  parameter [319:0] INITVAL_29 = 0, parameter [319:0] INITVAL_2A = 0,
  parameter [319:0] INITVAL_2B = 0, parameter [319:0] INITVAL_2C = 0,
  parameter [319:0] INITVAL_2D = 0, parameter [319:0] INITVAL_2E = 0,
  parameter [319:0] INITVAL_2F = 0, parameter [319:0] INITVAL_30 = 0,
  parameter [319:0] INITVAL_31 = 0, parameter [319:0] INITVAL_32 = 0,
  parameter [319:0] INITVAL_33 = 0, parameter [319:0] INITVAL_34 = 0,
  parameter [319:0] INITVAL_35 = 0, parameter [319:0] INITVAL_36 = 0,
  parameter [319:0] INITVAL_37 = 0, parameter [319:0] INITVAL_38 = 0,
  parameter [319:0] INITVAL_39 = 0, parameter [319:0] INITVAL_3A = 0,
  parameter [319:0] INITVAL_3B = 0, parameter [319:0] INITVAL_3C = 0,
  parameter [319:0] INITVAL_3D = 0, parameter [319:0] INITVAL_3E = 0,
  parameter [319:0] INITVAL_3F = 0
) (
  input wire DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
             DIA4, DIA3, DIA2, DIA1, DIA0,
  input wire ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input wire CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output wire DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
              DOA4, DOA3, DOA2, DOA1, DOA0,
  input wire DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
             DIB4, DIB3, DIB2, DIB1, DIB0,
  input wire ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input wire CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output wire DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
              DOB4, DOB3, DOB2, DOB1, DOB0
);

  function automatic integer mode_of([15*8-1:0] name);
    case (name)
      "NORMAL":          return 0;
      "WRITETHROUGH":    return 1;
      "READBEFOREWRITE": return 2;
      default:           return -1;
    endcase
  endfunction

  function automatic bit has(integer width);
    return width == 1 || width == 2 || width == 4 || width == 9 || width == 18 || width == 36;
  endfunction

  if (!has(DATA_WIDTH_A) || !has(DATA_WIDTH_B))
    $fatal(1, "DP16KD: DATA_WIDTH_A, DATA_WIDTH_B are %0d %0d, which are no widths of it",
           DATA_WIDTH_A, DATA_WIDTH_B);
  if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG")
    $fatal(1, "DP16KD: REGMODE_A, REGMODE_B are %s %s; this model has no output register",
           REGMODE_A, REGMODE_B);

  // Without a reset its kind does not matter.
  always @* begin
    if (RESETMODE != "SYNC" && (RSTA || RSTB))
      $fatal(1, "DP16KD: RESETMODE is %s; this model resets with the clock", RESETMODE);
  end
  if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000")
    $fatal(1, "DP16KD: CSDECODE_A, CSDECODE_B are %s %s; this model is chosen by 0b000",
           CSDECODE_A, CSDECODE_B);
  if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB")
    $fatal(1, "DP16KD: CLKAMUX, CLKBMUX are %s %s; this model inverts no clock", CLKAMUX, CLKBMUX);
  if (mode_of(WRITEMODE_A) < 0 || mode_of(WRITEMODE_B) < 0)
    $fatal(1, "DP16KD: WRITEMODE_A, WRITEMODE_B are %s %s, which are no modes",
           WRITEMODE_A, WRITEMODE_B);

  wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
      DIA3, DIA2, DIA1, DIA0};
  wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
      DIB3, DIB2, DIB1, DIB0};
  wire [71:0] q_a, q_b;
  wire [17:0] low = (DATA_WIDTH_B == 36) ? q_b[17:0] : q_a[17:0];
  wire [17:0] high = (DATA_WIDTH_B == 36) ? q_b[35:18] : q_b[17:0];

  function automatic [7:0] lanes(integer width, bit write, [3:0] enables);
    if (!write) return 8'h00;
    return (width == 36) ? 8'(enables) : (width == 18) ? 8'(enables[1:0]) : 8'h01;
  endfunction

  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4,
      DOA3, DOA2, DOA1, DOA0} = low;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4,
      DOB3, DOB2, DOB1, DOB0} = high;

  localparam [20479:0] Rows = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};

  // With 36 bits, A only writes and B only reads.
  hwrnn_cell_memory #(
    .Words      (256),
    .Layout     (20),
    .Data       (Rows),
    .WriteWidthA(DATA_WIDTH_A),
    .ReadWidthA ((DATA_WIDTH_B == 36 || DATA_WIDTH_A == 36) ? 0 : DATA_WIDTH_A),
    .WriteWidthB((DATA_WIDTH_B == 36 || DATA_WIDTH_A == 36) ? 0 : DATA_WIDTH_B),
    .ReadWidthB (DATA_WIDTH_B),
    .ModeA      (mode_of(WRITEMODE_A)),
    .ModeB      (mode_of(WRITEMODE_B))
  ) u_memory (
    .clk_a    (CLKA),
    .enable_a (CEA && {CSA2, CSA1, CSA0} == 3'b000),
    .reset_a  (RSTA),
    .write_a  (lanes(DATA_WIDTH_A, WEA, address_a[3:0])),
    .address_a(address_a),
    .data_a   ((DATA_WIDTH_A == 36) ? {36'd0, data_b, data_a} : {54'd0, data_a}),
    .q_a      (q_a),
    .clk_b    (CLKB),
    .enable_b (CEB && {CSB2, CSB1, CSB0} == 3'b000),
    .reset_b  (RSTB),
    .write_b  (lanes(DATA_WIDTH_B, WEB, address_b[3:0])),
    .address_b(address_b),
    .data_b   ({54'd0, data_b}),
    .q_b      (q_b)
  );

endmodule
