// SPDX-License-Identifier: Apache-2.0
// Takes the vectors with which a state starts, a vector for each sequence in Groups beats, and says
// where each beat goes: bank after bank, group after group. A vector is there_o from the cycle
// after its last beat until the cycle after done_i (its first step has been issued); its bank is
// free from the cycle after released_i (it has been read for the last time).
`default_nettype none

module hwrnn_start_fill #(
  parameter int unsigned Groups = 1,
  parameter int unsigned Banks = 2,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned BankWidth = (Banks > 1) ? $clog2(Banks) : 1
) (
  input  wire logic              clk_i,
  input  wire logic              rst_i,

  input  wire logic              in_valid_i,
  output logic                   in_ready_o,

  output logic                   write_o,
  output logic [BankWidth-1:0]   bank_o,
  output logic [GroupWidth-1:0]  group_o,

  input  wire logic              done_i,
  input  wire logic              released_i,
  output logic                   there_o
);

  if (Banks < 1) begin : g_check_banks
    $error("hwrnn_start_fill: Banks is %0d, it must be at least 1", Banks);
  end

  localparam int unsigned CountWidth = $clog2(Banks + 1);

  logic [CountWidth-1:0] held, waiting;
  logic [BankWidth-1:0] bank_q, next_bank;
  logic [GroupWidth-1:0] group_q, next_group;
  logic last_group, whole;

  assign last_group = group_q == GroupWidth'(Groups - 1);
  assign next_group = last_group ? '0 : group_q + GroupWidth'(1);
  assign next_bank  = (bank_q == BankWidth'(Banks - 1)) ? '0 : bank_q + BankWidth'(1);
  assign in_ready_o = held != CountWidth'(Banks);
  assign write_o    = in_valid_i && in_ready_o;
  assign bank_o     = bank_q;
  assign group_o    = group_q;
  assign whole      = write_o && last_group;
  assign there_o    = waiting != '0;

  hwrnn_pending #(
    .Most(Banks)
  ) u_held (
    .clk_i,
    .rst_i,
    .add_i        (whole),
    .stream_i     (1'b0),
    .done_i       (released_i),
    .done_stream_i(1'b0),
    .count_o      (held)
  );

  hwrnn_pending #(
    .Most(Banks)
  ) u_waiting (
    .clk_i,
    .rst_i,
    .add_i        (whole),
    .stream_i     (1'b0),
    .done_i,
    .done_stream_i(1'b0),
    .count_o      (waiting)
  );

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      group_q <= '0;
      bank_q  <= '0;
    end else begin
      if (write_o) group_q <= next_group;
      if (whole) bank_q <= next_bank;
    end
  end

endmodule

`default_nettype wire
