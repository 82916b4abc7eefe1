// SPDX-License-Identifier: Apache-2.0
// Requantiser with few levels, lane by lane: Lo + the number of thresholds that x has reached.
// Compares side by side (RegisterMid), then counts (RegisterOut). Latency: the registers; a vector
// a cycle.
`default_nettype none

module hwrnn_requant_thresholds #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned XWidth = 8,
  parameter bit XSigned = 1'b1,
  parameter int unsigned Thresholds = 3,
  parameter int unsigned ThresholdWidth = 9,
  parameter int unsigned YWidth = 2,
  parameter int Lo = 0,
  parameter bit RegisterMid = 1'b1,
  parameter bit RegisterOut = 1'b1
) (
  input  wire logic                                       clk_i,
  input  wire logic [Lanes*XWidth-1:0]                    x_i,
  input  wire logic [Lanes*Thresholds*ThresholdWidth-1:0] thresholds_i,
  output logic [Lanes*YWidth-1:0]                         y_o
);

  if (ThresholdWidth <= XWidth) begin : g_check_width
    $error("hwrnn_requant_thresholds: ThresholdWidth is %0d, it must be above XWidth, %0d",
           ThresholdWidth, XWidth);
  end

  logic [Lanes*Thresholds-1:0] reached_d, reached;
  logic [Lanes*YWidth-1:0] y_d;

  function automatic logic reach(logic [XWidth-1:0] x, logic [ThresholdWidth-1:0] threshold);
    return ThresholdWidth'(signed'({XSigned && x[XWidth-1], x})) >= signed'(threshold);
  endfunction

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      for (int unsigned t = 0; t < Thresholds; t++) begin
        reached_d[k*Thresholds+t] = reach(
            x_i[k*XWidth+:XWidth],
            thresholds_i[(k*Thresholds+t)*ThresholdWidth+:ThresholdWidth]);
      end
    end
  end

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      y_d[k*YWidth+:YWidth] = YWidth'(Lo)
          + YWidth'($countones(reached[k*Thresholds+:Thresholds]));
    end
  end

  hwrnn_register #(
    .Width   (Lanes * Thresholds),
    .Register(RegisterMid)
  ) u_reached (
    .clk_i,
    .d_i(reached_d),
    .q_o(reached)
  );

  hwrnn_register #(
    .Width   (Lanes * YWidth),
    .Register(RegisterOut)
  ) u_y (
    .clk_i,
    .d_i(y_d),
    .q_o(y_o)
  );

endmodule

`default_nettype wire
