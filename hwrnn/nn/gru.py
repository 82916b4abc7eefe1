# SPDX-License-Identifier: Apache-2.0
"""QuantGRU: the layer that Brevitas lacks, with the look and the options of its QuantLSTM.

docs/quantisation_points.md draws where it rounds, and says why there. Imports torch and Brevitas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from brevitas.nn import QuantIdentity, QuantSigmoid, QuantTanh
from brevitas.nn.mixin import QuantBiasMixin
from brevitas.nn.mixin.base import QuantRecurrentLayerMixin
from brevitas.nn.quant_rnn import GateParams, QuantRecurrentStackBase
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerTensorFloat,
    Int32Bias,
    Uint8ActPerTensorFloat,
)
from brevitas.quant_tensor import QuantTensor, _unpack_quant_tensor
from torch import Tensor, nn
from torch.nn import functional

from hwrnn.nn.gate_orders import TORCH_GRU
from hwrnn.nn.ranges import Ranges, collecting, standing_still

Quantised = tuple[Tensor, Any, Any, Any]
"""A value; the scale, zero point and bit width of its quantiser, or None without one."""

GATES = TORCH_GRU  # the order of QuantGRUCell, too
TORCH_NAME = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)_l(\d+)(_reverse)?")


class Int16ActPerTensorFloat(Int8ActPerTensorFloat):  # type: ignore[misc]
    """16 bits, otherwise as Int8ActPerTensorFloat."""

    bit_width = 16


class HiddenBias(QuantBiasMixin, nn.Module):  # type: ignore[misc]
    """The bias inside of the reset gate's product: the second one of the candidate."""

    bias_quant: Callable[..., Any]  # of the mixin

    def __init__(
        self,
        size: int,
        bias_quant: Any,  # noqa: ANN401 - Brevitas has no types
        dtype: torch.dtype | None,
        device: torch.device | None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        nn.Module.__init__(self)
        self.bias = nn.Parameter(torch.zeros(size, dtype=dtype, device=device))
        QuantBiasMixin.__init__(self, bias_quant, **kwargs)


class QuantGRUCell(nn.Module):
    """The quantisers of one layer and direction, and its step."""

    def __init__(
        self,
        quantisers: Mapping[str, Any],
        *,
        reverse_input: bool,
        batch_first: bool,
        reset_after: bool,
    ) -> None:
        super().__init__()
        for name, quantiser in quantisers.items():
            setattr(self, f"{name}_quant", quantiser)
        self.reverse_input = reverse_input
        self.batch_first = batch_first
        self.reset_after = reset_after
        self.ranges: Ranges | None = None

    @property
    def proxies(self) -> list[Any]:
        """All quantisers."""
        return [part for name, part in self.named_children() if name.endswith("_quant")]

    def quantised(self, name: str, x: Tensor) -> Quantised:
        """A value behind one of the cell's quantisers."""
        proxy = getattr(self, f"{name}_quant")
        if self.ranges is not None:
            return self.ranges(proxy, x), None, None, None
        out = proxy(x)
        if isinstance(out, QuantTensor):
            return out.value, out.scale, out.zero_point, out.bit_width
        return out, None, None, None

    def gate(self, gate: str, acc: Tensor, function: str = "sigmoid") -> Quantised:
        """The activation of an accumulator; both are quantised."""
        return self.quantised(f"{gate}_{function}", self.quantised(f"{gate}_acc", acc)[0])

    def step(
        self, x: Tensor, h: Tensor, w_x: list[Tensor], w_h: list[Tensor], b: list[Tensor]
    ) -> Quantised:
        """The next state; x (B, I), h (B, H), weights of r, z, n, biases of r, z, n, and h's."""
        linear = functional.linear
        r = self.gate("reset", linear(x, w_x[0]) + linear(h, w_h[0]) + b[0])[0]
        z, scale = self.gate("update", linear(x, w_x[1]) + linear(h, w_h[1]) + b[1])[:2]
        if self.reset_after:
            x_acc = self.quantised("new_acc", linear(x, w_x[2]) + b[2])[0]
            h_acc = self.quantised("new_hidden_acc", linear(h, w_h[2]) + b[3])[0]
            acc = x_acc + self.quantised("new_acc", r * h_acc)[0]
        else:
            reset = self.quantised("output", r * h)[0]
            acc = linear(x, w_x[2]) + linear(reset, w_h[2]) + b[2]
        n = self.gate("new", acc, "tanh")[0]
        kept = self.quantised("hidden_state", z * h)[0]
        added = self.quantised("hidden_state", (one_like(scale) - z) * n)[0]
        return self.quantised("output", kept + added)

    def forward(
        self, x: Tensor, h: Tensor, w_x: list[Tensor], w_h: list[Tensor], b: list[Tensor]
    ) -> list[Quantised]:
        """The state after each step, in the order in which the steps are taken."""
        steps = x.unbind(1 if self.batch_first else 0)
        outputs: list[Quantised] = []
        for x_t in reversed(steps) if self.reverse_input else steps:
            outputs.append(self.step(x_t, h, w_x, w_h, b))
            h = outputs[-1][0]
        return outputs


def one_like(scale: Tensor | None) -> Tensor | float:
    """1 on the grid of a quantiser: a whole multiple of its scale, never clamped.

    The quantiser's own largest value may be far below 1: then its 1 would not be one.
    """
    return 1.0 if scale is None else (torch.round(1 / scale) * scale).detach()


class QuantGRULayer(QuantRecurrentLayerMixin, nn.Module):  # type: ignore[misc]
    """One layer and direction of a QuantGRU."""

    # Brevitas' mixin, without its types:
    cell: QuantGRUCell
    io_quant: Any
    hidden_size: int
    export_mode: bool
    export_handler: Callable[..., Any] | None
    gate_params_fwd: Callable[..., Any]
    maybe_quantize_input: Callable[..., Any]
    maybe_quantize_state: Callable[..., Any]
    pack_quant_outputs: Callable[..., Any]
    pack_quant_state: Callable[..., Any]
    new_hidden: HiddenBias | None
    quantize_output_only: bool
    reverse_input: bool

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        bias: bool,
        batch_first: bool,
        weight_quant: Any,  # noqa: ANN401
        bias_quant: Any,  # noqa: ANN401
        io_quant: Any,  # noqa: ANN401
        reverse_input: bool,
        quantize_output_only: bool,
        reset_after: bool,
        shared_input_hidden_weights: bool,
        shared_intra_layer_weight_quant: bool,
        dtype: torch.dtype | None,
        device: torch.device | None,
        return_quant_tensor: bool,
        input_weights: Mapping[str, Any] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        nn.Module.__init__(self)
        quantisers = cell_quantisers(io_quant, reset_after, kwargs)
        cell = QuantGRUCell(
            quantisers,
            reverse_input=reverse_input,
            batch_first=batch_first,
            reset_after=reset_after,
        )
        QuantRecurrentLayerMixin.__init__(
            self,
            cell=cell,
            io_quant=quantisers["output"],
            input_size=input_size,
            hidden_size=hidden_size,
            reverse_input=reverse_input,
            quantize_output_only=quantize_output_only,
            shared_input_hidden_weights=shared_input_hidden_weights,
            return_quant_tensor=return_quant_tensor,
        )
        place: dict[str, Any] = {"dtype": dtype, "device": device}
        for gate in GATES:
            given = (input_weights or {}).get(gate)
            gate_params = GateParams(
                input_size, hidden_size, bias, weight_quant, bias_quant, given, **place, **kwargs
            )
            setattr(self, f"{gate}_gate_params", gate_params)
            if shared_intra_layer_weight_quant:
                weight_quant = gate_params.input_weight.weight_quant
        self.new_hidden = (
            HiddenBias(hidden_size, bias_quant, **place, **kwargs) if bias and reset_after else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As torch.nn.GRU: uniform within 1 / sqrt(hidden_size)."""
        limit = 1 / self.hidden_size**0.5
        for name, parameter in self.named_parameters():
            if re.fullmatch(r"(\w+_gate_params|new_hidden)(\.\w+_weight)?\.(weight|bias)", name):
                nn.init.uniform_(parameter, -limit, limit)

    @property
    def weights_to_share(self) -> dict[str, Any]:
        """What the other direction takes over, if it shares weights."""
        if not self.shared_input_hidden_weights:
            return {}
        return {"input_weights": {g: self.gate_params(g).input_weight for g in GATES}}

    @property
    def quantizers_to_share(self) -> dict[str, Any]:
        """What all other layers and directions take over."""
        return {"io_quant": self.io_quant}

    @property
    def fast_cell(self) -> QuantGRUCell:
        """There is no other form of the cell."""
        return self.cell

    def gate_params(self, gate: str) -> GateParams:
        """Weights and bias of a gate."""
        return getattr(self, f"{gate}_gate_params")

    def forward(self, inp: Any, state: Any = None) -> tuple[Any, Any]:  # noqa: ANN401
        """The sequence, and the state after the last step, (1, B, H)."""
        x = self.maybe_quantize_input(inp)
        value = _unpack_quant_tensor(x)
        parts = [self.gate_params_fwd(self.gate_params(gate), x) for gate in GATES]
        biases = [part[2] for part in parts]
        hidden = self.new_hidden
        biases.append(None if hidden is None else hidden.bias_quant(hidden.bias, x, parts[2][0]))
        w_x, w_h = ([_unpack_quant_tensor(part[k]) for part in parts] for k in (0, 1))
        zero = torch.tensor(0.0, device=value.device, dtype=value.dtype)
        b = [zero if bias is None else _unpack_quant_tensor(bias) for bias in biases]
        h = _unpack_quant_tensor(self.maybe_quantize_state(value, state, self.cell.output_quant))
        if self.export_mode:
            if self.export_handler is None:
                raise RuntimeError("QuantGRU: only hwrnn.export(module, example, path) exports it")
            outputs, last = self.export_handler(value, h, *w_x, *w_h, *b)
        else:
            outputs = self.cell(value, h, w_x, w_h, b)
            last = outputs[-1]
        packed = self.pack_quant_outputs(outputs)
        return packed, self.pack_quant_state(last, self.cell.output_quant)

    def note_ranges(self, inp: Any, state: Any, ranges: Ranges) -> Tensor:  # noqa: ANN401
        """The sequence that the layer makes without quantisers, which are told what they see."""
        x = _unpack_quant_tensor(inp)
        if not self.quantize_output_only:
            ranges(self.io_quant, x)
        size = (x.shape[1 - self.cell.batch_first], self.hidden_size)
        h = (
            x.new_zeros(size)
            if state is None
            else ranges(self.io_quant, _unpack_quant_tensor(state))
        )
        gates = [self.gate_params(gate) for gate in GATES]
        b = [x.new_zeros(()) if gate.bias is None else gate.bias for gate in gates]
        b.append(x.new_zeros(()) if self.new_hidden is None else self.new_hidden.bias)
        w_x, w_h = ([getattr(g, f"{s}_weight").weight for g in gates] for s in ("input", "hidden"))
        self.cell.ranges = ranges
        try:
            outputs = [out[0] for out in self.cell(x, h, w_x, w_h, b)]
        finally:
            self.cell.ranges = None
        ordered = outputs[::-1] if self.reverse_input else outputs
        return torch.stack(ordered, 1 if self.cell.batch_first else 0)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        *more: Any,  # noqa: ANN401
    ) -> None:
        """Also takes the parameters of torch.nn.GRU: gates r, z, n, two biases."""
        found = {k: state_dict.pop(f"{prefix}{k}", None) for k in TORCH_PARAMETERS}
        for kind, side in (("weight_ih", "input"), ("weight_hh", "hidden")):
            for gate, value in zip(GATES, split(found[kind]), strict=False):
                state_dict[f"{prefix}{gate}_gate_params.{side}_weight.weight"] = value
        b_x, b_h = split(found["bias_ih"]), split(found["bias_hh"])
        if b_x and b_h:
            inside = self.cell.reset_after
            biases = [b_x[0] + b_h[0], b_x[1] + b_h[1], b_x[2] if inside else b_x[2] + b_h[2]]
            for gate, value in zip(GATES, biases, strict=True):
                state_dict[f"{prefix}{gate}_gate_params.bias"] = value
            if inside:
                state_dict[f"{prefix}new_hidden.bias"] = b_h[2]
        super()._load_from_state_dict(state_dict, prefix, *more)


TORCH_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def split(stacked: Tensor | None) -> list[Tensor]:
    """The parts of r, z and n; none of nothing."""
    return [] if stacked is None else [part.clone() for part in stacked.chunk(3)]


def cell_quantisers(io_quant: Any, reset_after: bool, kwargs: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    """The quantisers of a cell by name; takes those options that only they need out of kwargs."""
    acc, sigmoid, tanh, hidden = (
        kwargs.pop(f"{name}_quant") for name in ("gate_acc", "sigmoid", "tanh", "hidden_state")
    )
    shared = kwargs.pop("shared_intra_layer_gate_acc_quant")

    def new_acc() -> Any:  # noqa: ANN401
        return QuantIdentity(acc, act_kwargs_prefix="gate_acc_", **kwargs).act_quant

    def new_sigmoid() -> Any:  # noqa: ANN401
        return QuantSigmoid(sigmoid, act_kwargs_prefix="sigmoid_", **kwargs).act_quant

    accs = [new_acc()]
    accs += [accs[0] if shared else new_acc() for _ in range(2 + reset_after)]
    return {
        "output": QuantIdentity(io_quant, act_kwargs_prefix="io_", **kwargs).act_quant,
        "hidden_state": QuantIdentity(
            hidden, act_kwargs_prefix="hidden_state_", **kwargs
        ).act_quant,
        "reset_acc": accs[0],
        "update_acc": accs[1],
        "new_acc": accs[2],
        "new_hidden_acc": accs[-1],  # without reset_after nothing uses it, but the file wants one
        "reset_sigmoid": new_sigmoid(),
        "update_sigmoid": new_sigmoid(),
        "new_tanh": QuantTanh(tanh, act_kwargs_prefix="tanh_", **kwargs).act_quant,
    }


class QuantGRU(QuantRecurrentStackBase):  # type: ignore[misc]
    """A GRU with quantised weights, gates and state; options as of brevitas.nn.QuantLSTM.

    Takes (batch, steps, features) if `batch_first`, else (steps, batch, features), and gives the
    sequence and the last states, (layers * directions, batch, hidden_size). The initial states
    `hx` have that shape, too; zero without. `load_state_dict` takes that of a torch.nn.GRU.

    `reset_after` (in ONNX `linear_before_reset`; the default, and what torch.nn.GRU computes): the
    reset gate multiplies W_hn h + b_hn. Without it, it multiplies h, as in the first paper
    (Cho et al. 2014), and the candidate has one bias.

    Each quantiser takes further options by its prefix, as in Brevitas: `weight_bit_width`,
    `io_bit_width`, `gate_acc_bit_width`, `sigmoid_bit_width`, `tanh_bit_width` (the candidate),
    `hidden_state_bit_width` (the two products whose sum is the next state).
    """

    def __init__(  # noqa: PLR0917 - the order is that of QuantLSTM
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        weight_quant: Any = Int8WeightPerTensorFloat,  # noqa: ANN401
        bias_quant: Any = Int32Bias,  # noqa: ANN401
        io_quant: Any = Int8ActPerTensorFloat,  # noqa: ANN401
        gate_acc_quant: Any = Int8ActPerTensorFloat,  # noqa: ANN401
        sigmoid_quant: Any = Uint8ActPerTensorFloat,  # noqa: ANN401
        tanh_quant: Any = Int8ActPerTensorFloat,  # noqa: ANN401
        hidden_state_quant: Any = Int16ActPerTensorFloat,  # noqa: ANN401
        reset_after: bool | None = None,
        linear_before_reset: bool | None = None,
        shared_input_hidden_weights: bool = False,
        shared_intra_layer_weight_quant: bool = False,
        shared_intra_layer_gate_acc_quant: bool = False,
        return_quant_tensor: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        if kwargs.get("proj_size"):
            raise ValueError("QuantGRU has no projection (proj_size); put a QuantLinear behind it")
        super().__init__(
            layer_impl=QuantGRULayer,
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            bidirectional=bidirectional,
            weight_quant=weight_quant,
            bias_quant=bias_quant,
            io_quant=io_quant,
            gate_acc_quant=gate_acc_quant,
            sigmoid_quant=sigmoid_quant,
            tanh_quant=tanh_quant,
            hidden_state_quant=hidden_state_quant,
            reset_after=one_of(reset_after, linear_before_reset),
            shared_input_hidden_weights=shared_input_hidden_weights,
            shared_intra_layer_weight_quant=shared_intra_layer_weight_quant,
            shared_intra_layer_gate_acc_quant=shared_intra_layer_gate_acc_quant,
            return_quant_tensor=return_quant_tensor,
            dtype=dtype,
            device=device,
            **kwargs,
        )

    def forward(self, inp: Any, hx: Any = None) -> tuple[Any, Any]:  # noqa: ANN401
        """The sequence, and the last states of all layers and directions."""
        proxies = collecting(p for layer in self.layers for d in layer for p in d.cell.proxies)
        if proxies:
            with torch.no_grad():
                self.note_ranges(inp, hx).tell(proxies)
        with standing_still(proxies):
            return self.run(inp, hx)

    def note_ranges(self, inp: Any, hx: Any) -> Ranges:  # noqa: ANN401
        """What the quantisers of all layers see, were there none of them."""
        ranges = Ranges()
        for index, layer in enumerate(self.layers):
            firsts = self.first_states(hx, index)
            made = [d.note_ranges(inp, s, ranges) for d, s in zip(layer, firsts, strict=True)]
            inp = torch.cat(made, dim=-1)
        return ranges

    def first_states(self, hx: Any, index: int) -> list[Any]:  # noqa: ANN401
        """The initial state of each direction of a layer; None for zero."""
        count: int = self.num_directions
        return [None if hx is None else hx[count * index + k] for k in range(count)]

    def run(self, inp: Any, hx: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Layer by layer."""
        states = []
        for index, layer in enumerate(self.layers):
            outputs = []
            for direction, first in zip(layer, self.first_states(hx, index), strict=True):
                out, state = direction(inp, first)
                outputs.append(out)
                states.append(state)
            inp = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
        return inp, torch.cat(states, dim=0) if len(states) > 1 else states[0]

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        *more: Any,  # noqa: ANN401
    ) -> None:
        """Also takes the names of torch.nn.GRU: weight_ih_l0, bias_hh_l1_reverse, .."""
        for name in [n for n in state_dict if n.startswith(prefix)]:
            found = TORCH_NAME.fullmatch(name[len(prefix) :])
            if found:
                kind, layer, reverse = found.groups()
                place = f"{prefix}layers.{layer}.{int(bool(reverse))}.{kind}"
                state_dict[place] = state_dict.pop(name)
        nn.Module._load_from_state_dict(self, state_dict, prefix, *more)  # noqa: SLF001


def one_of(reset_after: bool | None, linear_before_reset: bool | None) -> bool:
    """One option with two names."""
    given = [option for option in (reset_after, linear_before_reset) if option is not None]
    if len(set(map(bool, given))) > 1:
        raise ValueError("reset_after and linear_before_reset are the same option; give one")
    return bool(given[0]) if given else True
