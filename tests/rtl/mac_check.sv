// SPDX-License-Identifier: Apache-2.0
// A MAC array against sums kept beside it, with random factors, groups and pauses.
module mac_check #(
  parameter int unsigned Gates = 1,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter int unsigned Groups = 1,
  parameter int unsigned Blocks = 1,
  parameter bit [31:0] Registers = '1,
  parameter int unsigned Latency = 1,
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
  parameter int unsigned AccWidth = 24,
  parameter int OperandLo = -128,
  parameter int OperandHi = 127,
  parameter int WeightLo = -128,
  parameter int WeightHi = 127
) (
  input  logic        clk_i,
  input  logic        rst_i,
  output logic [31:0] checked_o,
  output logic        wrong_o
);

  localparam int unsigned Sums = Gates * Pe;
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1;

  typedef logic [Sums-1:0][AccWidth-1:0] sums_t;

  logic valid, first;
  logic [GroupWidth-1:0] group;
  logic [Simd*OperandWidth-1:0] operand;
  logic [Sums*Simd*WeightWidth-1:0] weights;
  sums_t acc, now, memory [Groups];
  sums_t expected [Latency+1];
  logic known [Latency+1];
  logic started [Groups];

  function automatic int draw(int lo, int hi);
    case ($urandom % 8)
      0: return lo;
      1: return hi;
      default: return lo + int'($urandom % unsigned'(hi - lo + 1));
    endcase
  endfunction

  always_ff @(posedge clk_i) begin
    valid <= $urandom % 4 != 0;
    first <= $urandom % 4 == 0;
    group <= GroupWidth'($urandom % Groups);
    for (int k = 0; k < Simd; k++) begin
      operand[k*OperandWidth+:OperandWidth] <= OperandWidth'(draw(OperandLo, OperandHi));
    end
    for (int k = 0; k < Sums * Simd; k++) begin
      weights[k*WeightWidth+:WeightWidth] <= WeightWidth'(draw(WeightLo, WeightHi));
    end
    if (valid) begin
      memory[group] <= now;
      started[group] <= 1'b1;
    end
    if (rst_i) started <= '{default: 1'b0};
  end

  logic fresh;
  assign fresh = first || !started[group] || Blocks == 1;

  always_comb begin
    for (int u = 0; u < Sums; u++) begin
      longint sum;
      sum = fresh ? 0 : longint'(memory[group][u]);
      for (int c = 0; c < Simd; c++) begin
        longint x, w;
        x = OperandSigned ? longint'(signed'(operand[c*OperandWidth+:OperandWidth]))
                          : longint'(operand[c*OperandWidth+:OperandWidth]);
        w = WeightSigned ? longint'(signed'(weights[(u*Simd+c)*WeightWidth+:WeightWidth]))
                         : longint'(weights[(u*Simd+c)*WeightWidth+:WeightWidth]);
        sum += x * w;
      end
      now[u] = AccWidth'(sum);
    end
  end

  always_comb begin
    expected[0] = now;
    known[0] = valid && !rst_i;
  end

  for (genvar k = 1; k <= Latency; k++) begin : g_line
    always_ff @(posedge clk_i) begin
      expected[k] <= expected[k-1];
      known[k] <= known[k-1] && !rst_i;
    end
  end

  hwrnn_mac_array #(
    .Gates        (Gates),
    .Pe           (Pe),
    .Simd         (Simd),
    .Groups       (Groups),
    .Blocks       (Blocks),
    .Registers    (Registers),
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
    .valid_i      (valid),
    .first_block_i(fresh),
    .group_i      (group),
    .operand_i    (operand),
    .weights_i    (weights),
    .acc_o        (acc)
  );

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      checked_o <= '0;
      wrong_o <= 1'b0;
    end else if (known[Latency]) begin
      checked_o <= checked_o + 1;
      if (acc != expected[Latency]) wrong_o <= 1'b1;
    end
  end

endmodule
