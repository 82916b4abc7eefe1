// SPDX-License-Identifier: Apache-2.0
// How many of Ands ANDs are set: ones_o has a bit for each that counts one, twos_o for each that
// counts two. Three ANDs make one of each, of a LUT of six inputs. Combinational.
`default_nettype none

module hwrnn_count_ands #(
  parameter int unsigned Ands = 3,
  localparam int unsigned Ones = (Ands + 2) / 3,
  localparam int unsigned Twos = (Ands > 1) ? (Ands + 1) / 3 : 1
) (
  input  wire logic [Ands-1:0] a_i,
  input  wire logic [Ands-1:0] b_i,
  output logic [Ones-1:0]      ones_o,
  output logic [Twos-1:0]      twos_o
);

  logic [3*Ones-1:0] both;
  logic [Ones-1:0] first, second, third;

  assign both = (3 * Ones)'(a_i & b_i);

  for (genvar k = 0; k < Ones; k++) begin : g_three
    assign first[k]  = both[3*k];
    assign second[k] = both[3*k+1];
    assign third[k]  = both[3*k+2];
  end

  assign ones_o = first ^ second ^ third;
  assign twos_o = Twos'((first & second) | (first & third) | (second & third));

endmodule

`default_nettype wire
