# SPDX-License-Identifier: Apache-2.0
"""The step of a QuantLSTMCell.

For each gate G, where act is Sigmoid, for the cell gate Tanh, and a is `sigmoid` or `tanh`:
    C/G_gate/x_part = MatMul(C/x_t, C/G_gate/w_x)
    C/G_gate/h_part = MatMul(C/h, C/G_gate/w_h)
    C/G_gate/sum    = Add(x_part, h_part)
    C/G_gate/acc    = Add(sum, bias)                     without a bias: acc is sum
    C/G_gate/acc_q  = Q_G_acc(acc)
    C/G_gate/act    = Sigmoid(acc_q)
    C/G_gate/gate   = Q_G_a(act)
With coupled gates (CIFG) the forget gate is instead
    C/forget_gate/one  = Q_input_sigmoid([C/one: ()])
    C/forget_gate/gate = Sub(one, C/input_gate/gate)
and then
    C/kept      = Q_cell_state(Mul(forget gate, C/c))
    C/added     = Q_cell_state(Mul(input gate, cell gate))
    C/c_next    = Q_cell_state(Add(C/kept, C/added))
    C/c_tanh    = Q_hidden_state_tanh(Tanh(C/c_next))
    C/h_next    = Q_output(Mul(output gate, C/c_tanh))
"""

from __future__ import annotations

from typing import ClassVar

from hwrnn.frontend.cell_nodes import QUANT_LSTM, CellKind, attribute
from hwrnn.frontend.cell_scan import CellToScan


class LstmToScan(CellToScan):
    """Brevitas' QuantLSTMCell, with and without coupled gates."""

    kind: ClassVar[CellKind] = QUANT_LSTM

    def step(self) -> None:
        """h, c, x_t -> h_next, c_next."""
        i = self.gate("input")
        cifg = bool(attribute(self.node, "cifg", 0))
        f = self.coupled_forget_gate(i) if cifg else self.gate("forget")
        g, o = self.gate("cell", "Tanh"), self.gate("output")
        kept = self.do("Mul", [f, self.at("c")], "kept/raw")
        kept = self.quant("cell_state", kept, "kept")
        added = self.quant("cell_state", self.do("Mul", [i, g], "added/raw"), "added")
        total = self.do("Add", [kept, added], "c_next/raw")
        c_next = self.quant("cell_state", total, "c_next")
        tanh = self.do("Tanh", [c_next], "c_tanh/raw")
        tanh = self.quant("hidden_state_tanh", tanh, "c_tanh")
        self.quant("output", self.do("Mul", [o, tanh], "h_next/raw"), "h_next")

    def gate(self, name: str, op: str = "Sigmoid") -> str:
        """One gate, from x_t and h to its quantised activation."""
        return self.activated(name, self.accumulated(name, self.at("h")), op)

    def coupled_forget_gate(self, input_gate: str) -> str:
        """1 - i, where the 1 passes the input gate's sigmoid quantiser."""
        one = self.quant("input_sigmoid", self.scalar("one", 1.0), "forget_gate/one")
        return self.do("Sub", [one, input_gate], "forget_gate/gate")
