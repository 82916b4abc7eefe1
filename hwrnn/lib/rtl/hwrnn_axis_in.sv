// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream in: unpacks Lanes elements of PortWidth bits and checks TLAST. Combinational from
// port to stream. A TLAST in mid-step sets error_o, which stays, and the missing beats follow as
// zeros, one a cycle, the port waiting meanwhile.
// FixedBeats (0: any): a sequence of another length sets error_o and is cut or padded to it.
// MaxBeats (0: any): a sequence that is longer sets error_o and out_drop_o, with the beat that
// goes too far, and is swallowed up to its TLAST.
// Streams: with more than one, TID lies above TDATA, and the stream's number above the elements.
// A TID that changes in mid-step ends the old stream's sequence as a TLAST there would, the new
// beat waiting meanwhile; a beat with a TID of no stream sets error_o and is dropped.
`default_nettype none

module hwrnn_axis_in #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned Width = 8,
  parameter int unsigned PortWidth = 8,
  parameter int unsigned Beats = 1,
  parameter int unsigned FixedBeats = 0,
  parameter int unsigned MaxBeats = 0,
  parameter int unsigned Streams = 1,
  localparam int unsigned IdBits = (Streams > 1) ? $clog2(Streams) : 0,
  localparam int unsigned DataWidth = (Lanes * PortWidth + 7) / 8 * 8
) (
  input  wire logic                        clk_i,
  input  wire logic                        rst_i,

  input  wire logic [IdBits+DataWidth-1:0] s_axis_tdata,
  input  wire logic                        s_axis_tvalid,
  output logic                             s_axis_tready,
  input  wire logic                        s_axis_tlast,

  output logic [IdBits+Lanes*Width-1:0]    out_data_o,
  output logic                             out_last_o,
  output logic                             out_valid_o,
  output logic                             out_drop_o,
  input  wire logic                        out_ready_i,

  output logic                             error_o
);

  if (Streams > 1 && (FixedBeats > 0 || MaxBeats > 0)) begin : g_check_streams
    $error("hwrnn_axis_in: %0d streams, but FixedBeats or MaxBeats holds sequences one by one",
           Streams);
  end

  typedef enum logic [1:0] {Run, Fill, Swallow} mode_e;

  // With a fixed length the sequence is one long step, and its end closes the sequence.
  localparam int unsigned Period = (FixedBeats > 0) ? FixedBeats : Beats;
  localparam int unsigned CountWidth = (Period > 1) ? $clog2(Period) : 1;
  localparam int unsigned TotalWidth = $clog2(MaxBeats + 1) + 1;

  mode_e mode_q, mode_d;
  logic [CountWidth-1:0] count_q, count_d;
  logic [TotalWidth-1:0] total_q, total_d;
  logic error_q, error_d;
  logic at_end, too_long, take, put, short_by_some, stray, cut_off;

  assign at_end        = count_q == CountWidth'(Period - 1);
  assign too_long      = MaxBeats > 0 && total_q == TotalWidth'(MaxBeats - 1) && !s_axis_tlast;
  assign take          = s_axis_tvalid && s_axis_tready;
  assign put           = out_valid_o && out_ready_i;
  assign short_by_some = mode_q == Run && put && s_axis_tlast && !at_end;

  assign out_valid_o = (mode_q == Run && s_axis_tvalid && !stray && !cut_off) || mode_q == Fill;
  assign out_last_o  = at_end && (FixedBeats > 0 || mode_q == Fill || s_axis_tlast);
  assign out_drop_o  = mode_q == Run && put && too_long;
  assign error_o     = error_q;

  if (Streams > 1) begin : g_streams
    logic [IdBits-1:0] id, id_q;

    assign id      = s_axis_tdata[DataWidth+:IdBits];
    assign stray   = s_axis_tvalid && 32'(id) >= 32'(Streams);
    assign cut_off = s_axis_tvalid && !stray && count_q != '0 && id != id_q;

    assign out_data_o[Lanes*Width+:IdBits] = (mode_q == Fill) ? id_q : id;

    always_ff @(posedge clk_i) begin
      if (mode_q == Run && put) id_q <= id;
    end
  end else begin : g_one_stream
    assign stray   = 1'b0;
    assign cut_off = 1'b0;
  end

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      out_data_o[k*Width+:Width] = (mode_q == Fill) ? '0 : s_axis_tdata[k*PortWidth+:Width];
    end
  end

  always_comb begin
    mode_d  = mode_q;
    error_d = error_q;
    unique case (mode_q)
      Run: begin
        s_axis_tready = stray || (out_ready_i && !cut_off);
        if (short_by_some || cut_off) mode_d = Fill;
        if (put && !s_axis_tlast && ((FixedBeats > 0 && at_end) || too_long)) mode_d = Swallow;
        if (stray || mode_d != Run) error_d = 1'b1;
      end
      Fill: begin
        s_axis_tready = 1'b0;
        if (put && at_end) mode_d = Run;
      end
      default: begin
        s_axis_tready = 1'b1;
        if (take && s_axis_tlast) mode_d = Run;
      end
    endcase
  end

  assign count_d = !put ? count_q : at_end ? '0 : count_q + CountWidth'(1);
  assign total_d = !put ? total_q : (out_last_o || out_drop_o) ? '0 : total_q + TotalWidth'(1);

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      mode_q  <= Run;
      count_q <= '0;
      total_q <= '0;
      error_q <= 1'b0;
    end else begin
      mode_q  <= mode_d;
      count_q <= count_d;
      total_q <= total_d;
      error_q <= error_d;
    end
  end

endmodule

`default_nettype wire
