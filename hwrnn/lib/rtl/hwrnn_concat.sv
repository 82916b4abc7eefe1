// SPDX-License-Identifier: Apache-2.0
// For each vector: all beats of the first input, then those of the next, and so on. Beats holds how
// many each input has, the first in the low bits. Combinational from input to output.
`default_nettype none

module hwrnn_concat #(
  parameter int unsigned Inputs = 2,
  parameter int unsigned Width = 8,
  parameter logic [Inputs*32-1:0] Beats = {Inputs{32'd1}}
) (
  input  wire logic                    clk_i,
  input  wire logic                    rst_i,

  input  wire logic [Inputs*Width-1:0] in_data_i,
  input  wire logic [Inputs-1:0]       in_last_i,
  input  wire logic [Inputs-1:0]       in_valid_i,
  output logic [Inputs-1:0]            in_ready_o,

  output logic [Width-1:0]             out_data_o,
  output logic                         out_last_o,
  output logic                         out_valid_o,
  input  wire logic                    out_ready_i
);

  if (Inputs < 2) begin : g_check_inputs
    $error("hwrnn_concat: Inputs is %0d, it must be at least 2", Inputs);
  end

  localparam int unsigned IndexWidth = $clog2(Inputs);

  function automatic int unsigned longest();
    int unsigned most;
    most = 1;
    for (int unsigned k = 0; k < Inputs; k++) if (Beats[k*32+:32] > most) most = Beats[k*32+:32];
    return most;
  endfunction

  localparam int unsigned BeatWidth = $clog2(longest() + 1);

  logic [IndexWidth-1:0] index_q, index_d;
  logic [BeatWidth-1:0] beat_q, beat_d;
  logic last_input, last_beat, move;

  assign last_input = index_q == IndexWidth'(Inputs - 1);
  assign last_beat  = beat_q == BeatWidth'(Beats[32'(index_q)*32+:32] - 32'd1);

  assign out_data_o  = in_data_i[32'(index_q)*Width+:Width];
  assign out_last_o  = last_input && last_beat && in_last_i[index_q];
  assign out_valid_o = in_valid_i[index_q];
  assign move        = out_valid_o && out_ready_i;

  always_comb begin
    for (int unsigned k = 0; k < Inputs; k++) begin
      in_ready_o[k] = out_ready_i && index_q == IndexWidth'(k);
    end
  end

  always_comb begin
    index_d = index_q;
    beat_d  = beat_q;
    if (move) begin
      beat_d = last_beat ? '0 : beat_q + BeatWidth'(1);
      if (last_beat) index_d = last_input ? '0 : index_q + IndexWidth'(1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      index_q <= '0;
      beat_q  <= '0;
    end else begin
      index_q <= index_d;
      beat_q  <= beat_d;
    end
  end

endmodule

`default_nettype wire
