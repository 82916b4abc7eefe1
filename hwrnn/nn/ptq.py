# SPDX-License-Identifier: Apache-2.0
"""Float torch modules, quantised after training. Imports torch and Brevitas.

Each layer with a quantised form takes it, under its own name in a copy of the module; `forward`
stays the user's. Scales come from what the float layers hold on calibration data, inside of the
recurrent ones, too (`ptq_ranges`): so nothing is clipped that the observer would keep.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8ActPerTensorFloat,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerTensorFloat,
    Int32Bias,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
)
from torch import Tensor, nn

from hwrnn.errors import ExportFault, shorten
from hwrnn.ir import IntType
from hwrnn.ir.types import of_bits
from hwrnn.nn.gru import QuantGRU
from hwrnn.nn.observers import Floats, Recipe
from hwrnn.nn.ptq_check import FUNCTIONS, LAYERS, RECURRENT, check
from hwrnn.nn.ptq_data import Batch, Call, batches_of, recorded, run
from hwrnn.nn.ptq_ranges import cap_of, ranges_of
from hwrnn.nn.states import QuantLSTM, QuantRNN

ON_GRID = 1e-4  # of a step: how far float32 may be from a grid's number


def quantize(
    module: nn.Module,
    calibration_data: object,
    *,
    weight_bits: int = 8,
    act_bits: int = 8,
    scales: str = "pot",
    observer: str = "max",
) -> nn.Module:
    """See `hwrnn.quantize`."""
    recipe = Recipe(weight_bits=weight_bits, act_bits=act_bits, scales=scales, observer=observer)
    check(module)
    batches = list(batches_of(module, calibration_data))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        plain = copy.deepcopy(module).to("cpu", torch.float32).eval()
        calls = recorded(plain, batches)
        made = copy.deepcopy(plain)
        replaced = replace_layers(made, plain, calls, recipe)
        finish_inputs(made, replaced, batches)
    return made.eval()


@dataclass
class Replaced:
    """The layers that took their quantised form, and the scales of what they make."""

    dense: dict[str, nn.Module] = field(default_factory=dict)
    recurrent: dict[str, nn.Module] = field(default_factory=dict)
    functions: dict[str, nn.Module] = field(default_factory=dict)

    def of(self, layer: nn.Module) -> dict[str, nn.Module]:
        """Those of the kind of a layer."""
        if isinstance(layer, RECURRENT):
            return self.recurrent
        return self.functions if type(layer) in FUNCTIONS else self.dense


def replace_layers(
    made: nn.Module, plain: nn.Module, calls: Mapping[str, list[Call]], recipe: Recipe
) -> Replaced:
    """Put quantised layers into `made`, under the names of those of `plain`."""
    done = Replaced()
    forms: dict[int, nn.Module] = {}
    for name, layer in plain.named_modules(remove_duplicate=False):
        if type(layer) not in LAYERS and (type(layer) not in FUNCTIONS or name not in calls):
            continue
        if id(layer) not in forms:
            if name not in calls:
                raise ExportFault(
                    f'module "{shorten(name, 60)}"',
                    "is never called on the calibration data",
                    "leave it out, or calibrate with data that reach it",
                )
            forms[id(layer)] = quantised(layer, calls[name], recipe)
            done.of(layer)[name] = forms[id(layer)]
        put(made, name, forms[id(layer)])
    return done


def put(module: nn.Module, name: str, layer: nn.Module) -> None:
    """Set a submodule by its dotted name."""
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, layer)


def quantised(layer: nn.Module, calls: list[Call], recipe: Recipe) -> nn.Module:
    """The quantised form of one layer."""
    if isinstance(layer, RECURRENT):
        return quantised_recurrent(layer, calls, recipe)
    if isinstance(layer, nn.Embedding):
        return quantised_embedding(layer, recipe)
    if type(layer) in FUNCTIONS:
        return quantised_function(layer, calls, recipe)
    return quantised_dense(layer, calls, recipe)


class LearnedFixedPoint(Int8WeightPerTensorFixedPoint):  # type: ignore[misc]
    """A power of two that is a parameter, not the largest weight's."""

    scaling_impl_type = ScalingImplType.PARAMETER
    scaling_init = 1.0


class LearnedFloat(Int8WeightPerTensorFloat):  # type: ignore[misc]
    """A scale that is a parameter, not the largest weight's."""

    scaling_impl_type = ScalingImplType.PARAMETER
    scaling_init = 1.0


def weight_quant(recipe: Recipe) -> type:
    """The weights' quantiser: its scale follows the largest weight, or is set once by `fit`."""
    known = {
        ("pot", True): Int8WeightPerTensorFixedPoint,
        ("pot", False): LearnedFixedPoint,
        ("float", True): Int8WeightPerTensorFloat,
        ("float", False): LearnedFloat,
    }
    found: type = known[recipe.scales, recipe.observer == "max"]
    return found


