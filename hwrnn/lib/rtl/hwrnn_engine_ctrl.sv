// SPDX-License-Identifier: Apache-2.0
// Issues the passes of an engine, at most one (block, group) a cycle, in the order of
// hwrnn_block_counter: for each step the blocks of x, of the states, then of the vectors that are
// computed within the step. What a pass waits for, and nothing else:
//   a block of x       for its beat, which is taken with the block's first group;
//   a block of states  (Shared: the block of x too) for the groups of the stream's step before that
//                      it reads, unless it is a first step;
//   a block of others  for the groups that it reads, handed over in this step (level_o counts);
//   ByGroup            a group that is handed over first in its step, for its own states;
//   the last hand-over for a credit of the output, in a step that emits.
// A group that is issued at cycle s and written (written_i) at s + n is not waited for any more at
// s + n + 1. All outputs belong to the issue of the same cycle. A step of another stream may start
// every Blocks * Groups cycles.
// Keep: a first step, in which states start from their initial values, is the one after reset or
// after restart_i, which comes while no step is under way; without Keep it is that behind a last
// one. What EmitLast emits is the last step of a packet in both.
`default_nettype none

module hwrnn_engine_ctrl #(
  parameter int unsigned Groups = 1,
  parameter int unsigned Sources = 1,
  parameter int unsigned XBlocks = 1,
  parameter int unsigned VectorBlocks = 1,
  parameter bit [Sources-1:0] HandAfter = '1,
  parameter bit HasState = 1'b0,
  parameter bit Shared = 1'b0,
  parameter bit ByGroup = 1'b0,
  parameter int unsigned Units = 1,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter int unsigned OutDepth = 2,
  parameter int unsigned MaxPending = 1,
  parameter int unsigned Streams = 1,
  parameter int unsigned Cells = 1,
  parameter bit EmitAll = 1'b1,
  parameter bit EmitFirst = 1'b0,
  parameter bit EmitLast = 1'b0,
  parameter bit Keep = 1'b0,
  localparam int unsigned Hands = $countones(HandAfter),
  localparam int unsigned Blocks = XBlocks + (Sources - 1) * VectorBlocks,
  localparam int unsigned Words = Cells * Blocks * Groups,
  localparam int unsigned Channels = Cells * Groups,
  localparam int unsigned SourceWidth = (Sources > 1) ? $clog2(Sources) : 1,
  localparam int unsigned BlockWidth = (VectorBlocks > 1) ? $clog2(VectorBlocks) : 1,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned IdWidth = (Streams > 1) ? $clog2(Streams) : 1,
  localparam int unsigned AddressWidth = (Words > 1) ? $clog2(Words) : 1,
  localparam int unsigned ChannelWidth = (Channels > 1) ? $clog2(Channels) : 1
) (
  input  wire logic                clk_i,
  input  wire logic                rst_i,

  input  wire logic                x_valid_i,
  input  wire logic                x_last_i,
  input  wire logic [IdWidth-1:0]  x_id_i,
  output logic                     x_ready_o,
  input  wire logic                out_pop_i,
  input  wire logic [Hands-1:0]    written_i,
  input  wire logic [IdWidth-1:0]  written_stream_i,
  input  wire logic                restart_i,

  output logic                     issue_o,
  output logic                     load_o,
  output logic [SourceWidth-1:0]   source_o,
  output logic [BlockWidth-1:0]    block_o,
  output logic [GroupWidth-1:0]    group_o,
  output logic [IdWidth-1:0]       stream_o,
  output logic [ChannelWidth-1:0]  channel_o,
  output logic [AddressWidth-1:0]  address_o,
  output logic                     first_block_o,
  output logic                     first_step_o,
  output logic [Hands-1:0]         finish_o,
  output logic                     emit_o,
  output logic                     last_o
);

  if (XBlocks < 1 || (Shared && XBlocks > 1)) begin : g_check_blocks
    $error("hwrnn_engine_ctrl: XBlocks is %0d, it must be 1 if Shared, else at least 1", XBlocks);
  end
  if ((Shared || ByGroup) && !HasState) begin : g_check_state
    $error("hwrnn_engine_ctrl: Shared is %0d and ByGroup is %0d, but HasState is 0",
           Shared, ByGroup);
  end
  if (Cells != 1 && Cells != Streams) begin : g_check_cells
    $error("hwrnn_engine_ctrl: Cells is %0d, it must be 1 or Streams, %0d", Cells, Streams);
  end

  if (Keep && (Streams > 1 || EmitFirst)) begin : g_check_keep
    $error("hwrnn_engine_ctrl: Keep, but Streams is %0d and EmitFirst is %0d; 1 and 0 are legal",
           Streams, EmitFirst);
  end

  localparam int unsigned MostBlocks = (XBlocks > VectorBlocks) ? XBlocks : VectorBlocks;
  localparam int unsigned IndexWidth = (MostBlocks > 1) ? $clog2(MostBlocks) : 1;
  localparam int unsigned LevelWidth = (Hands > 1) ? $clog2(Hands) : 1;
  localparam int unsigned StepWidth = (Blocks * Groups > 1) ? $clog2(Blocks * Groups) : 1;
  localparam int unsigned Most = (MaxPending > Groups) ? MaxPending : Groups;
  localparam int unsigned PendingWidth = $clog2(Most + 1);

  typedef logic [VectorBlocks-1:0][PendingWidth-1:0] limits_t;

  // How many groups may be unwritten when a block starts: those behind the last one it reads.
  function automatic limits_t find_limits();
    limits_t found;
    int unsigned columns;
    for (int unsigned b = 0; b < VectorBlocks; b++) begin
      columns  = ((b + 1) * Simd < Units) ? (b + 1) * Simd : Units;
      found[b] = PendingWidth'(Groups - ((columns - 1) / Pe + 1));
    end
    return found;
  endfunction

  localparam limits_t Allowed = find_limits();

  logic [IndexWidth-1:0] index;
  logic [LevelWidth-1:0] level;
  logic [StepWidth-1:0] step_address;
  logic [IdWidth-1:0] stream;
  logic [Streams-1:0] first_q, first_d;
  logic first_group, last_group, hand_over, step_end, of_x, last_hand;
  logic last_q, last_d, first, fresh, is_last, emits;
  logic x_ok, state_ok, inner_ok, credit, credit_ok;

  hwrnn_block_counter #(
    .Groups      (Groups),
    .Sources     (Sources),
    .XBlocks     (XBlocks),
    .VectorBlocks(VectorBlocks),
    .HandAfter   (HandAfter)
  ) u_counter (
    .clk_i,
    .rst_i,
    .next_i       (issue_o),
    .group_o,
    .source_o,
    .index_o      (index),
    .level_o      (level),
    .address_o    (step_address),
    .first_group_o(first_group),
    .last_group_o (last_group),
    .hand_over_o  (hand_over),
    .step_end_o   (step_end)
  );

  assign of_x      = source_o == '0;
  assign last_hand = hand_over && level == LevelWidth'(Hands - 1);

  // The step's last beat of x tells that this is the sequence's last step.
  assign is_last = (first_group && of_x && index == IndexWidth'(XBlocks - 1)) ? x_last_i : last_q;
  assign first   = first_q[stream];
  assign emits   = EmitAll || (EmitFirst && first) || (EmitLast && is_last);

  assign x_ok      = !of_x || !first_group || x_valid_i;
  assign credit_ok = !last_hand || !emits || credit;

  assign issue_o       = x_ok && state_ok && inner_ok && credit_ok;
  assign load_o        = issue_o && first_group;
  assign x_ready_o     = load_o && of_x;
  assign block_o       = BlockWidth'(index);
  assign stream_o      = stream;
  assign first_block_o = of_x && index == '0;
  assign first_step_o  = fresh;
  assign emit_o        = issue_o && last_hand && emits;
  assign last_o        = last_group && (EmitAll ? is_last : 1'b1);

  for (genvar k = 0; k < Hands; k++) begin : g_finish
    assign finish_o[k] = issue_o && hand_over && level == LevelWidth'(k);
  end

  if (Cells > 1) begin : g_cells
    assign address_o = AddressWidth'(32'(stream) * 32'(Blocks * Groups) + 32'(step_address));
    assign channel_o = ChannelWidth'(32'(stream) * 32'(Groups) + 32'(group_o));
  end else begin : g_one_cell
    assign address_o = step_address;
    assign channel_o = group_o;
  end

  if (Streams > 1) begin : g_streams
    logic [IdWidth-1:0] stream_q;

    assign stream = (first_block_o && first_group) ? x_id_i : stream_q;

    always_ff @(posedge clk_i) begin
      stream_q <= stream;
    end
  end else begin : g_one_stream
    assign stream = x_id_i;
  end

  hwrnn_credit #(
    .Depth(OutDepth)
  ) u_credit (
    .clk_i,
    .rst_i,
    .take_i(emit_o),
    .give_i(out_pop_i),
    .ok_o  (credit)
  );

  if (HasState) begin : g_states
    logic [PendingWidth-1:0] pending;

    hwrnn_pending #(
      .Most   (Most),
      .Streams(Streams)
    ) u_pending (
      .clk_i,
      .rst_i,
      .add_i        (finish_o[Hands-1]),
      .stream_i     (stream),
      .done_i       (written_i[Hands-1]),
      .done_stream_i(written_stream_i),
      .count_o      (pending)
    );

    if (ByGroup) begin : g_by_group
      localparam int unsigned SumWidth = PendingWidth + 1;
      logic [SumWidth-1:0] behind;

      // Groups of this step count as pending only if they are handed over to the states already.
      assign behind   = SumWidth'(pending) + ((Hands > 1) ? SumWidth'(group_o) : '0);
      assign state_ok = !hand_over || level != '0 || fresh || behind < SumWidth'(Groups);
    end else begin : g_by_block
      logic [PendingWidth-1:0] limit;
      logic reads_states;

      assign limit        = (Shared && of_x) ? '0 : Allowed[block_o];
      assign reads_states = first_group && level == '0 && (Shared || !of_x);
      assign state_ok     = !reads_states || fresh || pending <= limit;
    end
  end else begin : g_no_states
    logic unused;
    assign unused   = &{written_i[Hands-1], written_stream_i};
    assign state_ok = 1'b1;
  end

  if (Hands > 1) begin : g_inner
    logic [PendingWidth-1:0] pending [Hands];  // of the vectors of each level

    assign pending[0] = '0;

    for (genvar k = 1; k < Hands; k++) begin : g_level
      hwrnn_pending #(
        .Most(Most)
      ) u_pending (
        .clk_i,
        .rst_i,
        .add_i        (finish_o[k-1]),
        .stream_i     (1'b0),
        .done_i       (written_i[k-1]),
        .done_stream_i(1'b0),
        .count_o      (pending[k])
      );
    end

    assign inner_ok = !first_group || pending[level] <= Allowed[block_o];
  end else begin : g_no_inner
    assign inner_ok = 1'b1;
  end

  if (Keep) begin : g_keep
    logic fresh_q;

    assign fresh = fresh_q;

    always_ff @(posedge clk_i) begin
      if (rst_i || restart_i) fresh_q <= 1'b1;
      else if (issue_o && step_end) fresh_q <= 1'b0;
    end
  end else begin : g_reset
    logic unused_restart;
    assign unused_restart = restart_i;
    assign fresh          = first;
  end

  always_comb begin
    first_d = first_q;
    last_d  = last_q;
    if (issue_o) begin
      last_d = is_last && !step_end;
      if (step_end) first_d[stream] = is_last;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      first_q <= '1;
      last_q  <= 1'b0;
    end else begin
      first_q <= first_d;
      last_q  <= last_d;
    end
  end

endmodule

`default_nettype wire
