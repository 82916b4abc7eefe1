# SPDX-License-Identifier: Apache-2.0
"""The step of a QuantRNNCell, which has one gate, `hidden`.

C/hidden_gate/x_part = MatMul(C/x_t, C/hidden_gate/w_x)
C/hidden_gate/h_part = MatMul(C/h, C/hidden_gate/w_h)
C/hidden_gate/sum    = Add(x_part, h_part)
C/hidden_gate/acc    = Add(sum, bias)                without a bias: acc is sum
C/hidden_gate/acc_q  = Q_gate_acc(acc)
C/h_next/raw         = Tanh(acc_q), or Relu(acc_q)
C/h_next             = Q_output(C/h_next/raw)
"""

from __future__ import annotations

from typing import ClassVar

from hwrnn.errors import ImportFault, shorten
from hwrnn.frontend.cell_nodes import QUANT_RNN, CellKind, attribute
from hwrnn.frontend.cell_scan import CellToScan

NONLINEARITIES = {"tanh": "Tanh", "relu": "Relu"}


class RnnToScan(CellToScan):
    """A layer and direction of Brevitas' QuantRNN."""

    kind: ClassVar[CellKind] = QUANT_RNN

    def step(self) -> None:
        """h, x_t -> h_next."""
        acc = self.accumulated("hidden", self.at("h"))
        acc_q = self.quant("gate_acc", acc, "hidden_gate/acc_q")
        self.quant("output", self.do(self.nonlinearity(), [acc_q], "h_next/raw"), "h_next")

    def nonlinearity(self) -> str:
        """The op of the cell's only function."""
        name = str(attribute(self.node, "nonlinearity", "tanh"))
        if name not in NONLINEARITIES:
            raise ImportFault(
                f'node "{self.name}"',
                f'a QuantRNNCell with the nonlinearity "{shorten(name, 20)}"',
                f"known: {', '.join(NONLINEARITIES)}",
            )
        return NONLINEARITIES[name]
