# SPDX-License-Identifier: Apache-2.0
"""The step of a QuantGRUCell.

The reset and the update gate are like those of an LSTM: for each gate G of both
    C/G_gate/acc    = x_part + h_part + bias             as in `lower_lstm`
    C/G_gate/acc_q  = Q_G_acc(acc)
    C/G_gate/gate   = Q_G_sigmoid(Sigmoid(acc_q))
With `reset_after` (torch.nn.GRU; `linear_before_reset` of ONNX) the reset gate multiplies the
product of the state, which has a bias of its own; both summands are on the grid of new_acc:
    C/new_gate/x_acc   = MatMul(C/x_t, C/new_gate/w_x) + bias
    C/new_gate/x_acc_q = Q_new_acc(x_acc)
    C/new_gate/h_acc   = MatMul(C/h, C/new_gate/w_h) + hidden bias
    C/new_gate/h_acc_q = Q_new_hidden_acc(h_acc)
    C/new_gate/reset   = Q_new_acc(Mul(reset gate, h_acc_q))
    C/new_gate/acc     = Add(x_acc_q, C/new_gate/reset)
and without it, it multiplies the state:
    C/new_gate/reset   = Q_output(Mul(reset gate, C/h))
    C/new_gate/acc     = MatMul(C/x_t, w_x) + MatMul(C/new_gate/reset, w_h) + bias
Then
    C/new_gate/acc_q   = Q_new_acc(acc)
    C/new_gate/gate    = Q_new_tanh(Tanh(acc_q))
    C/update_gate/one  = Quant([C/one: ()], the scale of update_sigmoid)   not clamped
    C/update_gate/rest = Sub(one, update gate)
    C/kept             = Q_hidden_state(Mul(update gate, C/h))
    C/added            = Q_hidden_state(Mul(C/update_gate/rest, new gate))
    C/h_next           = Q_output(Add(C/kept, C/added))
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from onnx import numpy_helper

from hwrnn.frontend.cell_nodes import QUANT_GRU, CellKind, attribute
from hwrnn.frontend.cell_scan import CellToScan


class GruToScan(CellToScan):
    """A layer and direction of hwrnn.nn.QuantGRU, with the reset before or after the product."""

    kind: ClassVar[CellKind] = QUANT_GRU

    def step(self) -> None:
        """h, x_t -> h_next."""
        h = self.at("h")
        r, z = (
            self.activated(gate, self.accumulated(gate, h), "Sigmoid")
            for gate in ("reset", "update")
        )
        after = bool(attribute(self.node, "reset_after", 1))
        acc = self.reset_after(r) if after else self.reset_before(r)
        n = self.activated("new", acc, "Tanh")
        rest = self.do("Sub", [self.one(), z], "update_gate/rest")
        kept = self.quant("hidden_state", self.do("Mul", [z, h], "kept/raw"), "kept")
        added = self.quant("hidden_state", self.do("Mul", [rest, n], "added/raw"), "added")
        self.quant("output", self.do("Add", [kept, added], "h_next/raw"), "h_next")

    def reset_after(self, r: str) -> str:
        """W_x x + b + r * (W_h h + b_h), each summand on the grid of new_acc."""
        x_part = self.product("new", self.at("x_t"), hidden=False)
        x_acc = self.biased(x_part, "new", "new_gate/x_acc")
        x_acc = self.quant("new_acc", x_acc, "new_gate/x_acc_q")
        h_part = self.product("new", self.at("h"), hidden=True)
        h_acc = self.biased(h_part, "new_hidden", "new_gate/h_acc")
        h_acc = self.quant("new_hidden_acc", h_acc, "new_gate/h_acc_q")
        reset = self.do("Mul", [r, h_acc], "new_gate/reset/raw")
        reset = self.quant("new_acc", reset, "new_gate/reset")
        return self.do("Add", [x_acc, reset], "new_gate/acc")

    def reset_before(self, r: str) -> str:
        """W_x x + W_h (r * h) + b; r * h is on the grid of h."""
        reset = self.do("Mul", [r, self.at("h")], "new_gate/reset/raw")
        return self.accumulated("new", self.quant("output", reset, "new_gate/reset"))

    def one(self) -> str:
        """1 on the grid of the update gate: rounded, but never clamped to the gate's range.

        It has one bit more than the gate, if that is enough: so models of one shape are alike.
        """
        scale, _, width = self.parameters("update_sigmoid")
        smallest, plain = (
            float(np.min(numpy_helper.to_array(self.body_constants[p]))) for p in (scale, width)
        )
        bits = max(int(plain) + 1, round(1 / smallest).bit_length())
        parameters = [scale, self.scalar("one_zero", 0.0), self.scalar("one_bits", bits)]
        kind: dict[str, int | str] = {"signed": 0, "narrow": 0, "rounding_mode": "ROUND"}
        return self.quant_with(self.scalar("one", 1.0), parameters, kind, "update_gate/one")
