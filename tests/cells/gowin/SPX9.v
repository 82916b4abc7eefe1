// SPDX-License-Identifier: Apache-2.0
// SPX9: 18 Kbit, one port, without output registers (READ_MODE 0).
// Gowin UG285 "Gowin BSRAM & SSRAM User Guide"; see hwrnn_cell_bsram.
module SPX9 #(
  parameter BIT_WIDTH = 36, parameter [0:0] READ_MODE = 1'b0, parameter [1:0] WRITE_MODE = 2'b00,
  parameter [2:0] BLK_SEL = 3'b000, parameter RESET_MODE = "SYNC",
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
  output wire [35:0] DO,
  input wire [35:0] DI,
  input wire [2:0] BLKSEL,
  input wire [13:0] AD,
  input wire WRE, CLK, CE, OCE, RESET
);

  if (BIT_WIDTH != 9 && BIT_WIDTH != 18 && BIT_WIDTH != 36)
    $fatal(1, "SPX9: BIT_WIDTH is %0d, which is no width of it", BIT_WIDTH);
  if (READ_MODE)
    $fatal(1, "SPX9: READ_MODE is %b; this model has no output register", READ_MODE);
  if (WRITE_MODE == 2'b11)
    $fatal(1, "SPX9: WRITE_MODE is %b, which is no mode", WRITE_MODE);

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
    .Cell       ("SPX9"),
    .Lane       (9),
    .Bytes      (4),
    .Data       (Data),
    .WriteWidthA(BIT_WIDTH),
    .ReadWidthA (BIT_WIDTH),
    .ModeA      (WRITE_MODE),
    .ModeB      (2'd2),
    .ResetMode  (RESET_MODE)
  ) u_memory (
    .clk_a    (CLK),
    .enable_a (CE && BLKSEL == BLK_SEL),
    .reset_a  (RESET),
    .write_a  (WRE),
    .address_a(AD),
    .data_a   (DI),
    .q_a      (DO),
    .clk_b    (1'b0),
    .enable_b (1'b0),
    .reset_b  (1'b0),
    .write_b  (1'b0),
    .address_b(14'd0),
    .data_b   ('0),
    .q_b      ()
  );

endmodule