def fit_weights(made: nn.Module, recipe: Recipe) -> None:
    """Set the scales of weights that do not follow the largest one."""
    if recipe.observer == "max":
        return
    groups: dict[int, tuple[Any, list[Tensor]]] = {}
    for part in made.modules():
        proxy, weight = getattr(part, "weight_quant", None), getattr(part, "weight", None)
        if proxy is not None and isinstance(weight, Tensor):
            groups.setdefault(id(proxy), (proxy, []))[1].append(weight)
    for proxy, weights in groups.values():
        values = flat(weights)
        t = range_of(proxy)
        scale = recipe.scale_of(recipe.largest(values, t), t)
        set_parameter(proxy.tensor_quant.scaling_impl, proxy, scale)


def act_quant(recipe: Recipe, *, signed: bool) -> type:
    """The activations' quantiser; a class of its own, for QuantRNN ignores gate_acc_bit_width."""
    known = {
        ("pot", True): Int8ActPerTensorFixedPoint,
        ("pot", False): Uint8ActPerTensorFixedPoint,
        ("float", True): Int8ActPerTensorFloat,
        ("float", False): Uint8ActPerTensorFloat,
    }
    base = known[recipe.scales, signed]
    return type(base.__name__, (base,), {"bit_width": recipe.act_bits})


def quantised_dense(layer: nn.Module, calls: list[Call], recipe: Recipe) -> nn.Module:
    """QuantLinear or QuantConv1d with a quantiser of its input."""
    seen = flat([call.inputs[0] for call in calls])
    signed = bool((seen < 0).any())
    options: dict[str, Any] = {
        "bias": layer.bias is not None,
        "weight_quant": weight_quant(recipe),
        "weight_bit_width": recipe.weight_bits,
        "input_quant": act_quant(recipe, signed=signed),
    }
    made: nn.Module
    if isinstance(layer, nn.Conv1d):
        names = ("stride", "padding", "dilation", "groups")
        more = {name: first_of(getattr(layer, name)) for name in names}
        size = first_of(layer.kernel_size)
        made = qnn.QuantConv1d(layer.in_channels, layer.out_channels, size, **more, **options)
    else:
        assert isinstance(layer, nn.Linear)
        made = qnn.QuantLinear(layer.in_features, layer.out_features, **options)
    take_over(made, layer, recipe)
    set_scale(made.input_quant, seen, recipe)
    return made


def first_of(value: Any) -> Any:  # noqa: ANN401
    """The number in a tuple of one."""
    return value[0] if isinstance(value, tuple) else value


def quantised_embedding(layer: nn.Embedding, recipe: Recipe) -> nn.Module:
    """QuantEmbedding; its table holds activations, so it has their bits."""
    made: nn.Module = qnn.QuantEmbedding(
        layer.num_embeddings,
        layer.embedding_dim,
        padding_idx=layer.padding_idx,
        weight_quant=weight_quant(recipe),
        weight_bit_width=recipe.act_bits,
    )
    take_over(made, layer, recipe)
    return made


def quantised_function(layer: nn.Module, calls: list[Call], recipe: Recipe) -> nn.Module:
    """The function between two quantisers, which make a table of it."""
    before, after = flat([c.inputs[0] for c in calls]), flat([c.output for c in calls])
    cap = SATURATING[type(layer)](recipe.act_bits) if type(layer) in SATURATING else math.inf
    parts = {
        "before": identity(before, recipe, cap),
        "function": copy.deepcopy(layer),
        "after": identity(after, recipe),
    }
    return nn.Sequential(OrderedDict(parts))


SATURATING: dict[type, Callable[[int], float]] = {
    nn.Sigmoid: partial(cap_of, "input_acc"),
    nn.Tanh: partial(cap_of, "cell_acc"),
}


def identity(values: Floats, recipe: Recipe, cap: float = math.inf) -> nn.Module:
    """A quantiser by itself."""
    quant = act_quant(recipe, signed=bool((values < 0).any()))
    made: nn.Module = qnn.QuantIdentity(quant)
    set_scale(made.act_quant, values, recipe, cap)
    return made


ACTS = ("io", "gate_acc", "sigmoid", "tanh", "cell_state", "hidden_state")


def quantised_recurrent(layer: Any, calls: list[Call], recipe: Recipe) -> nn.Module:  # noqa: ANN401
    """QuantLSTM, QuantGRU or QuantRNN with the scales of what the float layer holds."""
    made = scaled(layer, calls, recipe, Int32Bias)
    return scaled(layer, calls, recipe, None) if clips_a_bias(made) else made


