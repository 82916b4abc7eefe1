// SPDX-License-Identifier: Apache-2.0
// Brings each lane to another width: extends by its sign, or drops high bits that carry nothing.
// Combinational.
`default_nettype none

module hwrnn_resize #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned XWidth = 8,
  parameter bit XSigned = 1'b1,
  parameter int unsigned YWidth = 8
) (
  input  wire logic [Lanes*XWidth-1:0] x_i,
  output logic [Lanes*YWidth-1:0]      y_o
);

  function automatic logic [YWidth-1:0] resize(logic [XWidth-1:0] x);
    return YWidth'(signed'({XSigned && x[XWidth-1], x}));
  endfunction

  always_comb begin
    for (int unsigned k = 0; k < Lanes; k++) begin
      y_o[k*YWidth+:YWidth] = resize(x_i[k*XWidth+:XWidth]);
    end
  end

endmodule

`default_nettype wire
