// SPDX-License-Identifier: Apache-2.0
// The protocol of docs/uart.md: checks a request, does what it asks, and answers it. A request that
// repeats the sequence number of the one before is answered again but not carried out again. What
// comes while an answer is sent is dropped, up to the END that closes it.
// Bytes come and go at least 10 cycles apart. An answer that waits for results gives up after
// 2**WaitBits cycles.
`default_nettype none

module hwrnn_uart_control #(
  parameter int unsigned WaitBits = 20
) (
  input  wire logic       clk_i,
  input  wire logic       rst_i,

  input  wire logic [7:0] rx_data_i,
  input  wire logic       rx_valid_i,
  input  wire logic       rx_end_i,
  output logic [7:0]      tx_data_o,
  output logic            tx_end_o,
  output logic            tx_valid_o,
  input  wire logic       tx_ready_i,
  input  wire logic       tx_idle_i,

  output logic [8:0]      in_data_o,
  output logic            in_write_o,
  output logic            in_keep_o,
  output logic            in_drop_o,
  input  wire logic       in_lost_i,
  input  wire logic [7:0] in_free_i,

  input  wire logic [8:0] out_data_i,
  input  wire logic       out_valid_i,
  output logic            out_read_o,
  output logic            out_forget_o,
  output logic            out_rewind_o,

  output logic [12:0]     rom_address_o,
  input  wire logic [7:0] rom_data_i,

  input  wire logic       error_i,
  input  wire logic       busy_i,
  output logic            reset_o,
  output logic            answering_o
);

  typedef enum logic [2:0] {Listen, Open, Payload, Trailer, Check, Close} state_e;
  typedef enum logic [3:0] {
    Command, Sequence, Argument, Limit, Body, Second, Third, Fourth, Whole, Over
  } field_e;

  localparam logic [3:0] Data = 4'd1;
  localparam logic [3:0] Describe = 4'd2;
  localparam logic [3:0] Status = 4'd3;
  localparam logic [3:0] Reset = 4'd4;
  localparam logic [3:0] Done = 4'd0;
  localparam logic [3:0] Damaged = 4'd1;
  localparam logic [3:0] Full = 4'd2;
  localparam logic [3:0] Unknown = 4'd3;

  state_e state_q, state_d;
  field_e field_q, field_d;

  // -- a request ------------------------------------------------------------------------------

  logic [3:0] command_q, command_d;
  logic [7:0] sequence_q, sequence_d, wish_q, wish_d, argument_q, argument_d, limit_q, limit_d;
  logic last_q, last_d, wait_q, wait_d, skip_q, skip_d;
  logic is_data, take, inside_body, close, sound, good, again, fresh, crc_good;

  assign is_data = command_q == Data;
  assign take    = state_q == Listen && rx_valid_i && !skip_q;
  assign close   = state_q == Listen && rx_end_i && field_q != Command;
  assign sound   = crc_good && field_q == Whole;
  assign good    = close && sound;

  assign inside_body = is_data && argument_q != '0;
  assign in_data_o   = {last_q && argument_q == 8'd1, rx_data_i};
  assign in_write_o  = take && field_q == Body && inside_body;

  always_comb begin
    field_d    = field_q;
    command_d  = command_q;
    last_d     = last_q;
    wait_d     = wait_q;
    wish_d     = wish_q;
    argument_d = argument_q;
    limit_d    = limit_q;
    if (rx_end_i) begin
      field_d = Command;
    end else if (take) begin
      unique case (field_q)
        Command: begin
          {command_d, last_d, wait_d} = {rx_data_i[7:4], rx_data_i[1:0]};
          field_d = Sequence;
        end
        Sequence: begin
          wish_d  = rx_data_i;
          field_d = Argument;
        end
        Argument: begin
          argument_d = rx_data_i;
          field_d    = Limit;
        end
        Limit: begin
          limit_d = rx_data_i;
          field_d = Body;
        end
        Body: begin
          if (inside_body) argument_d = argument_q - 8'd1;
          else field_d = Second;
        end
        Second: field_d = Third;
        Third: field_d = Fourth;
        Fourth: field_d = Whole;
        default: field_d = Over;
      endcase
    end
    skip_d = rx_end_i ? 1'b0 : (rx_valid_i && state_q != Listen) ? 1'b1 : skip_q;
  end

  // -- what it does ---------------------------------------------------------------------------

  logic [7:0] good_q, good_d, bad_q, bad_d;
  logic seen_q, seen_d, full_q, full_d, damaged_q, damaged_d, reset_q;

  assign again = good && seen_q && wish_q == sequence_q;
  assign fresh = good && !again;

  assign in_keep_o    = fresh && is_data && !in_lost_i;
  assign in_drop_o    = rx_end_i && !in_keep_o;
  assign out_forget_o = fresh;
  assign out_rewind_o = again;
  assign reset_o      = reset_q;

  assign sequence_d = good ? wish_q : sequence_q;
  assign seen_d     = good ? command_q != Reset : seen_q;
  assign full_d     = fresh ? is_data && in_lost_i : full_q;
  assign damaged_d  = close ? !sound : damaged_q;
  assign good_d     = good ? good_q + 8'd1 : good_q;
  assign bad_d      = (close && !sound) ? bad_q + 8'd1 : bad_q;

  // -- the answer -----------------------------------------------------------------------------

  // What is sent goes through a register, which follows it while the line is busy: a line's byte is
  // far longer than that takes. It stands still between an ESC and the byte behind it: room, error
  // and busy may change at any time.

  logic [WaitBits:0] timer_q, timer_d;
  logic [7:0] count_q, count_d, stop_q, stop_d, payload, crc_byte, tx_data_q, tx_data_d;
  logic tx_end_q, tx_end_d, tx_valid_q, tx_valid_d, half_q, half_d;
  logic [3:0] outcome;
  logic ended_q, ended_d, more, ready, hold, sent, known;

  assign known = command_q inside {Data, Describe, Status, Reset};
  assign more  = !damaged_q && count_q != stop_q && !ended_q;
  assign hold  = is_data && wait_q && !timer_q[WaitBits];
  assign ready = is_data ? out_valid_i : command_q == Describe || command_q == Status;
  assign sent  = tx_valid_o && tx_ready_i;

  assign half_d = (tx_valid_o && tx_idle_i) ? !tx_ready_i : half_q;

  assign rom_address_o = {argument_q, count_q[4:0]};
  assign out_read_o    = state_q == Payload && is_data && sent;
  assign answering_o   = state_q != Listen;
  assign tx_end_d      = state_q == Open || state_q == Close;
  assign tx_data_o     = tx_data_q;
  assign tx_end_o      = tx_end_q;
  assign tx_valid_o    = tx_valid_q;

  always_comb begin
    outcome = full_q ? Full : Done;
    if (!known) outcome = Unknown;
    if (damaged_q) outcome = Damaged;
  end

  always_comb begin
    unique case (command_q)
      Data: payload = out_data_i[7:0];
      Describe: payload = rom_data_i;
      default: payload = count_q[0] ? bad_q : good_q;
    endcase
  end

  always_comb begin
    unique case (state_q)
      Payload: tx_data_d = payload;
      Trailer:
        unique case (count_q[1:0])
          2'd0: tx_data_d = sequence_q;
          2'd1: tx_data_d = in_free_i;
          default: tx_data_d = {error_i, ended_q, busy_i, 1'b0, outcome};
        endcase
      default: tx_data_d = crc_byte;
    endcase
    if (half_d) tx_data_d = tx_data_q;
  end

  always_comb begin
    state_d    = state_q;
    count_d    = count_q;
    stop_d     = fresh ? limit_q : stop_q;
    ended_d    = ended_q;
    timer_d    = timer_q[WaitBits] ? timer_q : timer_q + (WaitBits + 1)'(1);
    tx_valid_d = 1'b1;
    unique case (state_q)
      Listen: begin
        tx_valid_d = 1'b0;
        if (close) state_d = Open;
      end
      Open: begin
        count_d = '0;
        ended_d = 1'b0;
        timer_d = '0;
        if (sent) state_d = Payload;
      end
      Payload: begin
        tx_valid_d = more && ready;
        if (sent) begin
          count_d = count_q + 8'd1;
          ended_d = is_data && out_data_i[8];
        end else if (tx_idle_i && !tx_valid_d && !(more && hold)) begin
          state_d = Trailer;
          count_d = '0;
          if (!damaged_q) stop_d = count_q;
        end
      end
      Trailer: if (sent) begin
        count_d = (count_q[1:0] == 2'd2) ? '0 : count_q + 8'd1;
        if (count_q[1:0] == 2'd2) state_d = Check;
      end
      Check: if (sent) begin
        count_d = count_q + 8'd1;
        if (count_q[1:0] == 2'd3) state_d = Close;
      end
      default: if (sent) state_d = Listen;
    endcase
  end

  // -- one checksum for both directions -------------------------------------------------------

  logic answer_byte;

  assign answer_byte = sent && (state_q == Payload || state_q == Trailer);

  hwrnn_uart_crc u_crc (
    .clk_i,
    .rst_i,
    .start_i((state_q == Listen && rx_end_i) || (sent && tx_end_o)),
    .data_i (state_q == Listen ? rx_data_i : tx_data_o),
    .feed_i (take || answer_byte),
    .shift_i(sent && state_q == Check),
    .byte_o (crc_byte),
    .good_o (crc_good)
  );

  // -- registers ------------------------------------------------------------------------------

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      tx_valid_q <= 1'b0;
      half_q  <= 1'b0;
      state_q <= Listen;
      field_q <= Command;
      skip_q  <= 1'b0;
      seen_q  <= 1'b0;
      reset_q <= 1'b0;
      good_q  <= '0;
      bad_q   <= '0;
    end else begin
      tx_valid_q <= tx_valid_d && !sent;
      half_q  <= half_d;
      state_q <= state_d;
      field_q <= field_d;
      skip_q  <= skip_d;
      seen_q  <= seen_d;
      reset_q <= good && command_q == Reset;
      good_q  <= good_d;
      bad_q   <= bad_d;
    end
    tx_data_q  <= tx_data_d;
    tx_end_q   <= tx_end_d;
    command_q  <= command_d;
    last_q     <= last_d;
    wait_q     <= wait_d;
    wish_q     <= wish_d;
    argument_q <= argument_d;
    limit_q    <= limit_d;
    sequence_q <= sequence_d;
    full_q     <= full_d;
    damaged_q  <= damaged_d;
    count_q    <= count_d;
    stop_q     <= stop_d;
    ended_q    <= ended_d;
    timer_q    <= timer_d;
  end

endmodule

`default_nettype wire
