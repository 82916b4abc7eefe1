// SPDX-License-Identifier: Apache-2.0
// For simulation: an output of the HLS C++ of a design. A word leaves in every cycle, from the one
// behind the last word of a call on.
// Port: its number; MostWidth: bits of the widest TDATA of the design.
`default_nettype none

module hwrnn_dpi_sink #(
  parameter int unsigned Port = 0,
  parameter int unsigned Width = 8,
  parameter int unsigned MostWidth = 8
) (
  input  wire logic        aclk,
  input  wire logic        aresetn,
  output logic [Width-1:0] tdata_o,
  output logic             tvalid_o,
  input  wire logic        tready_i,
  output logic             tlast_o,
  output logic [31:0]      tid_o
);

  import "DPI-C" function bit hwrnn_dpi_pop(
    input int port, output bit [MostWidth-1:0] data, output int id, output bit last
  );

  bit [MostWidth-1:0] word;
  bit                 word_last;
  int                 word_id;

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      tvalid_o <= 1'b0;
    end else if (!tvalid_o || tready_i) begin
      tvalid_o <= hwrnn_dpi_pop(Port, word, word_id, word_last);
      tdata_o  <= word[Width-1:0];
      tlast_o  <= word_last;
      tid_o    <= word_id;
    end
  end

endmodule

`default_nettype wire
