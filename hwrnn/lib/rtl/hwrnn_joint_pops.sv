// SPDX-License-Identifier: Apache-2.0
// Entries that several FIFOs of one depth have in common: pop_o when the last of them has given
// up one. Combinational from pops_i to pop_o; Most: by how many one may be ahead of another.
`default_nettype none

module hwrnn_joint_pops #(
  parameter int unsigned Outputs = 2,
  parameter int unsigned Most = 2
) (
  input  wire logic               clk_i,
  input  wire logic               rst_i,

  input  wire logic [Outputs-1:0] pops_i,
  output logic                    pop_o
);

  if (Outputs < 2) begin : g_check_outputs
    $error("hwrnn_joint_pops: Outputs is %0d, it must be at least 2", Outputs);
  end

  localparam int unsigned CountWidth = $clog2(Most + 1);

  logic [Outputs-1:0] there;

  for (genvar k = 0; k < Outputs; k++) begin : g_output
    logic [CountWidth-1:0] ahead_q, ahead_d;

    assign there[k] = pops_i[k] || ahead_q != '0;

    always_comb begin
      unique case ({pops_i[k], pop_o})
        2'b10:   ahead_d = ahead_q + CountWidth'(1);
        2'b01:   ahead_d = ahead_q - CountWidth'(1);
        default: ahead_d = ahead_q;
      endcase
    end

    always_ff @(posedge clk_i) begin
      if (rst_i) ahead_q <= '0;
      else ahead_q <= ahead_d;
    end
  end

  assign pop_o = &there;

endmodule

`default_nettype wire
