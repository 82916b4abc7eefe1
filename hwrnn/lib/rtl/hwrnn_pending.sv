// SPDX-License-Identifier: Apache-2.0
// Counts, for each stream, what has been handed over and is not written yet: one more the cycle
// after add_i, one less the cycle after done_i. count_o is that of stream_i, combinationally.
`default_nettype none

module hwrnn_pending #(
  parameter int unsigned Most = 1,
  parameter int unsigned Streams = 1,
  localparam int unsigned CountWidth = $clog2(Most + 1),
  localparam int unsigned IdWidth = (Streams > 1) ? $clog2(Streams) : 1
) (
  input  wire logic                  clk_i,
  input  wire logic                  rst_i,

  input  wire logic                  add_i,
  input  wire logic [IdWidth-1:0]    stream_i,
  input  wire logic                  done_i,
  input  wire logic [IdWidth-1:0]    done_stream_i,
  output logic [CountWidth-1:0]      count_o
);

  logic [CountWidth-1:0] counts [Streams];

  for (genvar s = 0; s < Streams; s++) begin : g_stream
    logic [CountWidth-1:0] count_q, count_d;
    logic add, done;

    assign add  = add_i && stream_i == IdWidth'(s);
    assign done = done_i && done_stream_i == IdWidth'(s);

    always_comb begin
      unique case ({add, done})
        2'b10:   count_d = count_q + CountWidth'(1);
        2'b01:   count_d = count_q - CountWidth'(1);
        default: count_d = count_q;
      endcase
    end

    always_ff @(posedge clk_i) begin
      if (rst_i) count_q <= '0;
      else count_q <= count_d;
    end

    assign counts[s] = count_q;
  end

  assign count_o = counts[stream_i];

endmodule

`default_nettype wire
