# SPDX-License-Identifier: Apache-2.0
"""What Brevitas' exporter lacks: cell nodes for QuantRNN and QuantGRU. Imports torch.

Brevitas writes a layer and direction of a QuantLSTM as one node of its own; its QuantRNN raises
TypeError for want of such a node, and it has no GRU.  The nodes are told in `cell_nodes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from brevitas.export.onnx.handler import ONNXBaseHandler
from brevitas.export.onnx.qonnx.manager import QONNXManager
from brevitas.nn.quant_rnn import _QuantLSTMLayer, _QuantRNNLayer
from brevitas.quant_tensor import _unpack_quant_tensor
from torch import Tensor, nn

from hwrnn.frontend.cell_nodes import HWRNN_DOMAIN, QUANT_GRU, QUANT_LSTM, QUANT_RNN, CellKind
from hwrnn.nn.gru import QuantGRULayer

Attributes = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class LayerForm:
    """A layer that can be exported: the node it becomes, and how a message calls it."""

    kind: CellKind
    word: str
    options: str

    def missing(self, layer: Any) -> list[str]:  # noqa: ANN401 - Brevitas has no types
        """Which quantisers of one layer and direction are off."""
        off = [q for q in self.kind.quantisers if not quantiser(layer, q).is_quant_enabled]
        for gate in self.kind.gates:
            parameters = parameters_of(layer, gate)
            if parameters and not parameters.input_weight.weight_quant.is_quant_enabled:
                off.append(f"weights of the {gate} gate")
        return off


_SAME = "io_quant, gate_acc_quant"
FORMS: dict[type[nn.Module], LayerForm] = {
    _QuantLSTMLayer: LayerForm(
        QUANT_LSTM, "LSTM", f"{_SAME}, sigmoid_quant, tanh_quant, cell_state_quant"
    ),
    _QuantRNNLayer: LayerForm(QUANT_RNN, "RNN", _SAME),
    QuantGRULayer: LayerForm(
        QUANT_GRU, "GRU", f"{_SAME}, sigmoid_quant, tanh_quant, hidden_state_quant"
    ),
}


def quantiser(layer: Any, name: str) -> Any:  # noqa: ANN401
    """A quantiser of a layer, by the name that its node has for it."""
    exact: Any = getattr(layer.cell, name if name.endswith("_quant") else f"{name}_quant")
    return exact


def parameters_of(layer: Any, gate: str) -> Any:  # noqa: ANN401
    """Weights and bias of a gate; None if it has none."""
    return getattr(layer, "gate_params" if gate == "hidden" else f"{gate}_gate_params")


class CellFn(torch.autograd.Function):
    """Stands for a whole layer and direction while torch traces a module."""

    @staticmethod
    def symbolic(g: Any, name: str, attributes: Attributes, *inputs: Any) -> Any:  # noqa: ANN401
        """The node in the exported file."""
        typed = {
            f"{key}_{'s' if isinstance(value, str) else 'i'}": value
            for key, value in attributes.items()
        }
        return g.op(f"{HWRNN_DOMAIN}::{name}", *inputs, **typed, outputs=2)

    @staticmethod
    def forward(_: Any, name: str, __: Attributes, *inputs: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401, ARG004
        """The right shapes, without the values: nothing reads those."""
        x, h = inputs[:2]
        return x.new_zeros(x.size(0), x.size(1), h.size(1)), h.clone()


class CellHandler(ONNXBaseHandler):  # type: ignore[misc]
    """Gathers what a layer's quantisers are, and calls CellFn in the layer's place."""

    handled_layer: ClassVar[type[nn.Module]]

    def prepare_for_export(self, module: Any) -> None:  # noqa: ANN401
        """Called once, before the module is traced."""
        self.kind = FORMS[self.handled_layer].kind
        self.attributes: dict[str, int | str] = self.own_attributes(module)
        self.attributes["batch_first"] = int(module.cell.batch_first)
        self.attributes["reverse_input"] = int(module.cell.reverse_input)
        self.parameters: list[Tensor] = []
        for name in self.kind.quantisers:
            quant = quantiser(module, name)
            self.parameters += [quant.scale(), quant.zero_point(), quant.bit_width()]
            self.attributes[f"{name}_narrow"] = int(quant.is_narrow_range)
            self.attributes[f"{name}_signed"] = int(quant.is_signed)
            self.attributes[f"{name}_rounding_mode"] = str(quant.rounding_mode)

    def own_attributes(self, module: Any) -> dict[str, int | str]:  # noqa: ANN401
        """What only this kind of cell has."""
        raise NotImplementedError

    def symbolic_execution(self, *inputs: Tensor) -> Any:  # noqa: ANN401
        """The sequence and the last state, as traced."""
        return CellFn.apply(self.kind.op, self.attributes, *inputs, *self.parameters)  # type: ignore[no-untyped-call]


class RnnHandler(CellHandler):
    """Of a layer and direction of QuantRNN."""

    handled_layer = _QuantRNNLayer

    def own_attributes(self, module: Any) -> dict[str, int | str]:  # noqa: ANN401
        relu = isinstance(module.cell.act_fn, nn.ReLU)
        return {"nonlinearity": "relu" if relu else "tanh"}


class GruHandler(CellHandler):
    """Of a layer and direction of QuantGRU."""

    handled_layer = QuantGRULayer

    def own_attributes(self, module: Any) -> dict[str, int | str]:  # noqa: ANN401
        return {"reset_after": int(module.cell.reset_after)}


class CellManager(QONNXManager):  # type: ignore[misc]
    """Brevitas' exporter with two more layers."""

    handlers: ClassVar[list[type[ONNXBaseHandler]]] = [
        *QONNXManager.handlers,
        RnnHandler,
        GruHandler,
    ]

    @classmethod
    def set_export_mode(cls, model: nn.Module, enabled: bool) -> None:
        """As in Brevitas; a QuantRNN layer gets a forward that knows of its handler's outputs."""
        super().set_export_mode(model, enabled)
        for layer in model.modules():
            if type(layer) is _QuantRNNLayer:
                vars(layer).pop("forward", None)
                if enabled:
                    layer.forward = partial(rnn_forward, layer)


def rnn_forward(layer: Any, inp: Any, state: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """`_QuantRNNLayer.forward` while it is exported.

    Brevitas' own takes element -1 of the sequence for the last state, which is the last sequence
    of the batch if that comes first, and the last step where the first is meant.
    """
    x = layer.maybe_quantize_input(inp)
    weights_and_bias = layer.gate_params_fwd(layer.gate_params, x)
    w_x, w_h, bias = (None if p is None else _unpack_quant_tensor(p) for p in weights_and_bias)
    value = _unpack_quant_tensor(x)
    bias = torch.tensor(0.0) if bias is None else bias
    h = layer.maybe_quantize_state(value, state, layer.cell.output_quant)
    y, last = layer.export_handler(value, _unpack_quant_tensor(h), w_x, w_h, bias)
    return layer.pack_quant_outputs(y), layer.pack_quant_state(last, layer.cell.output_quant)
