# SPDX-License-Identifier: Apache-2.0
"""What stands around the recurrence, on whole arrays: (steps, elements, batch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from hwrnn.cmodel.carriers import LONG, Array, Call, Dtype, Room
from hwrnn.ir import ArgMax, Embed, How, Pool, Reduce, Repeat, Window

JOIN = {How.SUM: np.add, How.MAX: np.maximum}


@dataclass(frozen=True, slots=True, kw_only=True)
class AroundPlan:
    """One call that fills the result; they are few, and none is run step by step."""

    op: Window | Pool | Reduce | Repeat | Embed | ArgMax
    dtype: Dtype

    def bind(self, room: Room) -> list[Call]:
        x, out = room.values[self.op.x], room.make(self.op.out, self.dtype)
        return [partial(FILL[type(self.op)], self.op, x, out)]


def fill_window(op: Window, x: Array, out: Array) -> None:
    """Element by element of the window, all windows at once."""
    for k, (there, seen) in enumerate(taps(op, x, out)):
        part = out[:, k * x.shape[1] : (k + 1) * x.shape[1]]
        part[...] = op.fill
        np.copyto(part[there], seen, "unsafe")


def fill_pool(op: Pool, x: Array, out: Array) -> None:
    """The sum or the maximum over the steps of the window, all windows at once."""
    part = np.empty_like(out)
    for k, (there, seen) in enumerate(taps(op, x, out)):
        part[...] = op.fill
        np.copyto(part[there], seen, "unsafe")
        if k:
            JOIN[op.how](part, out, out=out)
        else:
            np.copyto(out, part)


def taps(op: Window | Pool, x: Array, out: Array) -> Iterator[tuple[slice, Array]]:
    """For each step of a window: the windows in which it is a step of x, and those steps."""
    for k in range(op.size):
        offset = k - op.before  # window t sees step t * stride + offset
        first = max(0, -(offset // op.stride))
        end = min(len(out), max(first, (len(x) - 1 - offset) // op.stride + 1))
        start = first * op.stride + offset
        yield slice(first, end), x[start :: op.stride][: end - first]


def fill_reduce(op: Reduce, x: Array, out: Array) -> None:
    """Over all steps, in the type of the result."""
    JOIN[op.how].reduce(x, axis=0, dtype=out.dtype, out=out)


def fill_repeat(op: Repeat, x: Array, out: Array) -> None:
    """The same at every step."""
    del op
    np.copyto(out, x, "unsafe")


def fill_embed(op: Embed, x: Array, out: Array) -> None:
    """Rows of the table; x has one element."""
    index = np.take(x, 0, axis=-2).astype(LONG)
    rows = op.table.array.astype(out.dtype)[index]  # (.., batch, elements)
    np.copyto(out, np.swapaxes(rows, -1, -2))


def fill_arg_max(op: ArgMax, x: Array, out: Array) -> None:
    """In 64 bits where they hold the common unit of the reals, else in Python integers."""
    mul, add = op.weights(x.shape[-2])
    limit = max(int(x.max()), -int(x.min())) * max(mul) + max(map(abs, add))
    kind = LONG if limit < 2**63 else np.dtype(object)
    factors, offsets = (np.array(v, kind)[:, None] for v in (mul, add))
    total = x.astype(LONG).astype(kind) * factors + offsets
    np.copyto(out, np.argmax(total, axis=-2, keepdims=True), "unsafe")


FILL: dict[type, Callable[..., None]] = {
    ArgMax: fill_arg_max,
    Embed: fill_embed,
    Pool: fill_pool,
    Reduce: fill_reduce,
    Repeat: fill_repeat,
    Window: fill_window,
}
