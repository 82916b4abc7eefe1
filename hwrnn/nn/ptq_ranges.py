# SPDX-License-Identifier: Apache-2.0
"""What a float LSTM, GRU or RNN holds inside, for each quantiser of its quantised form.

Formulas and the order of the gates are those of torch.nn.LSTM, GRU and RNN. Imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwrnn.nn.gate_orders import TORCH_GRU, TORCH_LSTM
from hwrnn.nn.observers import Floats

Seen = dict[str, list[Tensor]]
MOST = 200_000  # numbers of a quantiser


@dataclass(frozen=True, slots=True)
class Named:
    """A quantiser, and what it is called in its cell."""

    name: str
    proxy: Any


def cap_of(name: str, bits: int) -> float:
    """Beyond this number the function behind an accumulator does not change any more.

    sigmoid and tanh are then less than half a step of a quantiser of that many bits from 1.
    """
    if name in ("cell_acc", "new_acc", "tanh_acc"):
        return (bits + 2) * math.log(2) / 2
    if name in ("input_acc", "forget_acc", "output_acc", "reset_acc", "update_acc"):
        return (bits + 1) * math.log(2)
    return math.inf


def ranges_of(
    layer: Any,  # noqa: ANN401 - an LSTM, GRU or RNN
    calls: Sequence[tuple[Any, ...]],
    made: Any,  # noqa: ANN401 - its quantised form
) -> dict[int, tuple[Named, Floats]]:
    """All that each quantiser of `made` would see, by the quantiser's identity."""
    found: dict[int, tuple[Named, list[Tensor]]] = {}
    for given in calls:
        for index, direction, seen in steps_of(layer, given):
            cell = made.layers[index][direction].cell
            for name, values in seen.items():
                proxy = getattr(cell, f"{name}_quant")
                label = f"tanh_{name[5:]}" if tanh_acc(layer, name) else name
                entry = found.setdefault(id(proxy), (Named(label, proxy), []))
                entry[1].extend(v.reshape(-1) for v in values)
    return {key: (named, thinned(values)) for key, (named, values) in found.items()}


def tanh_acc(layer: Any, name: str) -> bool:  # noqa: ANN401
    """Whether a name is that of the only accumulator of an RNN with tanh."""
    return isinstance(layer, nn.RNN) and name == "gate_acc" and layer.nonlinearity == "tanh"


