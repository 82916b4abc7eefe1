// SPDX-License-Identifier: Apache-2.0
// Issues the passes of an engine, at most one (block, group) a cycle: for each step the blocks of
// x, then those of h; in each block the groups 0 .. Groups-1. What it waits for, and nothing else:
//   an x block       for its beat, which is taken with the block's first group;
//   an h block       for the groups of the step before that it reads, unless it is a first step;
//   the last block   for a credit of the output, in a step that emits; and, in an engine whose
//                    states are all element-wise, for this group's state of the step before.
// An issue at cycle s whose state is written (state_write_i) at s + n is no longer pending at
// s + n + 1. All outputs belong to the issue of the same cycle.
`default_nettype none

module hwrnn_engine_ctrl #(
  parameter int unsigned Groups = 1,
  parameter int unsigned XBlocks = 1,
  parameter int unsigned HBlocks = 0,
  parameter int unsigned Units = 1,
  parameter int unsigned Pe = 1,
  parameter int unsigned Simd = 1,
  parameter int unsigned OutDepth = 2,
  parameter int unsigned MaxPending = 0,
  parameter bit HasState = 1'b0,
  parameter bit EmitAll = 1'b1,
  parameter bit EmitFirst = 1'b0,
  parameter bit EmitLast = 1'b0,
  localparam int unsigned Blocks = XBlocks + HBlocks,
  localparam int unsigned GroupWidth = (Groups > 1) ? $clog2(Groups) : 1,
  localparam int unsigned HBlockWidth = (HBlocks > 1) ? $clog2(HBlocks) : 1,
  localparam int unsigned AddressWidth = (Blocks * Groups > 1) ? $clog2(Blocks * Groups) : 1
) (
  input  wire logic               clk_i,
  input  wire logic               rst_i,

  input  wire logic               x_valid_i,
  input  wire logic               x_last_i,
  output logic                    x_ready_o,
  input  wire logic               out_pop_i,
  input  wire logic               state_write_i,

  output logic                    issue_o,
  output logic                    load_o,
  output logic                    is_h_o,
  output logic [HBlockWidth-1:0]  h_block_o,
  output logic [GroupWidth-1:0]   group_o,
  output logic [AddressWidth-1:0] address_o,
  output logic                    first_block_o,
  output logic                    first_step_o,
  output logic                    finish_o,
  output logic                    emit_o,
  output logic                    last_o
);

  if (XBlocks < 1) begin : g_check_blocks
    $error("hwrnn_engine_ctrl: XBlocks is %0d, it must be at least 1", XBlocks);
  end
  if (HBlocks > 0 && !HasState) begin : g_check_state
    $error("hwrnn_engine_ctrl: HBlocks is %0d, but HasState is 0", HBlocks);
  end

  localparam int unsigned BlockWidth = (Blocks > 1) ? $clog2(Blocks) : 1;
  localparam logic [GroupWidth-1:0] LastGroup = GroupWidth'(Groups - 1);
  localparam logic [BlockWidth-1:0] LastBlock = BlockWidth'(Blocks - 1);

  localparam int unsigned Most = (MaxPending > Groups) ? MaxPending : Groups;
  localparam int unsigned PendingWidth = $clog2(Most + 1);
  localparam int unsigned Limits = (HBlocks > 0) ? HBlocks : 1;

  typedef logic [Limits-1:0][PendingWidth-1:0] limits_t;

  // How many groups may be unwritten when a block starts: those behind the last one it reads.
  function automatic limits_t find_limits();
    limits_t found;
    int unsigned columns;
    for (int unsigned b = 0; b < Limits; b++) begin
      columns  = ((b + 1) * Simd < Units) ? (b + 1) * Simd : Units;
      found[b] = PendingWidth'(Groups - ((columns - 1) / Pe + 1));
    end
    return found;
  endfunction

  localparam limits_t Allowed = find_limits();

  logic [GroupWidth-1:0] group_q, group_d;
  logic [BlockWidth-1:0] block_q, block_d;
  logic [AddressWidth-1:0] address_q, address_d;
  logic first_q, first_d, last_q, last_d;
  logic first_group, last_group, last_block, step_end, is_last, emits;
  logic x_ok, state_ok, credit, credit_ok;

  assign first_group = group_q == '0;
  assign last_group  = group_q == LastGroup;
  assign last_block  = block_q == LastBlock;
  assign step_end    = last_group && last_block;

  // The step's last beat of x tells that this is the sequence's last step.
  assign is_last = (first_group && block_q == BlockWidth'(XBlocks - 1)) ? x_last_i : last_q;
  assign emits   = EmitAll || (EmitFirst && first_q) || (EmitLast && is_last);

  assign x_ok      = is_h_o || !first_group || x_valid_i;
  assign credit_ok = !last_block || !emits || credit;

  assign issue_o       = x_ok && state_ok && credit_ok;
  assign load_o        = issue_o && first_group;
  assign x_ready_o     = load_o && !is_h_o;
  assign group_o       = group_q;
  assign address_o     = address_q;
  assign first_block_o = block_q == '0;
  assign first_step_o  = first_q;
  assign finish_o      = issue_o && last_block;
  assign emit_o        = finish_o && emits;
  assign last_o        = last_group && (EmitAll ? is_last : 1'b1);

  hwrnn_credit #(
    .Depth(OutDepth)
  ) u_credit (
    .clk_i,
    .rst_i,
    .take_i(emit_o),
    .give_i(out_pop_i),
    .ok_o  (credit)
  );

  if (HBlocks > 0) begin : g_h_block
    assign is_h_o    = block_q >= BlockWidth'(XBlocks);
    assign h_block_o = HBlockWidth'(block_q - BlockWidth'(XBlocks));
  end else begin : g_no_h_block
    assign is_h_o    = 1'b0;
    assign h_block_o = '0;
  end

  if (HasState) begin : g_pending
    logic [PendingWidth-1:0] pending_q, pending_d;

    always_comb begin
      unique case ({finish_o, state_write_i})
        2'b10:   pending_d = pending_q + PendingWidth'(1);
        2'b01:   pending_d = pending_q - PendingWidth'(1);
        default: pending_d = pending_q;
      endcase
    end

    always_ff @(posedge clk_i) begin
      if (rst_i) pending_q <= '0;
      else pending_q <= pending_d;
    end

    if (HBlocks > 0) begin : g_by_block
      assign state_ok = !is_h_o || !first_group || first_q || pending_q <= Allowed[h_block_o];
    end else begin : g_by_group
      assign state_ok = !last_block || first_q || pending_q < PendingWidth'(Groups);
    end
  end else begin : g_no_pending
    logic unused;
    assign unused   = state_write_i;
    assign state_ok = 1'b1;
  end

  always_comb begin
    group_d   = group_q;
    block_d   = block_q;
    address_d = address_q;
    first_d   = first_q;
    last_d    = last_q;
    if (issue_o) begin
      group_d   = last_group ? '0 : group_q + GroupWidth'(1);
      address_d = step_end ? '0 : address_q + AddressWidth'(1);
      last_d    = is_last && !step_end;
      if (last_group) block_d = last_block ? '0 : block_q + BlockWidth'(1);
      if (step_end) first_d = is_last;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      group_q   <= '0;
      block_q   <= '0;
      address_q <= '0;
      first_q   <= 1'b1;
      last_q    <= 1'b0;
    end else begin
      group_q   <= group_d;
      block_q   <= block_d;
      address_q <= address_d;
      first_q   <= first_d;
      last_q    <= last_d;
    end
  end

endmodule

`default_nettype wire
