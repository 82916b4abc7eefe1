# SPDX-License-Identifier: Apache-2.0
"""Which machine numbers hold a range of integers exactly, and the arrays made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwrnn.ir import IntType, Value

Array = NDArray[Any]
Ints = NDArray[np.int64]
Dtype = np.dtype[Any]
Call = Callable[[], object]

BYTE: Dtype = np.dtype(np.int8)
UBYTE: Dtype = np.dtype(np.uint8)
SHORT: Dtype = np.dtype(np.int16)
LONG: Dtype = np.dtype(np.int64)
SINGLE: Dtype = np.dtype(np.float32)
DOUBLE: Dtype = np.dtype(np.float64)

# Up to here every integer, and so every sum and product that stays below, is exact.
EXACT = {SINGLE: 2**24, DOUBLE: 2**53}


def magnitude(t: IntType) -> int:
    """The greatest absolute value."""
    return max(abs(t.lo), abs(t.hi))


def fits(t: IntType, dtype: Dtype) -> bool:
    """True when `dtype` holds every integer of `t` exactly."""
    if dtype in EXACT:
        return magnitude(t) <= EXACT[dtype]
    ends = np.iinfo(dtype)
    return ends.min <= t.lo and t.hi <= ends.max


def carrier(t: IntType) -> Dtype:
    """The fastest type to calculate in: short integers, else floats, else long integers."""
    return next(d for d in (SHORT, SINGLE, DOUBLE, LONG) if fits(t, d))


def byte(t: IntType) -> Dtype | None:
    """The type of one byte that holds `t`, if there is one."""
    found: list[Dtype] = [d for d in (BYTE, UBYTE) if fits(t, d)]
    return found[0] if found else None


def exact_float(bound: int) -> Dtype | None:
    """The narrowest float type in which no sum up to `bound` rounds."""
    return next((d for d, limit in EXACT.items() if bound < limit), None)


class Room:
    """The arrays of one batch, elements first: (elements, batch), or (steps, elements, batch).

    Arrays of bytes lie in a bytearray, whose `translate` is the fastest table of all. The memory
    of a value that is read no more is used again for the next: it is still in the cache.
    `steps`: how many each sequence has.
    """

    def __init__(self, batch: int, steps: Mapping[str, int]) -> None:
        self.batch, self.steps = batch, steps
        self.values: dict[str, Array] = {}
        self._memory: dict[str, bytearray] = {}
        self._free: dict[int, list[bytearray]] = {}
        self._scratch: dict[tuple[Dtype, int], Array] = {}

    def shape(self, v: Value, size: int | None = None) -> tuple[int, ...]:
        """The shape of a value, or of one with another number of elements beside it."""
        found = (v.size if size is None else size, self.batch)
        return (self.steps[v.name], *found) if v.sequence else found

    def stay(self, v: Value, dtype: Dtype) -> Array:
        """An array of its own for a value that stays from step to step."""
        self.values[v.name] = made = np.zeros(self.shape(v), dtype)
        return made

    def make(self, v: Value, dtype: Dtype) -> Array:
        """The array of a value, for the op that fills it."""
        shape = self.shape(v)
        length = int(np.prod(shape)) * dtype.itemsize
        free = self._free.get(length)
        memory = free.pop() if free else bytearray(length)
        self._memory[v.name] = memory
        self.values[v.name] = made = np.frombuffer(memory, dtype).reshape(shape)
        return made

    def bytes_of(self, name: str) -> bytearray | None:
        """The memory of a value whose array has one byte an element."""
        memory = self._memory.get(name)
        return memory if self.values[name].dtype.itemsize == 1 else None

    def bytes_for(self, x: Array) -> tuple[bytearray, Array]:
        """Bytes in the shape of x that do not outlive the op, and the array that shows them."""
        free = self._free.setdefault(x.size, [])
        if not free:
            free.append(bytearray(x.size))
        return free[-1], np.frombuffer(free[-1], np.uint8).reshape(x.shape)

    def release(self, name: str) -> None:
        """Let the ops that are bound from now on have the memory of this value."""
        memory = self._memory.pop(name, None)
        if memory is not None:
            self._free.setdefault(len(memory), []).append(memory)

    def scratch(self, like: Array, dtype: Dtype, slot: int = 0) -> Array:
        """An array of the shape of `like` whose contents do not outlive the op.

        `slot` tells apart those of one op.
        """
        flat = self._scratch.get((dtype, slot))
        if flat is None or flat.size < like.size:
            flat = self._scratch[dtype, slot] = np.empty(like.size, dtype)
        return flat[: like.size].reshape(like.shape)
