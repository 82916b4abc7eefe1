// SPDX-License-Identifier: Apache-2.0
// Sums of Columns products of narrow factors, for each of Rows rows, of LUTs with six inputs.
// Products are never made: the ANDs of the factors' bits are counted, those of each weight and sign
// apart, and the counts are added up.
// TreeStages and Registers: see hwrnn_mac_array. The ANDs belong to the multipliers, the sum of the
// counts to the last stage, the counting to those before (if there are any). Latency: the bits set.
// A set a cycle. Sums wrap to SumWidth.
`default_nettype none

module hwrnn_dot_lut #(
  parameter int unsigned Rows = 1,
  parameter int unsigned Columns = 1,
  parameter int unsigned TreeStages = 0,
  parameter bit [31:0] Registers = '1,
  parameter int unsigned OperandWidth = 2,
  parameter bit OperandSigned = 1'b1,
  parameter int unsigned WeightWidth = 2,
  parameter bit WeightSigned = 1'b1,
  parameter int unsigned SumWidth = 8
) (
  input  wire logic                                clk_i,

  input  wire logic [Columns*OperandWidth-1:0]     operand_i,
  input  wire logic [Rows*Columns*WeightWidth-1:0] weights_i,
  output logic signed [SumWidth-1:0]               sum_o [Rows]
);

  localparam int unsigned Weights = WeightWidth + OperandWidth - 1;
  localparam int unsigned AndDelay = (TreeStages > 0) ? 32'(Registers[0]) : 0;
  localparam bit [31:0] Counting = (32'd1 << TreeStages) - 32'd2;  // the stages between
  localparam int unsigned CountDelay = (TreeStages > 1) ? $countones(Registers & Counting) : 0;

  // True if bit i of a weight and bit k - i of an operand are there, and their AND counts 2**k, or
  // -2**k with `sign`.
  function automatic bit counts(bit sign, int unsigned k, int unsigned i);
    bit negative;
    if (i > k || k - i >= OperandWidth) return 1'b0;
    negative = (WeightSigned && i == WeightWidth - 1)
        != (OperandSigned && k - i == OperandWidth - 1);
    return negative == sign;
  endfunction

  // How many bits of a weight, below bit i, are in ANDs of this kind.
  function automatic int unsigned kinds(bit sign, int unsigned k, int unsigned i);
    int unsigned found;
    found = 0;
    for (int unsigned n = 0; n < i; n++) found += 32'(counts(sign, k, n));
    return found;
  endfunction

  for (genvar r = 0; r < Rows; r++) begin : g_row
    logic [SumWidth-1:0] part [2][Weights], plus, minus, sum_d;

    for (genvar n = 0; n < 2; n++) begin : g_sign
      for (genvar k = 0; k < Weights; k++) begin : g_weight
        localparam int unsigned Kinds = kinds(n == 1, k, WeightWidth);

        if (Kinds > 0) begin : g_counted
          localparam int unsigned Ands = Kinds * Columns;
          localparam int unsigned Ones = (Ands + 2) / 3;
          localparam int unsigned Twos = (Ands > 1) ? (Ands + 1) / 3 : 1;

          logic [Ands-1:0] of_weights, of_operand;
          logic [Ones-1:0] ones_d, ones;
          logic [Twos-1:0] twos_d, twos;
          logic [$clog2(Ones+1)-1:0] ones_count;
          logic [$clog2(Twos+1)-1:0] twos_count;
          logic [SumWidth-1:0] count_d;

          for (genvar i = 0; i < WeightWidth; i++) begin : g_bit
            if (counts(n == 1, k, i)) begin : g_ands
              localparam int unsigned First = kinds(n == 1, k, i) * Columns;

              always_comb begin
                for (int unsigned c = 0; c < Columns; c++) begin
                  of_weights[First+c] = weights_i[(r*Columns+c)*WeightWidth+i];
                  of_operand[First+c] = operand_i[c*OperandWidth+k-i];
                end
              end
            end
          end

          hwrnn_count_ands #(
            .Ands(Ands)
          ) u_ands (
            .a_i   (of_weights),
            .b_i   (of_operand),
            .ones_o(ones_d),
            .twos_o(twos_d)
          );

          hwrnn_register #(
            .Width   (Ones + Twos),
            .Register(AndDelay > 0)
          ) u_counts (
            .clk_i,
            .d_i({ones_d, twos_d}),
            .q_o({ones, twos})
          );

          hwrnn_count #(
            .Bits(Ones)
          ) u_ones (
            .bits_i (ones),
            .count_o(ones_count)
          );

          hwrnn_count #(
            .Bits(Twos)
          ) u_twos (
            .bits_i (twos),
            .count_o(twos_count)
          );

          assign count_d = SumWidth'(ones_count) + (SumWidth'(twos_count) << 1);

          if (CountDelay > 0) begin : g_delayed
            hwrnn_delay #(
              .Width(SumWidth),
              .Depth(CountDelay)
            ) u_part (
              .clk_i,
              .rst_i(1'b0),
              .d_i  (count_d),
              .q_o  (part[n][k])
            );
          end else begin : g_direct
            assign part[n][k] = count_d;
          end
        end else begin : g_none
          assign part[n][k] = '0;
        end
      end
    end

    always_comb begin
      plus  = '0;
      minus = '0;
      for (int unsigned k = 0; k < Weights; k++) begin
        plus += part[0][k] << k;
        minus += part[1][k] << k;
      end
      sum_d = plus - minus;
    end

    hwrnn_register #(
      .Width   (SumWidth),
      .Register(Registers[TreeStages])
    ) u_sum (
      .clk_i,
      .d_i(sum_d),
      .q_o(sum_o[r])
    );
  end

endmodule

`default_nettype wire
