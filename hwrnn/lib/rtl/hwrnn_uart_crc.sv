// SPDX-License-Identifier: Apache-2.0
// CRC-32 (that of Ethernet, zip, zlib.crc32), a bit a cycle: 8 cycles a byte, which must not come
// faster. good_o: what was fed ends with its own checksum, low byte first. byte_o is the lowest
// byte of the checksum; shift_i drops it, in 8 cycles.
`default_nettype none

module hwrnn_uart_crc (
  input  wire logic       clk_i,
  input  wire logic       rst_i,
  input  wire logic       start_i,
  input  wire logic [7:0] data_i,
  input  wire logic       feed_i,
  input  wire logic       shift_i,
  output logic [7:0]      byte_o,
  output logic            good_o
);

  localparam logic [31:0] Polynomial = 32'hedb8_8320;
  localparam logic [31:0] Residue = 32'hdebb_20e3;

  logic [31:0] crc_q, crc_d;
  logic [7:0] data_q, data_d;
  logic [3:0] left_q, left_d;
  logic check_q, check_d, turn;

  assign turn   = check_q && (crc_q[0] ^ data_q[0]);
  assign byte_o = ~crc_q[7:0];
  assign good_o = crc_q == Residue;

  always_comb begin
    crc_d   = crc_q;
    data_d  = {1'b0, data_q[7:1]};
    left_d  = left_q;
    check_d = check_q;
    if (left_q != '0) begin
      crc_d  = {1'b0, crc_q[31:1]} ^ (turn ? Polynomial : '0);
      left_d = left_q - 4'd1;
    end
    if (feed_i || shift_i) begin
      data_d  = data_i;
      left_d  = 4'd8;
      check_d = feed_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_i || start_i) begin
      crc_q  <= '1;
      left_q <= '0;
    end else begin
      crc_q  <= crc_d;
      left_q <= left_d;
    end
    data_q  <= data_d;
    check_q <= check_d;
  end

endmodule

`default_nettype wire
