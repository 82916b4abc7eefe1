// SPDX-License-Identifier: Apache-2.0
// Memory that is read like a ROM, lane by lane, and written by the config bus: data_o is the word
// at the address, of the cycle before with Register. It starts with the contents of a $readmemh
// file, if one is named.
// config_i is {valid, address, data}; addresses count words of 32 bits. Slice s (32 bits, low bits
// first) of word a is written at Base + a * Stride + s, Stride being the number of slices rounded
// up to a power of two. Base is a multiple of the size of this memory's region, a power of two.
`default_nettype none

module hwrnn_ram #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 2,
  parameter int unsigned Base = 64,
  parameter bit Register = 1'b1,
  parameter string File = "",
  parameter string Style = "auto",
  localparam int unsigned AddressWidth = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  wire logic                          clk_i,
  input  wire logic [62:0]                   config_i,
  input  wire logic [Lanes*AddressWidth-1:0] address_i,
  output logic [Lanes*Width-1:0]             data_o
);

  localparam int unsigned Slices = (Width + 31) / 32;
  localparam int unsigned SliceWidth = (Slices > 1) ? 32 : Width;
  localparam int unsigned SliceBits = (Slices > 1) ? $clog2(Slices) : 0;
  localparam int unsigned DepthBits = (Depth > 1) ? $clog2(Depth) : 0;
  localparam int unsigned RegionBits = SliceBits + DepthBits;

  if (RegionBits > 29) begin : g_check_size
    $error("hwrnn_ram: %0d words of %0d bits need %0d address bits, 29 are the most",
           Depth, Width, RegionBits);
  end
  if ((Base >> RegionBits) << RegionBits != Base) begin : g_check_base
    $error("hwrnn_ram: Base is %0d, it must be a multiple of 2**%0d", Base, RegionBits);
  end

  // Slices of full size, so that each is a column of a memory block; unread bits cost nothing.
  (* ram_style = Style *) logic [Slices*SliceWidth-1:0] words [Depth];

  if (File != "") begin : g_contents
    initial $readmemh(File, words);
  end

  // -- write ----------------------------------------------------------------------------------

  logic [29:0] at;
  logic [AddressWidth-1:0] write_address;
  logic [Slices-1:0] write;
  logic [SliceWidth-1:0] write_data;

  assign at            = config_i[61:32];
  assign write_data    = SliceWidth'(config_i[31:0]);
  assign write_address = (DepthBits > 0) ? AddressWidth'(at >> SliceBits) : '0;

  for (genvar s = 0; s < Slices; s++) begin : g_slice
    localparam logic [29:0] Mask = 30'((32'd1 << SliceBits) - 32'd1);
    assign write[s] = config_i[62] && (at >> RegionBits) == 30'(Base >> RegionBits)
                      && (at & Mask) == 30'(s);
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned s = 0; s < Slices; s++) begin
      if (write[s]) words[write_address][s*SliceWidth+:SliceWidth] <= write_data;
    end
  end

  // -- read -----------------------------------------------------------------------------------

  if (Register) begin : g_register
    logic [Lanes*Width-1:0] data_q;

    always_ff @(posedge clk_i) begin
      for (int unsigned k = 0; k < Lanes; k++) begin
        data_q[k*Width+:Width] <= words[address_i[k*AddressWidth+:AddressWidth]][Width-1:0];
      end
    end

    assign data_o = data_q;
  end else begin : g_wire
    always_comb begin
      for (int unsigned k = 0; k < Lanes; k++) begin
        data_o[k*Width+:Width] = words[address_i[k*AddressWidth+:AddressWidth]][Width-1:0];
      end
    end
  end

endmodule

`default_nettype wire
