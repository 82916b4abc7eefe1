# SPDX-License-Identifier: Apache-2.0
"""The Python C-model: the integer graph as a list of array operations, exact and fast.

A graph is compiled once: each op gets a way of computing it that is proved exact for the ranges
of its operands. For a batch the ops are bound to arrays, and what remains is a list of calls
without arguments, which is run once for each step of a Scan, and once for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache, lru_cache
from itertools import pairwise
from threading import Lock

import numpy as np
from threadpoolctl import ThreadpoolController

from hwrnn.cmodel.carriers import LONG, Array, Dtype, Ints, Room, fits
from hwrnn.cmodel.compiler import Compiler
from hwrnn.errors import DataError
from hwrnn.ir import Graph, IntType
from hwrnn.ir.steps import step_counts

CHUNK = 1 << 17  # elements of the largest array of a step: more would leave the cache
SEQUENCE = 1 << 24  # elements of the largest sequence
GRAPHS, SHAPES = 4, 3  # how many are remembered


def compile_graph(g: Graph) -> Compiled:
    """The graph, ready to run; the last few graphs are remembered.

    The graph's Requants have their realisations (`run_pipeline` has seen it).
    """
    return _compiled(_Same(g))


class _Same:
    """A graph that equals itself only: to look through all of its weights would take too long."""

    __slots__ = ("graph",)

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.graph is other.graph

    def __hash__(self) -> int:
        return id(self.graph)


@lru_cache(maxsize=GRAPHS)
def _compiled(same: _Same) -> Compiled:
    return Compiled(same.graph)


class Compiled:
    """A compiled graph. One run at a time: a second thread waits, since the arrays are shared."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        made = Compiler(graph.ops, [], set()).compile()
        self.program, self.dtypes, self.rows = made.program(), made.dtypes, made.rows
        self.width = max((v.size for v in graph.scope().values() if v.sequence), default=1)
        self.bound: dict[tuple[int, int], Bound] = {}
        self.lock = Lock()

    def run(self, inputs: Mapping[str, Ints]) -> dict[str, Ints]:
        """The integers of every Output, by name.

        inputs: for each Input op integers of its range, (steps, batch, features), or
        (batch, features) for a vector. Gives int64 arrays of the same two kinds. Raises
        DataError for a shape or an integer that does not fit.
        """
        return self.run_as(LONG, inputs)

    def run_as(self, dtype: Dtype, inputs: Mapping[str, Ints]) -> dict[str, Array]:
        """The same integers in arrays of another type, which has to hold their ranges."""
        for o in self.graph.outputs:
            assert fits(o.out.type, dtype), f"{dtype} does not hold {o.out}"
        steps, batch = check(self.graph, inputs)
        counts = step_counts(self.graph, steps)
        results = {
            o.out.name: np.empty(
                (*([counts[o.out.name]] if o.out.sequence else []), batch, o.out.size), dtype
            )
            for o in self.graph.outputs
        }
        with self.lock, one_thread():
            for part in self.parts(steps, batch):
                bound = self.bind(steps, part.stop - part.start)
                bound.run(
                    {name: x[..., part, :] for name, x in inputs.items()},
                    {name: y[..., part, :] for name, y in results.items()},
                )
        return results

    def parts(self, steps: int, batch: int) -> list[slice]:
        """The batch in pieces of nearly equal size whose arrays stay in the cache."""
        most = max(1, min(CHUNK // self.rows, SEQUENCE // (steps * self.width)))
        pieces = -(-batch // most)
        edges = [batch * k // pieces for k in range(pieces + 1)] if pieces else []
        return [slice(a, b) for a, b in pairwise(edges)]

    def bind(self, steps: int, batch: int) -> Bound:
        """Arrays for this shape; the last few shapes are remembered."""
        found = self.bound.pop((steps, batch), None) or Bound(self, steps, batch)
        self.bound[steps, batch] = found
        while len(self.bound) > SHAPES:
            del self.bound[next(iter(self.bound))]
        return found


def one_thread() -> AbstractContextManager[object]:
    """BLAS on one thread: products of a cache's size only wait for a second one, and on a busy
    machine they wait long.
    """
    limit: AbstractContextManager[object] = _blas().limit(limits=1, user_api="blas")
    return limit


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


class Bound:
    """A graph bound to the arrays of one shape."""

    def __init__(self, model: Compiled, steps: int, batch: int) -> None:
        self.room = Room(batch, step_counts(model.graph, steps))
        for op in model.graph.inputs:
            self.room.make(op.out, model.dtypes[op.out.name])
        self.calls = model.program.bind(self.room)

    def run(self, inputs: Mapping[str, Ints], results: Mapping[str, Array]) -> None:
        """Fill `results`, (.., batch, features), from `inputs`."""
        values = self.room.values
        for name, x in inputs.items():
            np.copyto(values[name], np.swapaxes(x, -1, -2), "unsafe")
        for call in self.calls:
            call()
        for name, y in results.items():
            np.copyto(y, np.swapaxes(values[name], -1, -2), "unsafe")


def check(graph: Graph, inputs: Mapping[str, Ints]) -> tuple[int, int]:
    """The steps (1 if there is no sequence) and the batch of the inputs."""
    steps: set[int] = set()
    batch: set[int] = set()
    for op in graph.inputs:
        v = op.out
        place = f'input "{v.name}"'
        if v.name not in inputs:
            raise DataError(place, "is missing")
        x = inputs[v.name]
        if x.ndim != 2 + v.sequence or x.shape[-1] != v.size or x.dtype.kind not in "iu":
            raise DataError(place, f"is {x.dtype} of shape {x.shape}, which does not fit {v}")
        if x.size and not v.type.covers(IntType(int(x.min()), int(x.max()))):
            raise DataError(place, f"holds {int(x.min())}..{int(x.max())}; its range is {v.type}")
        batch.add(x.shape[-2])
        steps |= {x.shape[0]} if v.sequence else set()
    if len(batch) != 1 or len(steps) > 1 or 0 in steps:
        fact = f"its inputs have {sorted(batch)} sequences of {sorted(steps)} steps"
        raise DataError(graph.name, fact)
    return (steps or {1}).pop(), batch.pop()
