// SPDX-License-Identifier: Apache-2.0
// Table read, lane by lane: the entry at the bit pattern of x. The table is a $readmemh file of
// 2**XWidth entries; with several cells one after the other, chosen by cell_i. Latency Register, a
// vector a cycle. Made of LUTs, or of memory blocks if it is large (see hwrnn_rom) and registered.
`default_nettype none

module hwrnn_lut #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned Cells = 1,
  parameter int unsigned XWidth = 8,
  parameter int unsigned YWidth = 8,
  parameter bit Register = 1'b1,
  parameter string File = "",
  localparam int unsigned CellWidth = (Cells > 1) ? $clog2(Cells) : 1
) (
  input  wire logic                    clk_i,
  input  wire logic [CellWidth-1:0]    cell_i,
  input  wire logic [Lanes*XWidth-1:0] x_i,
  output logic [Lanes*YWidth-1:0]      y_o
);

  localparam int unsigned AddressWidth = XWidth + ((Cells > 1) ? CellWidth : 0);

  localparam int unsigned Depth = Cells * 2**XWidth;
  localparam bit Block = Register && Depth >= 512 && Depth * YWidth >= 4096;

  (* rom_block = Block ? "block" : "logic", rom_style = Block ? "block" : "distributed" *)
  logic [YWidth-1:0] entries [Depth];

  initial $readmemh(File, entries);

  function automatic logic [AddressWidth-1:0] address_of(logic [XWidth-1:0] x);
    return AddressWidth'({cell_i, x});
  endfunction

  // The register stands beside the table, so that both fit one memory block.
  if (Register) begin : g_register
    logic [Lanes*YWidth-1:0] y_q;

    always_ff @(posedge clk_i) begin
      for (int unsigned k = 0; k < Lanes; k++) begin
        y_q[k*YWidth+:YWidth] <= entries[address_of(x_i[k*XWidth+:XWidth])];
      end
    end

    assign y_o = y_q;
  end else begin : g_wire
    logic unused;
    assign unused = clk_i;

    always_comb begin
      for (int unsigned k = 0; k < Lanes; k++) begin
        y_o[k*YWidth+:YWidth] = entries[address_of(x_i[k*XWidth+:XWidth])];
      end
    end
  end

endmodule

`default_nettype wire
