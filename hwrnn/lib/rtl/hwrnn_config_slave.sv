// SPDX-License-Identifier: Apache-2.0
// AXI4-Lite slave of 32 bits in front of the config bus. One write or read at a time; a write
// leaves as config_o = {valid, word address, data} a cycle after both its address and its data
// were taken. Registers, by byte address:
//   0x00 id, "hwrn"   0x04 version   0x08 model hash, low   0x0c model hash, high
//   0x10 status: bit 0 is error_i   0x14 layout of the memories
//   0x18 image hash, low (writable)   0x1c image hash, high (writable)
// From 0x100 up to Words words: the memories, which are written only. SLVERR, and nothing happens:
// any other address, an address that is no multiple of 4, a write without all four strobes, a read
// of a memory, a write to what is read only.
`default_nettype none

module hwrnn_config_slave #(
  parameter int unsigned AddressWidth = 12,
  parameter int unsigned Words = 1024,
  parameter logic [31:0] Version = '0,
  parameter logic [63:0] ModelHash = '0,
  parameter logic [31:0] Layout = '0
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_i,

  input  wire logic [AddressWidth-1:0] s_axi_awaddr,
  input  wire logic                    s_axi_awvalid,
  output logic                         s_axi_awready,
  input  wire logic [31:0]             s_axi_wdata,
  input  wire logic [3:0]              s_axi_wstrb,
  input  wire logic                    s_axi_wvalid,
  output logic                         s_axi_wready,
  output logic [1:0]                   s_axi_bresp,
  output logic                         s_axi_bvalid,
  input  wire logic                    s_axi_bready,
  input  wire logic [AddressWidth-1:0] s_axi_araddr,
  input  wire logic                    s_axi_arvalid,
  output logic                         s_axi_arready,
  output logic [31:0]                  s_axi_rdata,
  output logic [1:0]                   s_axi_rresp,
  output logic                         s_axi_rvalid,
  input  wire logic                    s_axi_rready,

  input  wire logic                    error_i,
  output logic [62:0]                  config_o
);

  if (AddressWidth < 9 || AddressWidth > 32) begin : g_check_address
    $error("hwrnn_config_slave: AddressWidth is %0d, it must be from 9 to 32", AddressWidth);
  end
  if (Words > 32'd1 << (AddressWidth - 2)) begin : g_check_words
    $error("hwrnn_config_slave: %0d words do not fit %0d address bits", Words, AddressWidth);
  end

  localparam logic [1:0] Okay = 2'b00;
  localparam logic [1:0] SlaveError = 2'b10;
  localparam logic [31:0] Id = 32'h6877_726e;
  localparam logic [29:0] FirstWord = 30'd64;
  localparam logic [29:0] ImageLow = 30'd6;
  localparam logic [29:0] ImageHigh = 30'd7;

  logic [63:0] image_d, image_q;
  logic [62:0] config_d, config_q;
  logic [31:0] rdata_d, rdata_q;
  logic [29:0] write_word, read_word;
  logic [1:0] bresp_d, bresp_q, rresp_d, rresp_q;
  logic bvalid_d, bvalid_q, rvalid_d, rvalid_q;
  logic write, read, whole, to_memory, to_image;

  // -- write ----------------------------------------------------------------------------------

  assign write_word = 30'(s_axi_awaddr[AddressWidth-1:2]);
  assign write      = s_axi_awvalid && s_axi_wvalid && (!bvalid_q || s_axi_bready);
  assign whole      = s_axi_awaddr[1:0] == 2'b00 && s_axi_wstrb == 4'hf;
  assign to_memory  = whole && write_word >= FirstWord && 32'(write_word) < Words;
  assign to_image   = whole && (write_word == ImageLow || write_word == ImageHigh);
  assign bvalid_d   = write || (bvalid_q && !s_axi_bready);
  assign bresp_d    = !write ? bresp_q : (to_memory || to_image) ? Okay : SlaveError;
  assign config_d   = {write && to_memory, write_word, s_axi_wdata};

  always_comb begin
    image_d = image_q;
    if (write && to_image) begin
      if (write_word == ImageLow) image_d[31:0] = s_axi_wdata;
      else image_d[63:32] = s_axi_wdata;
    end
  end

  // -- read -----------------------------------------------------------------------------------

  assign read_word = 30'(s_axi_araddr[AddressWidth-1:2]);
  assign read      = s_axi_arvalid && (!rvalid_q || s_axi_rready);
  assign rvalid_d  = read || (rvalid_q && !s_axi_rready);

  always_comb begin
    rdata_d = rdata_q;
    rresp_d = rresp_q;
    if (read) begin
      rresp_d = (s_axi_araddr[1:0] == 2'b00 && read_word < 30'd8) ? Okay : SlaveError;
      unique case (read_word)
        30'd0:   rdata_d = Id;
        30'd1:   rdata_d = Version;
        30'd2:   rdata_d = ModelHash[31:0];
        30'd3:   rdata_d = ModelHash[63:32];
        30'd4:   rdata_d = {31'd0, error_i};
        30'd5:   rdata_d = Layout;
        30'd6:   rdata_d = image_q[31:0];
        30'd7:   rdata_d = image_q[63:32];
        default: rdata_d = '0;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    rdata_q  <= rdata_d;
    rresp_q  <= rresp_d;
    bresp_q  <= bresp_d;
    if (rst_i) begin
      bvalid_q     <= 1'b0;
      rvalid_q     <= 1'b0;
      config_q[62] <= 1'b0;
    end else begin
      bvalid_q     <= bvalid_d;
      rvalid_q     <= rvalid_d;
      config_q[62] <= config_d[62];
    end
    config_q[61:0] <= config_d[61:0];
  end

  // The memories keep what they hold through a reset, and so does what names it.
  initial image_q = ModelHash;

  always_ff @(posedge clk_i) begin
    image_q <= image_d;
  end

  assign s_axi_awready = write;
  assign s_axi_wready  = write;
  assign s_axi_bvalid  = bvalid_q;
  assign s_axi_bresp   = bresp_q;
  assign s_axi_arready = !rvalid_q || s_axi_rready;
  assign s_axi_rvalid  = rvalid_q;
  assign s_axi_rdata   = rdata_q;
  assign s_axi_rresp   = rresp_q;
  assign config_o      = config_q;

endmodule

`default_nettype wire
