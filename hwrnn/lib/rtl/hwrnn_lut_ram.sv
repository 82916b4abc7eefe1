// SPDX-License-Identifier: Apache-2.0
// hwrnn_lut with a table that the config bus writes (see hwrnn_ram): the entry at the bit pattern
// of x, lane by lane; with several cells tables one after the other, chosen by cell_i. Latency
// Register, a vector a cycle.
`default_nettype none

module hwrnn_lut_ram #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned Cells = 1,
  parameter int unsigned XWidth = 8,
  parameter int unsigned YWidth = 8,
  parameter bit Register = 1'b1,
  parameter int unsigned Base = 1024,
  parameter string File = "",
  localparam int unsigned CellWidth = (Cells > 1) ? $clog2(Cells) : 1
) (
  input  wire logic                    clk_i,
  input  wire logic [62:0]             config_i,
  input  wire logic [CellWidth-1:0]    cell_i,
  input  wire logic [Lanes*XWidth-1:0] x_i,
  output logic [Lanes*YWidth-1:0]      y_o
);

  localparam int unsigned AddressWidth = XWidth + ((Cells > 1) ? CellWidth : 0);

  logic [Lanes*AddressWidth-1:0] address;

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      address[k*AddressWidth+:AddressWidth] = AddressWidth'({cell_i, x_i[k*XWidth+:XWidth]});
    end
  end

  hwrnn_ram #(
    .Lanes   (Lanes),
    .Width   (YWidth),
    .Depth   (Cells * 2**XWidth),
    .Base    (Base),
    .Register(Register),
    .File    (File)
  ) u_ram (
    .clk_i,
    .config_i,
    .address_i(address),
    .data_o   (y_o)
  );

endmodule

`default_nettype wire