def scaled(layer: Any, calls: list[Call], recipe: Recipe, bias_quant: type | None) -> nn.Module:  # noqa: ANN401
    """One of them with this quantiser of its bias."""
    options: dict[str, Any] = {
        "num_layers": layer.num_layers,
        "bias": layer.bias,
        "batch_first": layer.batch_first,
        "bidirectional": layer.bidirectional,
        "weight_quant": weight_quant(recipe),
        "weight_bit_width": recipe.weight_bits,
        "bias_quant": bias_quant,
    }
    names = {nn.LSTM: ACTS[:5], nn.GRU: (*ACTS[:4], ACTS[5]), nn.RNN: ACTS[:2]}[type(layer)]
    for name in names:
        options[f"{name}_quant"] = act_quant(recipe, signed=name != "sigmoid")
    form: Callable[..., Any] = {nn.LSTM: QuantLSTM, nn.GRU: QuantGRU, nn.RNN: QuantRNN}[type(layer)]
    if isinstance(layer, nn.RNN):
        options["nonlinearity"] = layer.nonlinearity
    made: nn.Module = form(layer.input_size, layer.hidden_size, **options)
    take_over(made, layer, recipe)
    seen = ranges_of(layer, [call.inputs for call in calls], made)
    for proxy, values in seen.values():
        set_scale(proxy.proxy, values, recipe, cap_of(proxy.name, recipe.act_bits))
    return made


def clips_a_bias(made: Any) -> bool:  # noqa: ANN401
    """Whether 32 bits on the scale of x times that of the weights are too few for a bias."""
    biases = [p.abs().max() for name, p in made.named_parameters() if name.endswith(".bias")]
    weights = [
        part.weight_quant.scale() for part in made.modules() if hasattr(part, "weight_quant")
    ]
    step = float(output_quant(made).scale()) * min(float(scale) for scale in weights)
    return any(float(top) > (2**31 - 1) * step for top in biases)


def take_over(made: nn.Module, layer: nn.Module, recipe: Recipe) -> None:
    """Copy weights and biases; the parameters that are quantisers' own are not in the source."""
    state = {key: value.clone() for key, value in layer.state_dict().items()}
    made.load_state_dict(state, strict=False)
    fit_weights(made, recipe)


def flat(tensors: Iterable[Tensor]) -> Floats:
    """All numbers of some tensors."""
    return np.concatenate([t.detach().numpy().astype(np.float64).reshape(-1) for t in tensors])


def set_scale(proxy: Any, values: Floats, recipe: Recipe, cap: float = float("inf")) -> None:  # noqa: ANN401
    """Give a quantiser of activations its scale; its statistics are then at an end."""
    t = range_of(proxy)
    scale = recipe.scale_of(min(recipe.largest(values, t), cap), t)
    force_scale(proxy, scale)


def range_of(proxy: Any) -> IntType:  # noqa: ANN401
    """The integers of a quantiser."""
    return of_bits(
        int(proxy.bit_width()), signed=bool(proxy.is_signed), narrow=bool(proxy.is_narrow_range)
    )


def force_scale(proxy: Any, scale: float) -> None:  # noqa: ANN401
    """Give a quantiser of activations a scale, as a parameter, and end its statistics."""
    impl = proxy.fused_activation_quant_proxy.tensor_quant.scaling_impl
    impl.counter = int(impl.collect_stats_steps) + 1
    proxy.eval()
    set_parameter(impl, proxy, scale)


def set_parameter(impl: Any, proxy: Any, scale: float) -> None:  # noqa: ANN401
    """Set the parameter of a scale.

    That of a power of two is its logarithm, rounded up: half a step below the whole number, so
    that the first steps of training do not double the scale.
    """
    impl.value.data.fill_(1.0)
    ratio = scale / float(proxy.scale())
    power = any(type(part).__name__ == "PowerOfTwoRestrictValue" for part in impl.modules())
    value = float(np.log2(ratio)) + 0.5 if power else ratio
    impl.value.data.fill_(value)


def output_quant(layer: Any) -> Any:  # noqa: ANN401
    """The quantiser of what a recurrent layer makes; all its parts share it."""
    return layer.layers[0][0].cell.output_quant


def finish_inputs(made: nn.Module, replaced: Replaced, batches: list[Batch]) -> None:
    """Inputs that are on the grid of a recurrent layer already keep that grid: no second rounding.

    The layers run in the order of the module's own forward, so that what reaches a layer is final.
    """
    outputs = [output_quant(layer) for layer in replaced.recurrent.values()]
    functions: Iterable[Any] = replaced.functions.values()
    outputs += [part.after.act_quant for part in functions]
    grids = {float(proxy.scale()): range_of(proxy) for proxy in outputs}

    def keep(layer: Any, given: tuple[Any, ...]) -> None:  # noqa: ANN401
        values = given[0].detach().numpy().astype(np.float64)
        for scale, t in grids.items():
            q = values / scale
            near = np.abs(q - np.rint(q)).max(initial=0.0) <= ON_GRID
            mine = range_of(layer.input_quant)
            fits = mine.lo <= max(q.min(initial=0), t.lo) and q.max(initial=0) <= mine.hi
            if near and fits:
                force_scale(layer.input_quant, scale)
                return

    takers = [layer for layer in replaced.dense.values() if hasattr(layer, "input_quant")]
    hooks = [layer.register_forward_pre_hook(keep) for layer in takers]
    try:
        made.eval()
        for batch in batches[:1]:
            run(made, batch)
    finally:
        for hook in hooks:
            hook.remove()