def thinned(values: Sequence[Tensor]) -> Floats:
    """All numbers, or a regular selection of very many, the extremes among them."""
    whole = torch.cat(list(values)).numpy().astype(np.float64)
    if whole.size <= MOST:
        return whole
    step = -(-whole.size // MOST)
    return np.concatenate([whole[::step], [whole.min(), whole.max()]])


def steps_of(layer: Any, given: tuple[Any, ...]) -> Iterator[tuple[int, int, Seen]]:  # noqa: ANN401
    """For each layer and direction what its quantisers would see."""
    x: Tensor = given[0]
    hx = given[1] if len(given) > 1 else None
    if x.dim() == 2:
        x = x[:, None] if not layer.batch_first else x[None]
    x = x.transpose(0, 1) if layer.batch_first else x
    count = 2 if layer.bidirectional else 1
    for index in range(layer.num_layers):
        results = []
        for direction in range(count):
            at = index * count + direction
            seen: Seen = {"output": [x]} if index == 0 else {}
            states = first_states(layer, hx, at, x)
            results.append(one_direction(layer, (index, direction), x, states, seen))
            yield index, direction, seen
        x = torch.cat(results, dim=-1)


def first_states(layer: Any, hx: Any, at: int, x: Tensor) -> list[Tensor]:  # noqa: ANN401
    """h, and c of an LSTM, of a layer and direction."""
    given = hx if isinstance(hx, (tuple, list)) else [hx]
    zero = x.new_zeros(x.shape[1], layer.hidden_size)
    states = [zero if s is None else s[at].expand(x.shape[1], -1) for s in given]
    return [*states, zero][:2] if isinstance(layer, nn.LSTM) else states[:1]


def one_direction(
    layer: Any,  # noqa: ANN401
    place: tuple[int, int],
    x: Tensor,
    states: list[Tensor],
    seen: Seen,
) -> Tensor:
    """Run one layer and direction; note what it holds."""
    index, direction = place
    end = f"l{index}" + ("_reverse" if direction else "")
    w_x, w_h = (getattr(layer, f"weight_{s}_{end}") for s in ("ih", "hh"))
    zero = x.new_zeros(w_x.shape[0])
    b_x, b_h = (getattr(layer, f"bias_{s}_{end}", zero) for s in ("ih", "hh"))
    for name, state in zip(("output", "cell_state"), states, strict=False):
        if state.any():
            note(seen, **{name: state})
    step = {nn.LSTM: lstm_step, nn.GRU: gru_step, nn.RNN: rnn_step}[type(layer)]
    order = range(len(x))
    made: dict[int, Tensor] = {}
    for t in reversed(order) if direction else order:
        x_part = x[t] @ w_x.T + b_x
        h_part = states[0] @ w_h.T + b_h
        states = step(layer, x_part, h_part, states, seen)
        made[t] = states[0]
    return torch.stack([made[t] for t in order])


def note(seen: Seen, **values: Tensor) -> None:
    """Add values to what quantisers see."""
    for name, value in values.items():
        seen.setdefault(name, []).append(value)


def lstm_step(
    _: Any,  # noqa: ANN401
    x_part: Tensor,
    h_part: Tensor,
    states: list[Tensor],
    seen: Seen,
) -> list[Tensor]:
    """The four gates at once."""
    accs = dict(zip(TORCH_LSTM, (x_part + h_part).chunk(4, dim=-1), strict=True))
    i, f, o = (torch.sigmoid(accs[gate]) for gate in ("input", "forget", "output"))
    g = torch.tanh(accs["cell"])
    kept, added = f * states[1], i * g
    c = kept + added
    h = o * torch.tanh(c)
    note(seen, **{f"{gate}_acc": acc for gate, acc in accs.items()})
    note(seen, input_sigmoid=i, forget_sigmoid=f, output_sigmoid=o, cell_tanh=g)
    note(seen, hidden_state_tanh=torch.tanh(c), output=h)
    for value in (kept, added, c):
        note(seen, cell_state=value)
    return [h, c]


def gru_step(
    _: Any,  # noqa: ANN401
    x_part: Tensor,
    h_part: Tensor,
    states: list[Tensor],
    seen: Seen,
) -> list[Tensor]:
    """The reset gate multiplies the product of the state."""
    x, h = (dict(zip(TORCH_GRU, p.chunk(3, dim=-1), strict=True)) for p in (x_part, h_part))
    r, z = (torch.sigmoid(x[gate] + h[gate]) for gate in ("reset", "update"))
    x_n, h_n = x["new"], h["new"]
    n = torch.tanh(x_n + r * h_n)
    kept, added = z * states[0], (1 - z) * n
    note(seen, **{f"{gate}_acc": x[gate] + h[gate] for gate in ("reset", "update")})
    note(seen, new_hidden_acc=h_n)
    for value in (x_n, r * h_n, x_n + r * h_n):
        note(seen, new_acc=value)
    note(seen, reset_sigmoid=r, update_sigmoid=z, new_tanh=n, output=kept + added)
    for value in (kept, added):
        note(seen, hidden_state=value)
    return [kept + added]


def rnn_step(
    layer: Any,  # noqa: ANN401
    x_part: Tensor,
    h_part: Tensor,
    states: list[Tensor],
    seen: Seen,
) -> list[Tensor]:
    """One sum and its function."""
    acc = x_part + h_part
    h = torch.relu(acc) if layer.nonlinearity == "relu" else torch.tanh(acc)
    note(seen, gate_acc=acc, output=h)
    del states
    return [h]
