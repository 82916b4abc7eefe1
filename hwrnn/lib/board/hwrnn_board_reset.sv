// SPDX-License-Identifier: Apache-2.0
// The reset of a board: until Cycles cycles after configuration, as long as the PLL is not locked or
// the button is pressed, and for Cycles cycles afterwards. All registers begin at 0, which every
// FPGA can do. The memories of an iCE40 cannot be read at once after configuration: reset outlasts
// that. The inputs may change at any time; two registers synchronise them.
`default_nettype none

module hwrnn_board_reset #(
  parameter int unsigned Cycles = 256
) (
  input  wire logic clk_i,
  input  wire logic locked_i,
  input  wire logic button_i,
  output logic      rst_o
);

  localparam int unsigned CountWidth = $clog2(Cycles + 1);
  localparam logic [CountWidth-1:0] Last = CountWidth'(Cycles);

  if (Cycles < 1) begin : g_check_cycles
    $error("hwrnn_board_reset: Cycles is %0d, it must be at least 1", Cycles);
  end

  logic [1:0] good_q = '0;
  logic [CountWidth-1:0] count_q = '0;
  logic run_q = 1'b0;
  logic done;

  assign done  = count_q == Last;
  assign rst_o = !run_q;

  always_ff @(posedge clk_i) begin
    good_q  <= {good_q[0], locked_i && !button_i};
    run_q   <= good_q[1] && done;
    count_q <= !good_q[1] ? '0 : done ? count_q : count_q + CountWidth'(1);
  end

endmodule

`default_nettype wire
