// SPDX-License-Identifier: Apache-2.0
// How many of Bits bits are set. Six of them make three LUTs of six inputs; adders do the rest.
// Combinational.
`default_nettype none

module hwrnn_count #(
  parameter int unsigned Bits = 6,
  localparam int unsigned Width = $clog2(Bits + 1)
) (
  input  wire logic [Bits-1:0] bits_i,
  output logic [Width-1:0]     count_o
);

  if (Bits > 6) begin : g_halves
    localparam int unsigned Low = (Bits + 5) / 6 / 2 * 6;
    localparam int unsigned High = Bits - Low;

    logic [$clog2(Low+1)-1:0] low;
    logic [$clog2(High+1)-1:0] high;

    hwrnn_count #(
      .Bits(Low)
    ) u_low (
      .bits_i (bits_i[Low-1:0]),
      .count_o(low)
    );

    hwrnn_count #(
      .Bits(High)
    ) u_high (
      .bits_i (bits_i[Bits-1:Low]),
      .count_o(high)
    );

    assign count_o = Width'(low) + Width'(high);
  end else begin : g_six
    logic [5:0] six;
    logic [1:0] low, high;

    assign six = 6'(bits_i);

    assign low  = {(six[0] && six[1]) || (six[0] && six[2]) || (six[1] && six[2]),
                   six[0] ^ six[1] ^ six[2]};
    assign high = {(six[3] && six[4]) || (six[3] && six[5]) || (six[4] && six[5]),
                   six[3] ^ six[4] ^ six[5]};

    assign count_o = Width'({(low[1] && high[1]) || (low[0] && high[0] && (low[1] || high[1])),
                             low[1] ^ high[1] ^ (low[0] && high[0]),
                             low[0] ^ high[0]});
  end

endmodule

`default_nettype wire
