// SPDX-License-Identifier: Apache-2.0
// One level of the binary search among sorted thresholds, lane by lane: reads the threshold in the
// middle of what is left and appends to the position whether x has reached it. The ROM is a
// $readmemh file, word group * 2**Level + position. Lo is added to the position, in the last level.
// RegisterMid stands behind the read, RegisterOut behind the comparison. Latency: the registers; a
// vector a cycle. group_i and position_i belong to the first cycle.
`default_nettype none

module hwrnn_threshold_level #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned Level = 0,
  parameter int unsigned Groups = 1,
  parameter int unsigned XWidth = 8,
  parameter bit XSigned = 1'b1,
  parameter int unsigned ThresholdWidth = 9,
  parameter int unsigned YWidth = 1,
  parameter int Lo = 0,
  parameter bit RegisterMid = 1'b1,
  parameter bit RegisterOut = 1'b1,
  parameter string File = "",
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned PositionWidth = (Level > 0) ? Level : 1
) (
  input  wire logic                           clk_i,
  input  wire logic [Lanes*XWidth-1:0]        x_i,
  input  wire logic [GroupWidth-1:0]          group_i,
  input  wire logic [Lanes*PositionWidth-1:0] position_i,
  output logic [Lanes*XWidth-1:0]             x_o,
  output logic [Lanes*YWidth-1:0]             y_o
);

  localparam int unsigned Depth = Groups * 2**Level;
  localparam int unsigned AddressWidth = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int unsigned FoundWidth = Level + 1;

  localparam bit Block = RegisterMid && Depth >= 512 && Depth * ThresholdWidth >= 4096;

  (* rom_block = Block ? "block" : "logic", rom_style = Block ? "block" : "distributed" *)
  logic [ThresholdWidth-1:0] words [Depth];
  logic [Lanes*ThresholdWidth-1:0] threshold;
  logic [Lanes*PositionWidth-1:0] position;
  logic [Lanes*XWidth-1:0] x_read;
  logic [Lanes*YWidth-1:0] y_d;

  initial $readmemh(File, words);

  function automatic logic [AddressWidth-1:0] address_of(logic [PositionWidth-1:0] at);
    return AddressWidth'(32'(group_i) * 32'(2**Level) + ((Level > 0) ? 32'(at) : 32'd0));
  endfunction

  function automatic logic [YWidth-1:0] append(
      logic [XWidth-1:0] x, logic [ThresholdWidth-1:0] limit, logic [PositionWidth-1:0] at);
    logic reached;
    logic [FoundWidth-1:0] found;
    reached = ThresholdWidth'(signed'({XSigned && x[XWidth-1], x})) >= signed'(limit);
    found   = FoundWidth'({at, reached});
    return YWidth'(Lo) + YWidth'(found);
  endfunction

  // The register stands beside the ROM, so that both fit one memory block.
  if (RegisterMid) begin : g_read_register
    logic [Lanes*ThresholdWidth-1:0] threshold_q;

    always_ff @(posedge clk_i) begin
      for (int unsigned k = 0; k < Lanes; k++) begin
        threshold_q[k*ThresholdWidth+:ThresholdWidth] <=
            words[address_of(position_i[k*PositionWidth+:PositionWidth])];
      end
    end

    assign threshold = threshold_q;
  end else begin : g_read_wire
    always_comb begin
      for (int unsigned k = 0; k < Lanes; k++) begin
        threshold[k*ThresholdWidth+:ThresholdWidth] =
            words[address_of(position_i[k*PositionWidth+:PositionWidth])];
      end
    end
  end

  hwrnn_register #(
    .Width   (Lanes * (PositionWidth + XWidth)),
    .Register(RegisterMid)
  ) u_beside (
    .clk_i,
    .d_i({position_i, x_i}),
    .q_o({position, x_read})
  );

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      y_d[k*YWidth+:YWidth] = append(
          x_read[k*XWidth+:XWidth],
          threshold[k*ThresholdWidth+:ThresholdWidth],
          position[k*PositionWidth+:PositionWidth]);
    end
  end

  hwrnn_register #(
    .Width   (Lanes * (XWidth + YWidth)),
    .Register(RegisterOut)
  ) u_out (
    .clk_i,
    .d_i({x_read, y_d}),
    .q_o({x_o, y_o})
  );

endmodule

`default_nettype wire
