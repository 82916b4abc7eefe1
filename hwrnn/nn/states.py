# SPDX-License-Identifier: Apache-2.0
"""Brevitas' QuantLSTM and QuantRNN with initial states for several layers of one direction.

Brevitas takes state 2 * layer, whatever the number of directions: with two layers and one
direction that is an IndexError. Everything else is as in Brevitas.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from brevitas import nn as qnn
from torch import nn


def by_layer(stack: Any, states: Any) -> Any:  # noqa: ANN401 - Brevitas has no types
    """The states of (layers, batch, hidden) where Brevitas looks for them."""
    layers = len(stack.layers)
    if states is None or stack.num_directions != 1 or layers == 1 or len(states) != layers:
        return states
    found = [None] * (2 * layers)
    found[::2] = [states[k] for k in range(layers)]
    return found


def no_projection(layer: str, options: dict[str, Any]) -> None:
    """Brevitas takes every option, and forgets those that it does not know."""
    if options.get("proj_size"):
        raise ValueError(f"{layer} has no projection (proj_size); put a QuantLinear behind it")


class QuantLSTM(qnn.QuantLSTM):  # type: ignore[misc]
    """brevitas.nn.QuantLSTM; `hx` and `cx` are (layers * directions, batch, hidden_size)."""

    def __init__(self, *sizes: Any, **options: Any) -> None:  # noqa: ANN401
        no_projection("QuantLSTM", options)
        super().__init__(*sizes, **options)

    def forward(self, inp: Any, hx: Any = None, cx: Any = None) -> Any:  # noqa: ANN401
        """The sequence, and the last h and c of all layers and directions; `hx` may be both states,
        as torch.nn.LSTM takes them.
        """
        if isinstance(hx, tuple) and cx is None:
            hx, cx = hx
        return super().forward(inp, by_layer(self, hx), by_layer(self, cx))


class QuantRNN(qnn.QuantRNN):  # type: ignore[misc]
    """brevitas.nn.QuantRNN; `hx` is (layers * directions, batch, hidden_size)."""

    def __init__(self, *sizes: Any, **options: Any) -> None:  # noqa: ANN401
        no_projection("QuantRNN", options)
        super().__init__(*sizes, **options)

    def forward(self, inp: Any, hx: Any = None) -> Any:  # noqa: ANN401
        """The sequence, and the last h of all layers and directions."""
        return super().forward(inp, by_layer(self, hx))


def spread_forward(stack: Any, forward: Any, inp: Any, *states: Any, **named: Any) -> Any:  # noqa: ANN401
    """`forward` with states where Brevitas looks for them."""
    given = [by_layer(stack, s) for s in states]
    return forward(inp, *given, **{k: by_layer(stack, s) for k, s in named.items()})


@contextmanager
def every_state_found(module: nn.Module) -> Iterator[None]:
    """Let the layers of Brevitas in a module take their states as those of this file do."""
    changed: list[nn.Module] = []
    for part in module.modules():
        if type(part) in (qnn.QuantLSTM, qnn.QuantRNN) and "forward" not in vars(part):
            part.forward = partial(spread_forward, part, part.forward)
            changed.append(part)
    try:
        yield
    finally:
        for part in changed:
            del part.forward
