# SPDX-License-Identifier: Apache-2.0
"""The C-model of sequences that come in fragments: states go on from one to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwrnn.cmodel.data import Batch, together
from hwrnn.cmodel.fast import compile_graph
from hwrnn.errors import DataError
from hwrnn.ir import Graph, Output, Select
from hwrnn.ir.fragments import every_step, needs_whole

Ints = NDArray[np.int64]


def run_fragments(graph: Graph, batch: Batch, first: Sequence[bool]) -> dict[Output, Ints]:
    """Every output of each fragment, (steps, batch, F) or (batch, F), in the order of the batch.

    `first`: for each fragment of the batch, whether a new sequence starts with it. Raises DataError
    for a graph that needs whole sequences.
    """
    what = "takes initial states" if batch.states else needs_whole(graph)
    if what is not None:
        raise DataError("first", f"has no meaning: {graph.name} {what}", "leave it out")
    selects = any(isinstance(op, Select) for op in graph.ops)
    model = compile_graph(every_step(graph) if selects else graph)
    fragments, port = batch.sequences(), graph.inputs[0].out.name
    parts: dict[Output, list[Ints]] = {o: [] for o in graph.outputs}
    for run in runs(first):
        members = [fragments[k] for k in run]
        found = model.run({port: np.concatenate(members)[:, None]})
        cuts = np.cumsum([len(m) for m in members])[:-1]
        for o in graph.outputs:
            parts[o] += np.split(found[o.out.name][:, 0], cuts)
    return {o: together(o, made) for o, made in parts.items()}


def runs(first: Sequence[bool]) -> list[list[int]]:
    """The fragments of each sequence; the very first one starts one, whatever is said of it."""
    found: list[list[int]] = []
    for k, flag in enumerate(first):
        if flag or not found:
            found.append([])
        found[-1].append(k)
    return found


def check_first(first: Sequence[bool], count: int) -> list[bool]:
    """One flag for each of `count` fragments. Raises DataError."""
    try:
        flags = list(first)
    except TypeError as error:
        raise DataError("first", f"is {first!r}", "pass a flag for each fragment") from error
    if len(flags) != count:
        raise DataError("first", f"has {len(flags)} entries for {count} fragments")
    for flag in flags:
        if not isinstance(flag, bool | np.bool_):
            raise DataError("first", f"holds {flag!r}", "each entry is True or False")
    return [bool(flag) for flag in flags]
