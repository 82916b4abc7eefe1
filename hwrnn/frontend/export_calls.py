# SPDX-License-Identifier: Apache-2.0
"""Calls of Brevitas' layers that do not mean what the caller thinks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from hwrnn.errors import ExportFault, shorten

if TYPE_CHECKING:
    from torch import nn

STACKED = 3  # axes of all layers' states: (layers * directions, batch, hidden_size)


@contextmanager
def checked_calls(module: nn.Module) -> Iterator[None]:
    """Raise ExportFault when a QuantLSTM of Brevitas is called with a pair of states.

    torch.nn.LSTM takes (h0, c0); Brevitas takes h0 and c0 one by one. Of a pair it takes the first
    for the h of the first layer, the second for the h of the next one, and starts with c = 0.
    """
    from brevitas import nn as qnn

    import hwrnn.nn as hnn

    with ExitStack() as stack:
        for name, layer in module.named_modules():
            if isinstance(layer, qnn.QuantLSTM) and not isinstance(layer, hnn.QuantLSTM):
                check = partial(check_states, name)
                hook = layer.register_forward_pre_hook(check, with_kwargs=True)
                stack.callback(hook.remove)
        yield


def check_states(name: str, layer: nn.Module, given: tuple[Any, ...], named: Any) -> None:  # noqa: ANN401
    """The hook: raises ExportFault for a pair of states."""
    del layer
    states = [*given[1:], *named.values()]
    if len(states) == 1 and isinstance(states[0], tuple | list) and is_pair(states[0]):
        place = f'module "{shorten(name, 60)}"' if name else "module"
        fact = "it is called with the pair (h0, c0), of which Brevitas takes h0 and loses c0"
        hint = "call it with h0, c0, without brackets; or use hwrnn.nn.QuantLSTM, which takes both"
        raise ExportFault(place, fact, hint)


def is_pair(states: Any) -> bool:  # noqa: ANN401 - whatever a module gives
    """True for h0 and c0 of all layers; False for what holds a state for each layer."""
    return len(states) == 2 and all(getattr(s, "ndim", 0) == STACKED for s in states)
