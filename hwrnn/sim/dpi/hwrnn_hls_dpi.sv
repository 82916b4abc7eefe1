// SPDX-License-Identifier: Apache-2.0
// For simulation: the HLS C++ of a design behind the ports of its RTL; TID, TUSER and the AXI4-Lite
// slave are there always. Words that are accepted go to the C++ at once; it runs when a call is
// complete, with the writes that came before. The results leave one word a cycle, and nothing is
// accepted until they have left. Latency: one cycle after the last word of a call.
// Words, Layout, Version, ModelHash: those of the slave; a design without one has no Words.
`default_nettype none

module hwrnn_hls_dpi #(
  parameter int unsigned InWidth = 8,
  parameter int unsigned OutWidth = 8,
  parameter int unsigned IdWidth = 1,
  parameter int unsigned AddressWidth = 9,
  parameter int unsigned Words = 0,
  parameter logic [31:0] Layout = '0,
  parameter logic [31:0] Version = '0,
  parameter logic [63:0] ModelHash = '0
) (
  input  wire logic                aclk,
  input  wire logic                aresetn,

  input  wire logic [InWidth-1:0]  s_axis_tdata,
  input  wire logic                s_axis_tvalid,
  output logic                     s_axis_tready,
  input  wire logic                s_axis_tlast,
  input  wire logic [IdWidth-1:0]  s_axis_tid,
  input  wire logic                s_axis_tuser,

  output logic [OutWidth-1:0]      m_axis_tdata,
  output logic                     m_axis_tvalid,
  input  wire logic                m_axis_tready,
  output logic                     m_axis_tlast,
  output logic [IdWidth-1:0]       m_axis_tid,

  input  wire logic [AddressWidth-1:0] s_axi_awaddr,
  input  wire logic                s_axi_awvalid,
  output logic                     s_axi_awready,
  input  wire logic [31:0]         s_axi_wdata,
  input  wire logic [3:0]          s_axi_wstrb,
  input  wire logic                s_axi_wvalid,
  output logic                     s_axi_wready,
  output logic [1:0]               s_axi_bresp,
  output logic                     s_axi_bvalid,
  input  wire logic                s_axi_bready,
  input  wire logic [AddressWidth-1:0] s_axi_araddr,
  input  wire logic                s_axi_arvalid,
  output logic                     s_axi_arready,
  output logic [31:0]              s_axi_rdata,
  output logic [1:0]               s_axi_rresp,
  output logic                     s_axi_rvalid,
  input  wire logic                s_axi_rready,

  output logic                     error_o,
  output logic [31:0]              version_o,
  output logic [63:0]              model_hash_o
);

  import "DPI-C" function void hwrnn_dpi_reset();
  import "DPI-C" function void hwrnn_dpi_push(
    input bit [InWidth-1:0] data, input int id, input bit last, input bit user
  );
  import "DPI-C" function void hwrnn_dpi_write(input int address, input int data);
  import "DPI-C" function bit hwrnn_dpi_pop(
    output bit [OutWidth-1:0] data, output int id, output bit last
  );
  import "DPI-C" function bit hwrnn_dpi_error();
  import "DPI-C" function int hwrnn_dpi_version();
  import "DPI-C" function longint hwrnn_dpi_model_hash();

  bit [OutWidth-1:0] word;
  bit                word_last;
  int                word_id;

  logic [62:0] config_bus;

  hwrnn_config_slave #(
    .AddressWidth,
    .Words,
    .Version,
    .ModelHash,
    .Layout
  ) u_config (
    .clk_i  (aclk),
    .rst_i  (!aresetn),
    .s_axi_awaddr,
    .s_axi_awvalid,
    .s_axi_awready,
    .s_axi_wdata,
    .s_axi_wstrb,
    .s_axi_wvalid,
    .s_axi_wready,
    .s_axi_bresp,
    .s_axi_bvalid,
    .s_axi_bready,
    .s_axi_araddr,
    .s_axi_arvalid,
    .s_axi_arready,
    .s_axi_rdata,
    .s_axi_rresp,
    .s_axi_rvalid,
    .s_axi_rready,
    .error_i (error_o),
    .config_o(config_bus)
  );

  assign s_axis_tready = aresetn && !m_axis_tvalid;

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      hwrnn_dpi_reset();
      m_axis_tvalid <= 1'b0;
      error_o       <= 1'b0;
      version_o     <= 32'(hwrnn_dpi_version());
      model_hash_o  <= 64'(hwrnn_dpi_model_hash());
    end else begin
      if (config_bus[62]) hwrnn_dpi_write({config_bus[61:32], 2'b00}, config_bus[31:0]);
      if (s_axis_tvalid && s_axis_tready) begin
        hwrnn_dpi_push(s_axis_tdata, 32'(s_axis_tid), s_axis_tlast, s_axis_tuser);
        error_o <= hwrnn_dpi_error();
      end
      if (!m_axis_tvalid || m_axis_tready) begin
        m_axis_tvalid <= hwrnn_dpi_pop(word, word_id, word_last);
        m_axis_tdata  <= word;
        m_axis_tlast  <= word_last;
        m_axis_tid    <= IdWidth'(word_id);
      end
    end
  end

endmodule

`default_nettype wire
