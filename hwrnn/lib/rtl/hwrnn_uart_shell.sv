// SPDX-License-Identifier: Apache-2.0
// Between a serial line and the AXI4-Stream ports of a design; the protocol is in docs/uart.md.
// BaudDivisor: cycles a bit. XBytes, YBytes: bytes of TDATA to and from the design. Depth: bytes of
// each buffer. WaitBits: an answer waits for results for 2**WaitBits cycles. RomPages: the memory
// that describes the design to the host, in pages of 32 bytes.
// design_rst_o resets the design: with rst_i, and for a cycle when the host asks for it.
`default_nettype none

module hwrnn_uart_shell #(
  parameter int unsigned BaudDivisor = 104,
  parameter int unsigned XBytes = 1,
  parameter int unsigned YBytes = 1,
  parameter int unsigned Depth = 256,
  parameter int unsigned WaitBits = 20,
  parameter int unsigned RomPages = 1,
  parameter string RomFile = ""
) (
  input  wire logic                clk_i,
  input  wire logic                rst_i,
  input  wire logic                rx_i,
  output logic                     tx_o,

  output logic [XBytes*8-1:0]      m_axis_tdata,
  output logic                     m_axis_tvalid,
  input  wire logic                m_axis_tready,
  output logic                     m_axis_tlast,

  input  wire logic [YBytes*8-1:0] s_axis_tdata,
  input  wire logic                s_axis_tvalid,
  output logic                     s_axis_tready,
  input  wire logic                s_axis_tlast,

  input  wire logic                error_i,
  output logic                     design_rst_o,
  output logic                     busy_o
);

  localparam int unsigned RomBytes = RomPages * 32;
  localparam int unsigned RomBits = $clog2(RomBytes);

  if (RomPages < 1 || RomPages > 256) begin : g_check_rom
    $error("hwrnn_uart_shell: RomPages is %0d, it must be from 1 to 256", RomPages);
  end

  logic reset, rst;

  assign rst          = rst_i || reset;
  assign design_rst_o = rst;

  // -- the line -------------------------------------------------------------------------------

  logic [7:0] line_in, line_out, rx_data, tx_data;
  logic line_in_valid, line_out_valid, line_out_ready, rx_valid, rx_end, tx_end, tx_valid, tx_ready;

  hwrnn_uart_rx #(
    .BaudDivisor(BaudDivisor)
  ) u_rx (
    .clk_i,
    .rst_i,
    .rx_i,
    .data_o (line_in),
    .valid_o(line_in_valid)
  );

  hwrnn_uart_unslip u_unslip (
    .clk_i,
    .rst_i,
    .in_data_i  (line_in),
    .in_valid_i (line_in_valid),
    .out_data_o (rx_data),
    .out_valid_o(rx_valid),
    .end_o      (rx_end)
  );

  hwrnn_uart_slip u_slip (
    .clk_i,
    .rst_i,
    .in_data_i  (tx_data),
    .in_end_i   (tx_end),
    .in_valid_i (tx_valid),
    .in_ready_o (tx_ready),
    .out_data_o (line_out),
    .out_valid_o(line_out_valid),
    .out_ready_i(line_out_ready)
  );

  hwrnn_uart_tx #(
    .BaudDivisor(BaudDivisor)
  ) u_tx (
    .clk_i,
    .rst_i,
    .data_i (line_out),
    .valid_i(line_out_valid),
    .ready_o(line_out_ready),
    .tx_o
  );

  // -- requests and answers -------------------------------------------------------------------

  logic [12:0] rom_address;
  logic [8:0] in_data, out_data;
  logic [7:0] in_free, rom_data;
  logic in_write, in_keep, in_drop, in_lost, in_empty, answering;
  logic out_valid, out_read, out_forget, out_rewind, out_empty;

  hwrnn_uart_control #(
    .WaitBits(WaitBits)
  ) u_control (
    .clk_i,
    .rst_i,
    .rx_data_i    (rx_data),
    .rx_valid_i   (rx_valid),
    .rx_end_i     (rx_end),
    .tx_data_o    (tx_data),
    .tx_end_o     (tx_end),
    .tx_valid_o   (tx_valid),
    .tx_ready_i   (tx_ready),
    .tx_idle_i    (line_out_ready),
    .in_data_o    (in_data),
    .in_write_o   (in_write),
    .in_keep_o    (in_keep),
    .in_drop_o    (in_drop),
    .in_lost_i    (in_lost),
    .in_free_i    (in_free),
    .out_data_i   (out_data),
    .out_valid_i  (out_valid),
    .out_read_o   (out_read),
    .out_forget_o (out_forget),
    .out_rewind_o (out_rewind),
    .rom_address_o(rom_address),
    .rom_data_i   (rom_data),
    .error_i,
    .busy_i       (!in_empty || !out_empty),
    .reset_o      (reset),
    .answering_o  (answering)
  );

  assign busy_o = answering || !in_empty || !out_empty;

  hwrnn_rom #(
    .Width(8),
    .Depth(RomBytes),
    .File (RomFile),
    .Style("block")
  ) u_rom (
    .clk_i,
    .address_i(rom_address[RomBits-1:0]),
    .data_o   (rom_data)
  );

  if (RomBits < 13) begin : g_unused_pages
    logic unused_pages;
    assign unused_pages = &{1'b0, rom_address[12:RomBits]};
  end

  // -- to the design --------------------------------------------------------------------------

  logic [8:0] to_data;
  logic to_valid, to_ready;

  hwrnn_uart_inbox #(
    .Depth(Depth)
  ) u_inbox (
    .clk_i,
    .rst_i      (rst),
    .in_data_i  (in_data),
    .in_write_i (in_write),
    .keep_i     (in_keep),
    .drop_i     (in_drop),
    .lost_o     (in_lost),
    .free_o     (in_free),
    .empty_o    (in_empty),
    .out_data_o (to_data),
    .out_valid_o(to_valid),
    .out_ready_i(to_ready)
  );

  hwrnn_uart_to_axis #(
    .Bytes(XBytes)
  ) u_to_axis (
    .clk_i,
    .rst_i     (rst),
    .in_data_i (to_data),
    .in_valid_i(to_valid),
    .in_ready_o(to_ready),
    .m_axis_tdata,
    .m_axis_tvalid,
    .m_axis_tready,
    .m_axis_tlast
  );

  // -- from the design ------------------------------------------------------------------------

  logic [8:0] from_data;
  logic from_valid, from_ready;

  hwrnn_uart_from_axis #(
    .Bytes(YBytes)
  ) u_from_axis (
    .clk_i,
    .rst_i      (rst),
    .s_axis_tdata,
    .s_axis_tvalid,
    .s_axis_tready,
    .s_axis_tlast,
    .out_data_o (from_data),
    .out_valid_o(from_valid),
    .out_ready_i(from_ready)
  );

  hwrnn_uart_outbox #(
    .Depth(Depth)
  ) u_outbox (
    .clk_i,
    .rst_i      (rst),
    .in_data_i  (from_data),
    .in_valid_i (from_valid),
    .in_ready_o (from_ready),
    .forget_i   (out_forget),
    .rewind_i   (out_rewind),
    .empty_o    (out_empty),
    .out_data_o (out_data),
    .out_valid_o(out_valid),
    .out_read_i (out_read)
  );

endmodule

`default_nettype wire
