// SPDX-License-Identifier: Apache-2.0
// Serial line in: 8 data bits, no parity, 1 stop bit, BaudDivisor cycles a bit. Each bit is sampled
// near its middle; valid_o is up for the cycle of the stop bit's sample. A start bit that is gone
// by its middle is ignored; a byte without a stop bit is dropped, and the line must be high again
// before the next one begins.
`default_nettype none

module hwrnn_uart_rx #(
  parameter int unsigned BaudDivisor = 104
) (
  input  wire logic       clk_i,
  input  wire logic       rst_i,
  input  wire logic       rx_i,
  output logic [7:0]      data_o,
  output logic            valid_o
);

  if (BaudDivisor < 4) begin : g_check_divisor
    $error("hwrnn_uart_rx: BaudDivisor is %0d, it must be at least 4", BaudDivisor);
  end

  localparam int unsigned CountWidth = $clog2(BaudDivisor);
  localparam logic [CountWidth-1:0] Whole = CountWidth'(BaudDivisor - 1);
  localparam logic [CountWidth-1:0] Half = CountWidth'((BaudDivisor - 1) / 2);

  typedef enum logic [1:0] {Idle, Start, Data, Stop} state_e;

  state_e state_q, state_d;
  logic [CountWidth-1:0] count_q, count_d;
  logic [7:0] data_q, data_d;
  logic [2:0] bit_q, bit_d;
  logic [1:0] line_q;
  logic line, sample, broken_q, broken_d;

  assign line    = line_q[1];
  assign sample  = count_q == '0;
  assign data_o  = data_q;
  assign valid_o = state_q == Stop && sample && line && !broken_q;

  always_comb begin
    state_d  = state_q;
    count_d  = sample ? Whole : count_q - CountWidth'(1);
    bit_d    = bit_q;
    data_d   = data_q;
    broken_d = broken_q;
    unique case (state_q)
      Idle: begin
        count_d  = Half;
        broken_d = 1'b0;
        if (!line) state_d = Start;
      end
      Start: if (sample) begin
        bit_d   = '0;
        state_d = line ? Idle : Data;
      end
      Data: if (sample) begin
        bit_d  = bit_q + 3'd1;
        data_d = {line, data_q[7:1]};
        if (bit_q == 3'd7) state_d = Stop;
      end
      default: if (sample) begin
        count_d = '0;
        if (line) state_d = Idle;
        else broken_d = 1'b1;
      end
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      state_q <= Idle;
      line_q  <= '1;
    end else begin
      state_q <= state_d;
      line_q  <= {line_q[0], rx_i};
    end
    count_q  <= count_d;
    bit_q    <= bit_d;
    data_q   <= data_d;
    broken_q <= broken_d;
  end

endmodule

`default_nettype wire
