# SPDX-License-Identifier: Apache-2.0
"""Which layers of torch have a quantised form, and what is said of those that have none."""

from __future__ import annotations

import warnings

from torch import nn
from torch.nn.utils import parametrize

from hwrnn.errors import ExportFault, shorten
from hwrnn.nn.gru import QuantGRU

RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)
DENSE = (nn.Linear, nn.Conv1d)
LAYERS = (*RECURRENT, *DENSE, nn.Embedding)
FUNCTIONS = (
    nn.Tanh,
    nn.Sigmoid,
    nn.Hardsigmoid,
    nn.LeakyReLU,
    nn.ELU,
    nn.Softsign,
    nn.Softplus,
)
"""Functions that become tables: they take a quantiser in front, and one behind."""
KEPT = (nn.BatchNorm1d,)
"""Layers with parameters that are exact as they are."""


def check(module: object) -> None:
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
        elif type(layer) not in KEPT and own_parameters(layer):
            kind = f"{type(layer).__module__}.{type(layer).__name__}".replace(".modules.", ".")
            raise ExportFault(
                place,
                f"{kind} has parameters ({', '.join(own_parameters(layer))}), but no quantised "
                "form here",
                hint_for(layer),
            )
    if not found:
        known = ", ".join(kind.__name__ for kind in LAYERS)
        raise ExportFault("module", "there is no layer in it to quantise", f"known: {known}")


def hint_for(layer: nn.Module) -> str:
    """What to do about a layer that has no quantised form."""
    if parametrize.is_parametrized(layer):
        return "make it plain: torch.nn.utils.parametrize.remove_parametrizations"
    own = type(layer).__module__.split(".")[0] != "torch"
    return HINTS.get(type(layer).__name__, OWN_HINT if own else DEFAULT_HINT)


DEFAULT_HINT = "quantise it by hand with Brevitas, or leave it out"
OWN_HINT = "if it is an initial state or another constant, make it a buffer (register_buffer)"
HINTS = {
    "BatchNorm2d": "sequences are normalised by BatchNorm1d",
    "Conv2d": "sequences are convolved by Conv1d",
    "PReLU": "use LeakyReLU, whose slope is a number",
    "MultiheadAttention": "attention has no exact integer form; pool over time instead",
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
