// SPDX-License-Identifier: Apache-2.0
// DPX9B: 18 Kbit, two ports that read and write, without output registers (READ_MODE 0).
// Gowin UG285 "Gowin BSRAM & SSRAM User Guide"; see hwrnn_cell_bsram.
module DPX9B #(
  parameter BIT_WIDTH_0 = 18, parameter BIT_WIDTH_1 = 18, parameter [0:0] READ_MODE0 = 1'b0,
  parameter [0:0] READ_MODE1 = 1'b0, parameter [1:0] WRITE_MODE0 = 2'b00,
  parameter [1:0] WRITE_MODE1 = 2'b00, parameter [2:0] BLK_SEL_0 = 3'b000,
  parameter [2:0] BLK_SEL_1 = 3'b000, parameter RESET_MODE = "SYNC",
  parameter [287:0] INIT_RAM_00 = 0, parameter [287:0] INIT_RAM_01 = 0,
  parameter [287:0] INIT_RAM_02 = 0, parameter [287:0] INIT_RAM_03 = 0,
  parameter [287:0] INIT_RAM_04 = 0, parameter [287:0] INIT_RAM_05 = 0,
  parameter [287:0] INIT_RAM_06 = 0, parameter [287:0] INIT_RAM_07 = 0,
  parameter [287:0] INIT_RAM_08 = 0, parameter [287:0] INIT_RAM_09 = 0,
  parameter [287:0] INIT_RAM_0A = 0, parameter [287:0] INIT_RAM_0B = 0,
  parameter [287:0] INIT_RAM_0C = 0, parameter [287:0] INIT_RAM_0D = 0,
  parameter [287:0] INIT_RAM_0E = 0, parameter [287:0] INIT_RAM_0F = 0,
  parameter [287:0] INIT_RAM_10 = 0, parameter [287:0] INIT_RAM_11 = 0,
  parameter [287:0] INIT_RAM_12 = 0, parameter [287:0] INIT_RAM_13 = 0,
  parameter [287:0] INIT_RAM_14 = 0, parameter [287:0] INIT_RAM_15 = 0,
  parameter [287:0] INIT_RAM_16 = 0, parameter [287:0] INIT_RAM_17 = 0,
  parameter [287:0] INIT_RAM_18 = 0, parameter [287:0] INIT_RAM_19 = 0,
  parameter [287:0] INIT_RAM_1A = 0, parameter [287:0] INIT_RAM_1B = 0,
  parameter [287:0] INIT_RAM_1C = 0, parameter [287:0] INIT_RAM_1D = 0,
  parameter [287:0] INIT_RAM_1E = 0, parameter [287:0] INIT_RAM_1F = 0,
  parameter [287:0] INIT_RAM_20 = 0, parameter [287:0] INIT_RAM_21 = 0,
  parameter [287:0] INIT_RAM_22 = 0, parameter [287:0] INIT_RAM_23 = 0,
  parameter [287:0] INIT_RAM_24 = 0, parameter [287:0] INIT_RAM_25 = 0,
  parameter [287:0] INIT_RAM_26 = 0, parameter [287:0] INIT_RAM_27 = 0,
  parameter [287:0] INIT_RAM_28 = 0, parameter [287:0] INIT_RAM_29 = 0,
  parameter [287:0] INIT_RAM_2A = 0, parameter [287:0] INIT_RAM_2B = 0,
  parameter [287:0] INIT_RAM_2C = 0, parameter [287:0] INIT_RAM_2D = 0,
  parameter [287:0] INIT_RAM_2E = 0, parameter [287:0] INIT_RAM_2F = 0,
  parameter [287:0] INIT_RAM_30 = 0, parameter [287:0] INIT_RAM_31 = 0,
  parameter [287:0] INIT_RAM_32 = 0, parameter [287:0] INIT_RAM_33 = 0,
  parameter [287:0] INIT_RAM_34 = 0, parameter [287:0] INIT_RAM_35 = 0,
  parameter [287:0] INIT_RAM_36 = 0, parameter [287:0] INIT_RAM_37 = 0,
  parameter [287:0] INIT_RAM_38 = 0, parameter [287:0] INIT_RAM_39 = 0,
  parameter [287:0] INIT_RAM_3A = 0, parameter [287:0] INIT_RAM_3B = 0,
  parameter [287:0] INIT_RAM_3C = 0, parameter [287:0] INIT_RAM_3D = 0,
  parameter [287:0] INIT_RAM_3E = 0, parameter [287:0] INIT_RAM_3F = 0
) (
  output wire [17:0] DOA, DOB,
  input wire [17:0] DIA, DIB,
  input wire [2:0] BLKSELA, BLKSELB,
  input wire [13:0] ADA, ADB,
  input wire WREA, WREB, CLKA, CLKB, CEA, CEB, OCEA, OCEB, RESETA, RESETB
);

  if (BIT_WIDTH_0 != 9 && BIT_WIDTH_0 != 18)
    $fatal(1, "DPX9B: BIT_WIDTH_0 is %0d, which is no width of it", BIT_WIDTH_0);
  if (BIT_WIDTH_1 != 9 && BIT_WIDTH_1 != 18)
    $fatal(1, "DPX9B: BIT_WIDTH_1 is %0d, which is no width of it", BIT_WIDTH_1);
  if (READ_MODE0)
    $fatal(1, "DPX9B: READ_MODE0 is %b; this model has no output register", READ_MODE0);
  if (READ_MODE1)
    $fatal(1, "DPX9B: READ_MODE1 is %b; this model has no output register", READ_MODE1);
  if (WRITE_MODE0 == 2'b11)
    $fatal(1, "DPX9B: WRITE_MODE0 is %b, which is no mode", WRITE_MODE0);
  if (WRITE_MODE1 == 2'b11)
    $fatal(1, "DPX9B: WRITE_MODE1 is %b, which is no mode", WRITE_MODE1);

  localparam [18431:0] Data = {
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39,
    INIT_RAM_38, INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32,
    INIT_RAM_31, INIT_RAM_30, INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B,
    INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28, INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24,
    INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20, INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D,
    INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18, INIT_RAM_17, INIT_RAM_16,
    INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10, INIT_RAM_0F,
    INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01,
    INIT_RAM_00};

  hwrnn_cell_bsram #(
    .Cell       ("DPX9B"),
    .Lane       (9),
    .Bytes      (2),
    .Data       (Data),
    .WriteWidthA(BIT_WIDTH_0),
    .ReadWidthA (BIT_WIDTH_0),
    .WriteWidthB(BIT_WIDTH_1),
    .ReadWidthB (BIT_WIDTH_1),
    .ModeA      (WRITE_MODE0),
    .ModeB      (WRITE_MODE1),
    .ResetMode  (RESET_MODE)
  ) u_memory (
    .clk_a    (CLKA),
    .enable_a (CEA && BLKSELA == BLK_SEL_0),
    .reset_a  (RESETA),
    .write_a  (WREA),
    .address_a(ADA),
    .data_a   (DIA),
    .q_a      (DOA),
    .clk_b    (CLKB),
    .enable_b (CEB && BLKSELB == BLK_SEL_1),
    .reset_b  (RESETB),
    .write_b  (WREB),
    .address_b(ADB),
    .data_b   (DIB),
    .q_b      (DOB)
  );

endmodule
