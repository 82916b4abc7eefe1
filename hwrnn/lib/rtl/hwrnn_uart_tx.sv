// SPDX-License-Identifier: Apache-2.0
// Serial line out: 8 data bits, no parity, 1 stop bit, BaudDivisor cycles a bit. A byte every
// 10 * BaudDivisor cycles; ready_o is low in between.
`default_nettype none

module hwrnn_uart_tx #(
  parameter int unsigned BaudDivisor = 104
) (
  input  wire logic       clk_i,
  input  wire logic       rst_i,
  input  wire logic [7:0] data_i,
  input  wire logic       valid_i,
  output logic            ready_o,
  output logic            tx_o
);

  if (BaudDivisor < 4) begin : g_check_divisor
    $error("hwrnn_uart_tx: BaudDivisor is %0d, it must be at least 4", BaudDivisor);
  end

  localparam int unsigned CountWidth = $clog2(BaudDivisor);
  localparam logic [CountWidth-1:0] Whole = CountWidth'(BaudDivisor - 1);
  localparam logic [3:0] Bits = 4'd10;

  logic [CountWidth-1:0] count_q, count_d;
  logic [8:0] shift_q, shift_d;  // what follows, and the bit on the line
  logic [3:0] left_q, left_d;
  logic next;

  assign ready_o = left_q == '0;
  assign tx_o    = shift_q[0];
  assign next    = count_q == '0;

  always_comb begin
    count_d = next ? Whole : count_q - CountWidth'(1);
    shift_d = shift_q;
    left_d  = left_q;
    if (ready_o) begin
      count_d = Whole;
      if (valid_i) begin
        shift_d = {data_i, 1'b0};
        left_d  = Bits;
      end
    end else if (next) begin
      shift_d = {1'b1, shift_q[8:1]};
      left_d  = left_q - 4'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      shift_q <= '1;
      left_q  <= '0;
    end else begin
      shift_q <= shift_d;
      left_q  <= left_d;
    end
    count_q <= count_d;
  end

endmodule

`default_nettype wire
