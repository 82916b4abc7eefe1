// SPDX-License-Identifier: Apache-2.0
// For simulation: an input of the HLS C++ of a design. Words that are accepted go to the C++ at
// once; while results are on their way out (busy_i) nothing is accepted.
// Port: its number; MostWidth: bits of the widest TDATA of the design.
`default_nettype none

module hwrnn_dpi_source #(
  parameter int unsigned Port = 0,
  parameter int unsigned Width = 8,
  parameter int unsigned MostWidth = 8
) (
  input  wire logic             aclk,
  input  wire logic             aresetn,
  input  wire logic             busy_i,
  input  wire logic [Width-1:0] tdata_i,
  input  wire logic             tvalid_i,
  output logic                  tready_o,
  input  wire logic             tlast_i,
  input  wire logic [31:0]      tid_i,
  input  wire logic             tuser_i
);

  import "DPI-C" function void hwrnn_dpi_push(
    input int port, input bit [MostWidth-1:0] data, input int id, input bit last, input bit user
  );

  assign tready_o = aresetn && !busy_i;

  always_ff @(posedge aclk) begin
    if (tvalid_i && tready_o) begin
      hwrnn_dpi_push(Port, MostWidth'(tdata_i), tid_i, tlast_i, tuser_i);
    end
  end

endmodule

`default_nettype wire
