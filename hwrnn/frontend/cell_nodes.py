# SPDX-License-Identifier: Apache-2.0
"""The recurrent cell nodes of an exported file: what each of their inputs is.

`QuantLSTMCell` is Brevitas' own. `QuantRNNCell` and `QuantGRUCell` are ours, in the same style:
Brevitas has no node for its QuantRNN and no GRU. The inputs of all three are, in this order:

    x                        the sequence, (B, T, I) if `batch_first`, else (T, B, I)
    h, or h and c            initial states, (B, H)
    W_x of each gate         (H, I), quantised
    W_h of each gate         (H, H), quantised
    each bias                (H,); a scalar 0 if there is none
    each quantiser           three inputs: scale, zero point, bit width

In the domain `hwrnn.custom_op` a bit width of 0 says that there is no such quantiser: a partly
quantised QuantLSTM is a QuantLSTMCell of that domain.

Their attributes are `batch_first`, `reverse_input`, for each quantiser q `q_narrow`, `q_signed`
and `q_rounding_mode`, and one of their own: `cifg` (LSTM), `nonlinearity`, "tanh" or "relu"
(RNN), `reset_after` (GRU). Their outputs are the sequence and the last states.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from onnx import NodeProto, helper

from hwrnn.nn.gate_orders import QUANT_GRU_CELL, QUANT_LSTM_CELL, QUANT_RNN_CELL, GateOrder

QONNX_DOMAIN = "qonnx.custom_op.general"
HWRNN_DOMAIN = "hwrnn.custom_op"
HWRNN_DOMAIN_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CellKind:
    """One kind of cell node: its name, and its inputs in groups."""

    op: str
    domain: str
    states: tuple[str, ...]
    gates: GateOrder
    biases: tuple[str, ...]
    quantisers: tuple[str, ...]

    @property
    def first_weight(self) -> int:
        """Where W_x of the first gate is among the inputs."""
        return 1 + len(self.states)

    @property
    def first_bias(self) -> int:
        """Where the biases begin."""
        return self.first_weight + 2 * len(self.gates)

    @property
    def first_quantiser(self) -> int:
        """Where the quantisers begin."""
        return self.first_bias + len(self.biases)

    @property
    def optional(self) -> bool:
        """Whether quantisers may be off."""
        return self.domain == HWRNN_DOMAIN

    @property
    def inputs(self) -> int:
        """How many inputs there are."""
        return self.first_quantiser + 3 * len(self.quantisers)

    def weight(self, gate: str, *, hidden: bool) -> int:
        """Where W_x of a gate is, or W_h."""
        return self.first_weight + self.gates.index(gate) + len(self.gates) * hidden

    def bias(self, name: str) -> int:
        """Where a bias is."""
        return self.first_bias + self.biases.index(name)

    def quantiser(self, name: str) -> slice:
        """Where the three parameters of a quantiser are."""
        start = self.first_quantiser + 3 * self.quantisers.index(name)
        return slice(start, start + 3)


QUANT_LSTM = CellKind(
    op="QuantLSTMCell",
    domain=QONNX_DOMAIN,
    states=("h", "c"),
    gates=QUANT_LSTM_CELL,
    biases=QUANT_LSTM_CELL,
    quantisers=(
        "output",
        "cell_state",
        "input_acc",
        "forget_acc",
        "cell_acc",
        "output_acc",
        "input_sigmoid",
        "forget_sigmoid",
        "cell_tanh",
        "output_sigmoid",
        "hidden_state_tanh",
    ),
)
QUANT_RNN = CellKind(
    op="QuantRNNCell",
    domain=HWRNN_DOMAIN,
    states=("h",),
    gates=QUANT_RNN_CELL,
    biases=QUANT_RNN_CELL,
    quantisers=("output", "gate_acc"),
)
QUANT_GRU = CellKind(
    op="QuantGRUCell",
    domain=HWRNN_DOMAIN,
    states=("h",),
    gates=QUANT_GRU_CELL,
    biases=(*QUANT_GRU_CELL, "new_hidden"),
    quantisers=(
        "output",
        "hidden_state",
        "reset_acc",
        "update_acc",
        "new_acc",
        "new_hidden_acc",
        "reset_sigmoid",
        "update_sigmoid",
        "new_tanh",
    ),
)
PARTLY_LSTM = replace(QUANT_LSTM, domain=HWRNN_DOMAIN)
"""A QuantLSTMCell some of whose quantisers are off: a bit width of 0 says so in a file."""
KINDS = (QUANT_LSTM, QUANT_RNN, QUANT_GRU, PARTLY_LSTM)


def kind_of(node: NodeProto) -> CellKind | None:
    """Which cell a node is; None for any other node."""
    for kind in KINDS:
        if node.op_type == kind.op and node.domain == kind.domain:
            return kind
    return None


def cells(nodes: Sequence[NodeProto]) -> list[NodeProto]:
    """Those of some nodes that are cells."""
    return [node for node in nodes if kind_of(node)]


def readable_name(node: NodeProto) -> str:
    """The node's name without Brevitas' scaffolding: `lstm/layers.0.0`, `q/act_quant`."""
    plain = node.name or (node.output[0] if node.output else node.op_type)
    plain = re.sub(r"/export_handler(_\d+)?/\w+$", lambda m: m.group(1) or "", plain)
    return plain.strip("/") or node.op_type


def attribute(node: NodeProto, name: str, default: int | str | None = None) -> int | str | None:
    """One integer or string attribute of a node."""
    for entry in node.attribute:
        if entry.name == name:
            value = helper.get_attribute_value(entry)
            return value.decode() if isinstance(value, bytes) else int(value)
    return default


def quantiser_attributes(cell: NodeProto, quantiser: str) -> dict[str, int | str]:
    """signed, narrow and rounding_mode of one quantiser of a cell, as attributes of a Quant."""
    # Brevitas writes output_sigmoid_narrow_range where the other ten say *_narrow.
    narrow = attribute(cell, f"{quantiser}_narrow")
    if narrow is None:
        narrow = attribute(cell, f"{quantiser}_narrow_range", 0)
    signed = attribute(cell, f"{quantiser}_signed", 1)
    rounding = attribute(cell, f"{quantiser}_rounding_mode", "ROUND")
    return {"signed": int(signed or 0), "narrow": int(narrow or 0), "rounding_mode": str(rounding)}
