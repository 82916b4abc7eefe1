// SPDX-License-Identifier: Apache-2.0
// FIFO of Depth entries: a beat written at cycle t can be read from t + 1, an entry read at t is
// free from t + 1. A beat a cycle; no combinational path from out_ready_i to in_ready_o.
`default_nettype none

module hwrnn_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 4,
  parameter string Style = "auto"
) (
  input  wire logic             clk_i,
  input  wire logic             rst_i,

  input  wire logic [Width-1:0] in_data_i,
  input  wire logic             in_valid_i,
  output logic                  in_ready_o,

  output logic [Width-1:0]      out_data_o,
  output logic                  out_valid_o,
  input  wire logic             out_ready_i,
  output logic                  out_pop_o
);

  if (Depth < 2) begin : g_check_depth
    $error("hwrnn_fifo: Depth is %0d, it must be at least 2", Depth);
  end

  localparam int unsigned PointerWidth = $clog2(Depth);
  localparam int unsigned CountWidth = $clog2(Depth + 1);
  localparam logic [PointerWidth-1:0] LastEntry = PointerWidth'(Depth - 1);

  (* ram_style = Style *) logic [Width-1:0] memory_q [Depth];
  logic [PointerWidth-1:0] write_q, write_d, read_q, read_d;
  logic [CountWidth-1:0] count_q, count_d;
  logic push, pop;

  assign in_ready_o  = count_q != CountWidth'(Depth);
  assign out_data_o  = memory_q[read_q];
  assign out_valid_o = count_q != '0;
  assign out_pop_o   = pop;

  assign push    = in_valid_i && in_ready_o;
  assign pop     = out_valid_o && out_ready_i;
  assign write_d = (write_q == LastEntry) ? '0 : write_q + PointerWidth'(1);
  assign read_d  = (read_q == LastEntry) ? '0 : read_q + PointerWidth'(1);

  always_comb begin
    unique case ({push, pop})
      2'b10:   count_d = count_q + CountWidth'(1);
      2'b01:   count_d = count_q - CountWidth'(1);
      default: count_d = count_q;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      write_q <= '0;
      read_q  <= '0;
      count_q <= '0;
    end else begin
      if (push) write_q <= write_d;
      if (pop) read_q <= read_d;
      count_q <= count_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (push) memory_q[write_q] <= in_data_i;
  end

endmodule

`default_nettype wire
