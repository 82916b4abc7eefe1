# SPDX-License-Identifier: Apache-2.0
"""The recurrent layers of tests/networks.py: one function for each kind of cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from networks import NetworkSpec
    from torch import nn


class Quantisers:
    """The Brevitas quantisers of one spec: float or power-of-two scales."""

    def __init__(self, pot: bool) -> None:
        from brevitas import quant
        from brevitas.quant import fixed_point

        if pot:
            self.act: Any = fixed_point.Int8ActPerTensorFixedPoint
            self.unsigned: Any = fixed_point.Uint8ActPerTensorFixedPoint
            self.weight: Any = fixed_point.Int8WeightPerTensorFixedPoint
            self.channel_weight: Any = fixed_point.Int8WeightPerChannelFixedPoint
        else:
            self.act = quant.Int8ActPerTensorFloat
            self.unsigned = quant.Uint8ActPerTensorFloat
            self.weight = quant.Int8WeightPerTensorFloat
            self.channel_weight = quant.Int8WeightPerChannelFloat
        self.biases: dict[str, Any] = {"int32": quant.Int32Bias, "float": None, "none": None}

    def weights(self, per_channel: bool) -> Any:  # noqa: ANN401 - Brevitas has no types
        return self.channel_weight if per_channel else self.weight


def _common(spec: NetworkSpec, quantisers: Quantisers) -> dict[str, Any]:
    """The options that all recurrent layers have."""
    return {
        "num_layers": spec.layers,
        "bias": spec.bias != "none",
        "batch_first": spec.batch_first,
        "bidirectional": spec.bidirectional,
        "weight_quant": quantisers.weights(spec.per_channel),
        "bias_quant": quantisers.biases[spec.bias],
        "io_quant": quantisers.act,
        "gate_acc_quant": quantisers.act,
        "shared_input_hidden_weights": spec.shared_input_hidden_weights,
        "weight_bit_width": spec.weight_bits,
        "io_bit_width": spec.io_bits,
    }


def _lstm(spec: NetworkSpec, quantisers: Quantisers) -> nn.Module:
    import brevitas.nn as qnn

    lstm: nn.Module = qnn.QuantLSTM(
        spec.inputs,
        spec.hidden,
        sigmoid_quant=quantisers.unsigned,
        tanh_quant=quantisers.act,
        cell_state_quant=quantisers.act,
        coupled_input_forget_gates=spec.cifg,
        cat_output_cell_states=spec.shared_cell_state_quant,
        shared_intra_layer_weight_quant=spec.shared_intra_layer_weight_quant,
        shared_intra_layer_gate_acc_quant=spec.shared_intra_layer_gate_acc_quant,
        shared_cell_state_quant=spec.shared_cell_state_quant,
        gate_acc_bit_width=spec.acc_bits[0],
        sigmoid_bit_width=spec.sigmoid_bits[0],
        tanh_bit_width=spec.tanh_bits[0],
        cell_state_bit_width=spec.cell_bits,
        **_common(spec, quantisers),
    )
    for directions in lstm.layers:  # type: ignore[union-attr]
        for layer in directions:
            _set_gate_widths(spec, quantisers, layer.cell)
    return lstm


def _rnn(spec: NetworkSpec, quantisers: Quantisers) -> nn.Module:
    import brevitas.nn as qnn

    layer: nn.Module = qnn.QuantRNN(
        spec.inputs,
        spec.hidden,
        nonlinearity=spec.nonlinearity,
        gate_acc_quant_bit_width=spec.acc_bits[0],  # the prefix is Brevitas' own
        **_common(spec, quantisers),
    )
    return layer


def _gru(spec: NetworkSpec, quantisers: Quantisers) -> nn.Module:
    import brevitas.nn as qnn

    import hwrnn.nn

    gru = hwrnn.nn.QuantGRU(
        spec.inputs,
        spec.hidden,
        sigmoid_quant=quantisers.unsigned,
        tanh_quant=quantisers.act,
        hidden_state_quant=quantisers.act,
        reset_after=spec.reset_after,
        shared_intra_layer_weight_quant=spec.shared_intra_layer_weight_quant,
        shared_intra_layer_gate_acc_quant=spec.shared_intra_layer_gate_acc_quant,
        gate_acc_bit_width=spec.acc_bits[0],
        sigmoid_bit_width=spec.sigmoid_bits[0],
        tanh_bit_width=spec.tanh_bits[0],
        hidden_state_bit_width=spec.cell_bits,
        **_common(spec, quantisers),
    )
    for directions in gru.layers:
        for layer in directions:
            if not spec.shared_intra_layer_gate_acc_quant:
                for gate, bits in zip(("update", "new"), spec.acc_bits[1:], strict=False):
                    acc = qnn.QuantIdentity(quantisers.act, bit_width=bits)
                    setattr(layer.cell, f"{gate}_acc_quant", acc.act_quant)
            sigmoid = qnn.QuantSigmoid(quantisers.unsigned, bit_width=spec.sigmoid_bits[1])
            layer.cell.update_sigmoid_quant = sigmoid.act_quant
    return gru


LAYERS: dict[str, Callable[[NetworkSpec, Quantisers], nn.Module]] = {
    "lstm": _lstm,
    "rnn": _rnn,
    "gru": _gru,
}


def _set_gate_widths(spec: NetworkSpec, quantisers: Quantisers, cell: Any) -> None:  # noqa: ANN401
    """QuantLSTM has one width for all gates; the space has one per gate."""
    import brevitas.nn as qnn

    accs = dict(zip(("input", "forget", "cell", "output"), spec.acc_bits, strict=True))
    sigmoids = dict(zip(("input", "forget", "output"), spec.sigmoid_bits, strict=True))
    skipped = {"input", "forget"} if spec.cifg else {"input"}
    if not spec.shared_intra_layer_gate_acc_quant:
        for gate in accs.keys() - skipped:
            acc = qnn.QuantIdentity(quantisers.act, bit_width=accs[gate])
            setattr(cell, f"{gate}_acc_quant", acc.act_quant)
    for gate in sigmoids.keys() - skipped:
        sigmoid = qnn.QuantSigmoid(quantisers.unsigned, bit_width=sigmoids[gate])
        setattr(cell, f"{gate}_sigmoid_quant", sigmoid.act_quant)
    tanh = qnn.QuantTanh(quantisers.act, bit_width=spec.tanh_bits[1])
    cell.hidden_state_tanh_quant = tanh.act_quant
