# SPDX-License-Identifier: Apache-2.0
"""Float torch modules, quantised after training. Imports torch and Brevitas.

Each layer with a quantised form takes it, under its own name in a copy of the module; `forward`
stays the user's. Scales come from what the float layers hold on calibration data, inside of the
recurrent ones, too (`ptq_ranges`): so nothing is clipped that the observer would keep.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
from hwrnn.nn.ptq_ranges import cap_of, ranges_of

RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)
DENSE = (nn.Linear, nn.Conv1d)
LAYERS = (*RECURRENT, *DENSE, nn.Embedding)
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
    batches = list(inputs_of(calibration_data))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        plain = copy.deepcopy(module).to("cpu", torch.float32).eval()
        calls = recorded(plain, batches)
        made = copy.deepcopy(plain)
        replaced = replace_layers(made, plain, calls, recipe)
        finish_inputs(made, replaced, batches)
    return made.eval()


# -- what comes in -------------------------------------------------------------------------------


def check(module: nn.Module) -> None:
    """Refuse what has no quantised form, by name."""
    if not isinstance(module, nn.Module):
        fact = f"this is {type(module).__name__}, not a torch.nn.Module"
        raise ExportFault("module", fact, "pass the module itself")
    found = False
    for name, layer in module.named_modules():
        place = f'module "{shorten(name, 60)}"' if name else "module"
        if type(layer) in LAYERS:
            found = True
            check_layer(place, layer)
        elif inside_of_layer(module, name):
            continue
        elif own_parameters(layer):
            kind = f"{type(layer).__module__}.{type(layer).__name__}".replace(".modules.", ".")
            raise ExportFault(
                place,
                f"{kind} has parameters ({', '.join(own_parameters(layer))}), but no quantised "
                "form here",
                HINTS.get(type(layer).__name__, DEFAULT_HINT),
            )
    if not found:
        known = ", ".join(kind.__name__ for kind in LAYERS)
        raise ExportFault("module", "there is no layer in it to quantise", f"known: {known}")


DEFAULT_HINT = "quantise it by hand with Brevitas, or leave it out"
HINTS = {
    "BatchNorm1d": "fold it into the layer before it",
    "LSTMCell": "use torch.nn.LSTM, which runs the whole sequence",
    "GRUCell": "use torch.nn.GRU, which runs the whole sequence",
    "RNNCell": "use torch.nn.RNN, which runs the whole sequence",
    "LayerNorm": "it has no exact integer form; train without it",
}


def check_layer(place: str, layer: nn.Module) -> None:
    """Options of a known layer that its quantised form has not."""
    if getattr(layer, "proj_size", 0):
        raise ExportFault(place, "has a projection (proj_size)", "put a Linear behind the layer")
    if isinstance(layer, RECURRENT) and layer.dropout:
        # Only while training; Brevitas' layers have none.
        warnings.warn(f"{place}: its dropout between layers is left out", stacklevel=3)
    if isinstance(layer, nn.Conv1d) and layer.padding_mode != "zeros":
        raise ExportFault(place, f"pads with {layer.padding_mode!r}", "pad with zeros")


def own_parameters(layer: nn.Module) -> list[str]:
    """Parameters of a module itself, not of its parts."""
    return [name for name, _ in layer.named_parameters(recurse=False)]


def inside_of_layer(module: nn.Module, name: str) -> bool:
    """Whether a part belongs to a layer of Brevitas or hwrnn, which stays as it is."""
    path = name.split(".")
    for k in range(len(path) + 1):
        part = module.get_submodule(".".join(path[:k]))
        if type(part).__module__.split(".")[0] == "brevitas" or isinstance(part, QuantGRU):
            return True
    return False


def inputs_of(data: object) -> Iterator[Tensor]:
    """The batches of calibration data."""
    if isinstance(data, (Tensor, np.ndarray)):
        yield as_tensor(data)
        return
    if not isinstance(data, Iterable):
        fact = f"is a {type(data).__name__}"
        raise ExportFault("calibration_data", fact, "give a tensor, an array or an iterable")
    count = 0
    for entry in data:
        count += 1
        first = entry[0] if isinstance(entry, (tuple, list)) else entry
        yield as_tensor(first)
    if not count:
        raise ExportFault("calibration_data", "is empty", "give at least one batch")


def as_tensor(entry: Any) -> Tensor:  # noqa: ANN401 - a tensor, an array, or nested lists
    """Real numbers in float32; indices of an embedding stay integers."""
    found = torch.as_tensor(entry)
    return found.to("cpu", torch.float32) if found.is_floating_point() else found.to("cpu")


@dataclass
class Call:
    """One call of a layer: what it was given, and its answer."""

    inputs: tuple[Any, ...]
    output: Any


def recorded(module: nn.Module, batches: list[Tensor]) -> dict[str, list[Call]]:
    """Every call of every layer, by the layer's first name."""
    calls: dict[str, list[Call]] = {}
    hooks = []
    for name, layer in module.named_modules():
        if type(layer) in LAYERS:

            def note(_: nn.Module, given: Any, kwargs: Any, out: Any, name: str = name) -> None:  # noqa: ANN401
                more = [kwargs[k] for k in ("input", "hx") if k in kwargs]
                calls.setdefault(name, []).append(Call((*given, *more), out))

            hooks.append(layer.register_forward_hook(note, with_kwargs=True))
    try:
        for batch in batches:
            run(module, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def run(module: nn.Module, batch: Tensor) -> Any:  # noqa: ANN401
    """The module's answer, or its failure in words."""
    try:
        return module(batch)
    except Exception as fault:
        what = f"{type(fault).__name__}: {shorten(str(fault), 160)}"
        shape = tuple(batch.shape)
        raise ExportFault(
            "calibration_data",
            f"the module fails on an input of shape {shape}: {what}",
            "call module(batch) yourself until it works",
        ) from fault


# -- what comes out ------------------------------------------------------------------------------


@dataclass
class Replaced:
    """The layers that took their quantised form, and the scales of what they make."""

    dense: dict[str, nn.Module] = field(default_factory=dict)
    recurrent: dict[str, nn.Module] = field(default_factory=dict)


def replace_layers(
    made: nn.Module, plain: nn.Module, calls: Mapping[str, list[Call]], recipe: Recipe
) -> Replaced:
    """Put quantised layers into `made`, under the names of those of `plain`."""
    done = Replaced()
    forms: dict[int, nn.Module] = {}
    for name, layer in plain.named_modules(remove_duplicate=False):
        if type(layer) not in LAYERS:
            continue
        if id(layer) not in forms:
            if name not in calls:
                raise ExportFault(
                    f'module "{shorten(name, 60)}"',
                    "is never called on the calibration data",
                    "leave it out, or calibrate with data that reach it",
                )
            forms[id(layer)] = quantised(layer, calls[name], recipe)
            kind = done.recurrent if isinstance(layer, RECURRENT) else done.dense
            kind[name] = forms[id(layer)]
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


ACTS = ("io", "gate_acc", "sigmoid", "tanh", "cell_state", "hidden_state")


def quantised_recurrent(layer: Any, calls: list[Call], recipe: Recipe) -> nn.Module:  # noqa: ANN401
    """QuantLSTM, QuantGRU or QuantRNN with the scales of what the float layer holds."""
    options: dict[str, Any] = {
        "num_layers": layer.num_layers,
        "bias": layer.bias,
        "batch_first": layer.batch_first,
        "bidirectional": layer.bidirectional,
        "weight_quant": weight_quant(recipe),
        "weight_bit_width": recipe.weight_bits,
        "bias_quant": Int32Bias,
    }
    names = {nn.LSTM: ACTS[:5], nn.GRU: (*ACTS[:4], ACTS[5]), nn.RNN: ACTS[:2]}[type(layer)]
    for name in names:
        options[f"{name}_quant"] = act_quant(recipe, signed=name != "sigmoid")
    form: Callable[..., Any] = {nn.LSTM: qnn.QuantLSTM, nn.GRU: QuantGRU, nn.RNN: qnn.QuantRNN}[
        type(layer)
    ]
    if isinstance(layer, nn.RNN):
        options["nonlinearity"] = layer.nonlinearity
    made: nn.Module = form(layer.input_size, layer.hidden_size, **options)
    take_over(made, layer, recipe)
    seen = ranges_of(layer, [call.inputs for call in calls], made)
    for proxy, values in seen.values():
        set_scale(proxy.proxy, values, recipe, cap_of(proxy.name, recipe.act_bits))
    return made


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


def finish_inputs(made: nn.Module, replaced: Replaced, batches: list[Tensor]) -> None:
    """Inputs that are on the grid of a recurrent layer already keep that grid: no second rounding.

    The layers run in the order of the module's own forward, so that what reaches a layer is final.
    """
    outputs = [output_quant(layer) for layer in replaced.recurrent.values()]
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
