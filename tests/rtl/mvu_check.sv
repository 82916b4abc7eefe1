// SPDX-License-Identifier: Apache-2.0
// A matrix-vector unit against sums kept beside it, with random factors and stalls at all ports.
module mvu_check #(
  parameter int unsigned Groups = 1,
  parameter int unsigned Blocks = 1,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter bit Lut = 1'b0,
  parameter bit Counted = 1'b0,
  parameter bit Masked = 1'b1,
  parameter int unsigned Lanes = 1,
  parameter int unsigned Spacing = 16,
  parameter bit Overlap = 1'b0,
  parameter int unsigned PackedWidth = 8,
  parameter int unsigned OperandWidth = 8,
  parameter bit OperandSigned = 1'b1,
  parameter int unsigned WeightWidth = 8,
  parameter bit WeightSigned = 1'b1,
  parameter int unsigned ProductWidth = 16,
  parameter int unsigned AccWidth = 24
) (
  input  logic        clk_i,
  input  logic        rst_i,
  input  logic        stall_i,
  output logic [31:0] checked_o,
  output logic [31:0] weights_o,
  output logic        wrong_o
);

  logic [Simd*OperandWidth-1:0] x_data, kept [2][Blocks];
  logic [Pe*Simd*WeightWidth-1:0] w_data;
  logic [Pe*AccWidth-1:0] y_data, held_data, sums, expected [64];
  logic x_valid, x_ready, w_valid, w_ready, y_valid, y_ready, held;
  logic x_side, w_side;
  int unsigned x_block, block, group, made, seen;

  hwrnn_mvu_stream #(
    .Groups       (Groups),
    .Blocks       (Blocks),
    .Pe           (Pe),
    .Simd         (Simd),
    .Lut          (Lut),
    .Counted      (Counted),
    .Masked       (Masked),
    .Lanes        (Lanes),
    .Spacing      (Spacing),
    .Overlap      (Overlap),
    .PackedWidth  (PackedWidth),
    .OperandWidth (OperandWidth),
    .OperandSigned(OperandSigned),
    .WeightWidth  (WeightWidth),
    .WeightSigned (WeightSigned),
    .ProductWidth (ProductWidth),
    .AccWidth     (AccWidth)
  ) u_dut (
    .clk_i,
    .rst_i,
    .x_data_i (x_data),
    .x_valid_i(x_valid),
    .x_ready_o(x_ready),
    .w_data_i (w_data),
    .w_valid_i(w_valid),
    .w_ready_o(w_ready),
    .y_data_o (y_data),
    .y_valid_o(y_valid),
    .y_ready_i(y_ready)
  );

  // The sums of the weights that are taken in this cycle.
  always_comb begin
    for (int u = 0; u < Pe; u++) begin
      int total;
      total = (block == 0) ? 0 : int'(signed'(expected[made%64][u*AccWidth+:AccWidth]));
      for (int c = 0; c < Simd; c++) begin
        logic [OperandWidth-1:0] x;
        logic [WeightWidth-1:0] w;
        x = kept[w_side][block][c*OperandWidth+:OperandWidth];
        w = w_data[(u*Simd+c)*WeightWidth+:WeightWidth];
        total += (OperandSigned ? int'(signed'(x)) : int'(x))
            * (WeightSigned ? int'(signed'(w)) : int'(w));
      end
      sums[u*AccWidth+:AccWidth] = AccWidth'(total);
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      {x_valid, w_valid, y_ready, held, x_side, w_side, wrong_o} <= '0;
      {x_block, block, group, made, seen, checked_o, weights_o} <= '0;
    end else begin
      y_ready <= !stall_i || $urandom % 3 == 0;
      if (!x_valid || x_ready) begin
        x_valid <= !stall_i || $urandom % 3 != 0;
        for (int k = 0; k < Simd; k++) begin
          x_data[k*OperandWidth+:OperandWidth] <= OperandWidth'($urandom);
        end
      end
      if (!w_valid || w_ready) begin
        w_valid <= !stall_i || $urandom % 3 != 0;
        for (int k = 0; k < Pe * Simd; k++) begin
          w_data[k*WeightWidth+:WeightWidth] <= WeightWidth'($urandom);
        end
      end
      if (x_valid && x_ready) begin
        kept[x_side][x_block] <= x_data;
        x_block <= (x_block == Blocks - 1) ? 0 : x_block + 1;
        x_side <= x_side ^ (x_block == Blocks - 1);
      end
      if (w_valid && w_ready) begin
        weights_o <= weights_o + 1;
        expected[made%64] <= sums;
        block <= (block == Blocks - 1) ? 0 : block + 1;
        if (block == Blocks - 1) begin
          made <= made + 1;
          group <= (group == Groups - 1) ? 0 : group + 1;
          w_side <= w_side ^ (group == Groups - 1);
        end
      end
      held <= y_valid && !y_ready;
      held_data <= y_data;
      if (held && (!y_valid || y_data != held_data)) wrong_o <= 1'b1;
      if (y_valid && y_ready) begin
        seen <= seen + 1;
        checked_o <= checked_o + 1;
        if (seen >= made || y_data != expected[seen%64]) wrong_o <= 1'b1;
      end
    end
  end

endmodule
