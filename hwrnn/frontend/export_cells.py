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
from brevitas.core.quant.ternary import TernaryQuant
from brevitas.export.onnx.handler import ONNXBaseHandler
from brevitas.export.onnx.qonnx.handler import (
    BrevitasQuantLSTMLayerHandler,
    BrevitasWeightQuantProxyHandler,
)
from brevitas.export.onnx.qonnx.manager import QONNXManager
from brevitas.nn.quant_rnn import _QuantLSTMLayer, _QuantRNNLayer
from brevitas.proxy import WeightQuantProxyFromInjector
from brevitas.quant_tensor import _unpack_quant_tensor
from torch import Tensor, nn

from hwrnn.frontend.cell_nodes import (
    HWRNN_DOMAIN,
    PARTLY_LSTM,
    QUANT_GRU,
    QUANT_LSTM,
    QUANT_RNN,
    CellKind,
)
from hwrnn.nn.gru import QuantGRULayer

Attributes = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class LayerForm:
    """A layer that can be exported: the node it becomes, and how a message calls it.

    `needed`: the quantisers without which nothing is exact; `options` are those of the others.
    """

    kind: CellKind
    word: str
    needed: tuple[str, ...]
    options: str

    def off(self, layer: Any) -> list[str]:  # noqa: ANN401 - Brevitas has no types
        """Which quantisers of one layer and direction are off."""
        return [q for q in self.kind.quantisers if not quantiser(layer, q).is_quant_enabled]

    def missing(self, layer: Any) -> list[str]:  # noqa: ANN401 - Brevitas has no types
        """Which of those that are off would have to be on."""
        off = [q for q in self.off(layer) if q in self.needed]
        if {"output", "hidden_state"} <= set(self.off(layer)):
            off.append("output or hidden_state")
        if self.word == "RNN" and not isinstance(layer.cell.act_fn, nn.ReLU):
            off += [q for q in self.off(layer) if q == "output"]
        for gate in self.kind.gates:
            parameters = parameters_of(layer, gate)
            if parameters and not parameters.input_weight.weight_quant.is_quant_enabled:
                off.append(f"weights of the {gate} gate")
        return off


_LSTM_CURVES = tuple(q for q in QUANT_LSTM.quantisers if q.endswith(("_sigmoid", "_tanh")))
_GRU_CURVES = tuple(q for q in QUANT_GRU.quantisers if q.endswith(("_sigmoid", "_tanh")))
FORMS: dict[type[nn.Module], LayerForm] = {
    _QuantLSTMLayer: LayerForm(
        PARTLY_LSTM, "LSTM", ("cell_state", *_LSTM_CURVES), "io_quant and gate_acc_quant"
    ),
    _QuantRNNLayer: LayerForm(QUANT_RNN, "RNN", (), "gate_acc_quant, with relu also io_quant,"),
    QuantGRULayer: LayerForm(
        QUANT_GRU, "GRU", _GRU_CURVES, "gate_acc_quant and one of io_quant and hidden_state_quant"
    ),
}


def quantiser(layer: Any, name: str) -> Any:  # noqa: ANN401
    """A quantiser of a layer, by the name that its node has for it."""
    exact: Any = getattr(layer.cell, name if name.endswith("_quant") else f"{name}_quant")
    return exact


def parameters_of(layer: Any, gate: str) -> Any:  # noqa: ANN401
    """Weights and bias of a gate; None if it has none."""
    return getattr(layer, "gate_params" if gate == "hidden" else f"{gate}_gate_params")


STATES = {form.kind.op: len(form.kind.states) for form in FORMS.values()}


class CellFn(torch.autograd.Function):
    """Stands for a whole layer and direction while torch traces a module."""

    @staticmethod
    def symbolic(g: Any, name: str, attributes: Attributes, *inputs: Any) -> Any:  # noqa: ANN401
        """The node in the exported file."""
        typed = {
            f"{key}_{'s' if isinstance(value, str) else 'i'}": value
            for key, value in attributes.items()
        }
        outputs = 1 + STATES[name]
        return g.op(f"{HWRNN_DOMAIN}::{name}", *inputs, **typed, outputs=outputs)

    @staticmethod
    def forward(_: Any, name: str, __: Attributes, *inputs: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        """The right shapes, without the values: nothing reads those."""
        x, *states = inputs[: 1 + STATES[name]]
        y = x.new_zeros(x.size(0), x.size(1), states[0].size(1))
        return y, *(state.clone() for state in states)


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
            if not quant.is_quant_enabled:
                self.parameters += [torch.tensor(1.0), torch.tensor(0.0), torch.tensor(0.0)]
                continue
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


class PartlyLstm(CellHandler):
    """Of a layer and direction of a QuantLSTM without some of its quantisers."""

    handled_layer = _QuantLSTMLayer

    def own_attributes(self, module: Any) -> dict[str, int | str]:  # noqa: ANN401
        return {"cifg": int(module.cifg)}


class LstmHandler(BrevitasQuantLSTMLayerHandler):  # type: ignore[misc]
    """Brevitas' own; of a partly quantised layer, for which it raises, ours."""

    handled_layer = _QuantLSTMLayer

    def prepare_for_export(self, module: Any) -> None:  # noqa: ANN401
        """Called once, before the module is traced."""
        self.own: CellHandler | None = None
        if FORMS[_QuantLSTMLayer].off(module):
            self.own = PartlyLstm()
            self.own.prepare_for_export(module)
        else:
            super().prepare_for_export(module)

    def symbolic_execution(self, *inputs: Tensor, **named: Tensor) -> Any:  # noqa: ANN401
        """The sequence and the last states, as traced."""
        if self.own is not None:
            return self.own.symbolic_execution(*inputs, *named.values())
        return super().symbolic_execution(*inputs, **named)


class WeightHandler(BrevitasWeightQuantProxyHandler):  # type: ignore[misc]
    """Brevitas' own writes the plain weights and that they are rounded to the nearest.

    Where the module rounds otherwise (ternary weights with a threshold, FLOOR), its rounded
    weights are written: they round to themselves.
    """

    handled_layer = WeightQuantProxyFromInjector

    def prepare_for_export(self, module: Any) -> None:  # noqa: ANN401
        """Called once, before the module is traced."""
        super().prepare_for_export(module)
        ternary = isinstance(getattr(module, "tensor_quant", None), TernaryQuant)
        self.rounded = ternary or str(module.rounding_mode).upper() not in ("ROUND", "HALF_EVEN")

    def symbolic_execution(self, x: Tensor) -> Any:  # noqa: ANN401
        """The quantised weights, as traced."""
        known = self.quant_weight_values if self.rounded else {}
        return super().symbolic_execution(known.get(x.data_ptr(), x))


class CellManager(QONNXManager):  # type: ignore[misc]
    """Brevitas' exporter with more layers."""

    handlers: ClassVar[list[type[ONNXBaseHandler]]] = [
        WeightHandler,
        LstmHandler,
        *(
            handler
            for handler in QONNXManager.handlers
            if handler not in (BrevitasQuantLSTMLayerHandler, BrevitasWeightQuantProxyHandler)
        ),
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
