// SPDX-License-Identifier: Apache-2.0
// RAMB18E2: 18 Kbit in ports of 1 to 18 bits (true dual port), or of 36 bits for reading at port A
// and writing at port B (simple dual port), without output registers, cascades and ECC.
// UG573 "UltraScale Architecture Memory Resources"; see hwrnn_cell_ramb.
module RAMB18E2 #(
  parameter integer DOA_REG = 1, parameter integer DOB_REG = 1, parameter CASCADE_ORDER_A = "NONE",
  parameter CASCADE_ORDER_B = "NONE", parameter CLOCK_DOMAINS = "INDEPENDENT",
  parameter ENADDRENA = "FALSE", parameter ENADDRENB = "FALSE", parameter RDADDRCHANGEA = "FALSE",
  parameter RDADDRCHANGEB = "FALSE", parameter SLEEP_ASYNC = "FALSE",
  parameter SIM_COLLISION_CHECK = "ALL", parameter INIT_FILE = "NONE", parameter [17:0] INIT_A = 0,
  parameter [17:0] INIT_B = 0, parameter [17:0] SRVAL_A = 0, parameter [17:0] SRVAL_B = 0,
  parameter integer READ_WIDTH_A = 0, parameter integer READ_WIDTH_B = 0,
  parameter integer WRITE_WIDTH_A = 0, parameter integer WRITE_WIDTH_B = 0,
  parameter WRITE_MODE_A = "NO_CHANGE", parameter WRITE_MODE_B = "NO_CHANGE",
  parameter RSTREG_PRIORITY_A = "RSTREG", parameter RSTREG_PRIORITY_B = "RSTREG",
  parameter [0:0] IS_CLKARDCLK_INVERTED = 1'b0, parameter [0:0] IS_CLKBWRCLK_INVERTED = 1'b0,
  parameter [0:0] IS_ENARDEN_INVERTED = 1'b0, parameter [0:0] IS_ENBWREN_INVERTED = 1'b0,
  parameter [0:0] IS_RSTRAMARSTRAM_INVERTED = 1'b0, parameter [0:0] IS_RSTRAMB_INVERTED = 1'b0,
  parameter [0:0] IS_RSTREGARSTREG_INVERTED = 1'b0, parameter [0:0] IS_RSTREGB_INVERTED = 1'b0,
  parameter [255:0] INIT_00 = 0, parameter [255:0] INIT_01 = 0, parameter [255:0] INIT_02 = 0,
  parameter [255:0] INIT_03 = 0, parameter [255:0] INIT_04 = 0, parameter [255:0] INIT_05 = 0,
  parameter [255:0] INIT_06 = 0, parameter [255:0] INIT_07 = 0, parameter [255:0] INIT_08 = 0,
  parameter [255:0] INIT_09 = 0, parameter [255:0] INIT_0A = 0, parameter [255:0] INIT_0B = 0,
  parameter [255:0] INIT_0C = 0, parameter [255:0] INIT_0D = 0, parameter [255:0] INIT_0E = 0,
  parameter [255:0] INIT_0F = 0, parameter [255:0] INIT_10 = 0, parameter [255:0] INIT_11 = 0,
  parameter [255:0] INIT_12 = 0, parameter [255:0] INIT_13 = 0, parameter [255:0] INIT_14 = 0,
  parameter [255:0] INIT_15 = 0, parameter [255:0] INIT_16 = 0, parameter [255:0] INIT_17 = 0,
  parameter [255:0] INIT_18 = 0, parameter [255:0] INIT_19 = 0, parameter [255:0] INIT_1A = 0,
  parameter [255:0] INIT_1B = 0, parameter [255:0] INIT_1C = 0, parameter [255:0] INIT_1D = 0,
  parameter [255:0] INIT_1E = 0, parameter [255:0] INIT_1F = 0, parameter [255:0] INIT_20 = 0,
  parameter [255:0] INIT_21 = 0, parameter [255:0] INIT_22 = 0, parameter [255:0] INIT_23 = 0,
  parameter [255:0] INIT_24 = 0, parameter [255:0] INIT_25 = 0, parameter [255:0] INIT_26 = 0,
  parameter [255:0] INIT_27 = 0, parameter [255:0] INIT_28 = 0, parameter [255:0] INIT_29 = 0,
  parameter [255:0] INIT_2A = 0, parameter [255:0] INIT_2B = 0, parameter [255:0] INIT_2C = 0,
  parameter [255:0] INIT_2D = 0, parameter [255:0] INIT_2E = 0, parameter [255:0] INIT_2F = 0,
  parameter [255:0] INIT_30 = 0, parameter [255:0] INIT_31 = 0, parameter [255:0] INIT_32 = 0,
  parameter [255:0] INIT_33 = 0, parameter [255:0] INIT_34 = 0, parameter [255:0] INIT_35 = 0,
  parameter [255:0] INIT_36 = 0, parameter [255:0] INIT_37 = 0, parameter [255:0] INIT_38 = 0,
  parameter [255:0] INIT_39 = 0, parameter [255:0] INIT_3A = 0, parameter [255:0] INIT_3B = 0,
  parameter [255:0] INIT_3C = 0, parameter [255:0] INIT_3D = 0, parameter [255:0] INIT_3E = 0,
  parameter [255:0] INIT_3F = 0, parameter [255:0] INITP_00 = 0, parameter [255:0] INITP_01 = 0,
  parameter [255:0] INITP_02 = 0, parameter [255:0] INITP_03 = 0, parameter [255:0] INITP_04 = 0,
  parameter [255:0] INITP_05 = 0, parameter [255:0] INITP_06 = 0, parameter [255:0] INITP_07 = 0
) (
  output wire [15:0] DOUTADOUT, DOUTBDOUT, output wire [1:0] DOUTPADOUTP, DOUTPBDOUTP,
  input wire [15:0] DINADIN, DINBDIN, input wire [1:0] DINPADINP, DINPBDINP,
  input wire [13:0] ADDRARDADDR, ADDRBWRADDR,
  input wire CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
  input wire RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB, input wire [1:0] WEA,
  input wire [3:0] WEBWE, input wire ADDRENA, ADDRENB, SLEEP
);

  if (CASCADE_ORDER_A != "NONE" || CASCADE_ORDER_B != "NONE")
    $fatal(1, "RAMB18E2: CASCADE_ORDER_A, CASCADE_ORDER_B are %s %s; this model has no cascade", CASCADE_ORDER_A, CASCADE_ORDER_B);
  if (ENADDRENA != "FALSE" || ENADDRENB != "FALSE" || RDADDRCHANGEA != "FALSE" || RDADDRCHANGEB != "FALSE")
    $fatal(1, "RAMB18E2: ENADDRENA, ENADDRENB, RDADDRCHANGEA, RDADDRCHANGEB are %s %s %s %s; all must be FALSE", ENADDRENA, ENADDRENB, RDADDRCHANGEA, RDADDRCHANGEB);

  localparam [16383:0] Data = {
    INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38, INIT_37, INIT_36,
    INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30, INIT_2F, INIT_2E, INIT_2D, INIT_2C,
    INIT_2B, INIT_2A, INIT_29, INIT_28, INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22,
    INIT_21, INIT_20, INIT_1F, INIT_1E, INIT_1D, INIT_1C, INIT_1B, INIT_1A, INIT_19, INIT_18,
    INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, INIT_11, INIT_10, INIT_0F, INIT_0E,
    INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08, INIT_07, INIT_06, INIT_05, INIT_04,
    INIT_03, INIT_02, INIT_01, INIT_00};
  localparam [2047:0] Parity = {
    INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00};

  hwrnn_cell_ramb #(
    .Cell       ("RAMB18E2"),
    .Bits       (16),
    .Data       (Data),
    .Parity     (Parity),
    .ReadWidthA (READ_WIDTH_A),
    .ReadWidthB (READ_WIDTH_B),
    .WriteWidthA(WRITE_WIDTH_A),
    .WriteWidthB(WRITE_WIDTH_B),
    .WriteModeA (WRITE_MODE_A),
    .WriteModeB (WRITE_MODE_B),
    .RegisterA  (DOA_REG),
    .RegisterB  (DOB_REG),
    .Inverted   (|{
      IS_CLKARDCLK_INVERTED, IS_CLKBWRCLK_INVERTED, IS_ENARDEN_INVERTED, IS_ENBWREN_INVERTED,
      IS_RSTRAMARSTRAM_INVERTED, IS_RSTRAMB_INVERTED, IS_RSTREGARSTREG_INVERTED,
      IS_RSTREGB_INVERTED
    }),
    .InitFile   (INIT_FILE),
    .InitA      (INIT_A),
    .InitB      (INIT_B),
    .SrvalA     (SRVAL_A),
    .SrvalB     (SRVAL_B)
  ) u_memory (
    .clk_a     (CLKARDCLK),
    .enable_a  (ENARDEN),
    .reset_a   (RSTRAMARSTRAM),
    .write_a   (WEA),
    .address_a (ADDRARDADDR[13:0]),
    .data_a    (DINADIN),
    .parity_a  (DINPADINP),
    .q_a       (DOUTADOUT),
    .parity_q_a(DOUTPADOUTP),
    .clk_b     (CLKBWRCLK),
    .enable_b  (ENBWREN),
    .reset_b   (RSTRAMB),
    .write_b   (WEBWE),
    .address_b (ADDRBWRADDR[13:0]),
    .data_b    (DINBDIN),
    .parity_b  (DINPBDINP),
    .q_b       (DOUTBDOUT),
    .parity_q_b(DOUTPBDOUTP)
  );

endmodule
