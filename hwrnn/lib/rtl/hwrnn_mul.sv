// SPDX-License-Identifier: Apache-2.0
// Product of two vectors, lane by lane; YWidth must hold it. Latency Register, a vector a
// cycle.
`default_nettype none

module hwrnn_mul #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned AWidth = 8,
  parameter bit ASigned = 1'b1,
  parameter int unsigned BWidth = 8,
  parameter bit BSigned = 1'b1,
  parameter int unsigned YWidth = 9,
  parameter bit Register = 1'b1
) (
  input  wire logic                    clk_i,
  input  wire logic [Lanes*AWidth-1:0] a_i,
  input  wire logic [Lanes*BWidth-1:0] b_i,
  output logic [Lanes*YWidth-1:0]      y_o
);

  localparam int unsigned FullWidth = AWidth + BWidth + 2;

  logic [Lanes*YWidth-1:0] y_d;

  function automatic logic [YWidth-1:0] product(
      logic [AWidth-1:0] a, logic [BWidth-1:0] b);
    logic signed [FullWidth-1:0] wide_a, wide_b;
    wide_a = FullWidth'(signed'({ASigned && a[AWidth-1], a}));
    wide_b = FullWidth'(signed'({BSigned && b[BWidth-1], b}));
    return YWidth'(wide_a * wide_b);
  endfunction

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      y_d[k*YWidth+:YWidth] = product(a_i[k*AWidth+:AWidth], b_i[k*BWidth+:BWidth]);
    end
  end

  // The register stands beside the product, so that both fit one hard multiplier. Each lane has its
  // own: of a register that several products share, yosys' iCE40 script keeps one product only.
  if (Register) begin : g_register
    for (genvar k = 0; k < Lanes; k++) begin : g_lane
      logic [YWidth-1:0] y_q;

      always_ff @(posedge clk_i) begin
        y_q <= y_d[k*YWidth+:YWidth];
      end

      assign y_o[k*YWidth+:YWidth] = y_q;
    end
  end else begin : g_wire
    logic unused;
    assign unused = clk_i;
    assign y_o    = y_d;
  end

endmodule

`default_nettype wire
