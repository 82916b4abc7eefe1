// SPDX-License-Identifier: Apache-2.0
// For simulation: reset, error, identity, and writes to the memories of the HLS C++ of a design.
// config_i is {valid, word address, data}; what was written is taken with the next call.
`default_nettype none

module hwrnn_dpi_control (
  input  wire logic        aclk,
  input  wire logic        aresetn,
  input  wire logic [62:0] config_i,
  output logic             error_o,
  output logic [31:0]      version_o,
  output logic [63:0]      model_hash_o
);

  import "DPI-C" function void hwrnn_dpi_reset();
  import "DPI-C" function void hwrnn_dpi_write(input int address, input int data);
  import "DPI-C" function bit hwrnn_dpi_error();
  import "DPI-C" function int hwrnn_dpi_version();
  import "DPI-C" function longint hwrnn_dpi_model_hash();

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      hwrnn_dpi_reset();
      error_o      <= 1'b0;
      version_o    <= 32'(hwrnn_dpi_version());
      model_hash_o <= 64'(hwrnn_dpi_model_hash());
    end else begin
      if (config_i[62]) hwrnn_dpi_write({config_i[61:32], 2'b00}, config_i[31:0]);
      error_o <= hwrnn_dpi_error();
    end
  end

endmodule

`default_nettype wire
