# SPDX-License-Identifier: Apache-2.0
"""Golden vectors of the C testbench: random sequences, and what the C-model makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import Design
from hwrnn.ir.steps import least_steps

Sequences = Sequence[NDArray[np.int64]]
Golden = tuple[Sequences, Sequences]
LENGTHS = (1, 3, 5, 8)
SEED = 1


def golden_vectors(design: Design) -> Golden:
    """Inputs and outputs of four sequences, or fragments, (steps, features) each."""
    inputs = random_inputs(design, lengths_of(design))
    if design.keep:
        return inputs, expected_fragments(design, inputs, fragment_flags(len(inputs)))
    return inputs, [expected(design, x) for x in inputs]


def lengths_of(design: Design) -> tuple[int, ...]:
    """The lengths of the golden sequences: what the design takes."""
    source = design.source
    if not design.graph.inputs[0].out.sequence:
        return (1,) * len(LENGTHS)
    if source.fixed_steps:
        return (source.fixed_steps,) * len(LENGTHS)
    least = least_steps(design.graph)
    return tuple(max(min(n, source.max_steps or n), least) for n in LENGTHS)


def random_inputs(
    design: Design, lengths: Iterable[int], seed: int = SEED
) -> list[NDArray[np.int64]]:
    """Sequences of random numbers from the whole range of the input."""
    rng = np.random.default_rng(seed)
    stream = design.source.out
    t = stream.type
    return [rng.integers(t.lo, t.hi, (n, stream.features), endpoint=True) for n in lengths]


def expected(design: Design, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the graph makes of one sequence, (steps, features)."""
    source, sink = design.graph.inputs[0], design.graph.outputs[0]
    batched = x[:, None, :] if source.out.sequence else x
    y = run_plain(design.graph, {source.out.name: batched})[sink.out.name]
    return np.atleast_2d(y[:, 0, :] if sink.out.sequence else y)


def fragment_flags(count: int) -> list[bool]:
    """Which of the golden sequences start anew in a design that keeps states: every other one."""
    return [k % 2 == 0 for k in range(count)]


def expected_fragments(
    design: Design, fragments: Sequences, first: Sequence[bool]
) -> list[NDArray[np.int64]]:
    """What the graph makes of each fragment: of all that its sequence is so far, what is new."""
    found: list[NDArray[np.int64]] = []
    past = fragments[0][:0]
    for x, flag in zip(fragments, first, strict=True):
        past = x if flag else np.concatenate([past, x])
        made = expected(design, past)
        found.append(made[-len(x) :] if design.graph.outputs[0].out.sequence else made)
    return found


def golden_text(sequences: Sequences, first: Sequence[bool] | None = None) -> str:
    """The number of sequences; for each its number of steps, then a line for each step. With
    `first`, in front of each whether it starts anew.
    """
    lines = [str(len(sequences))]
    for k, sequence in enumerate(sequences):
        lines += [] if first is None else [str(int(first[k]))]
        lines.append(str(len(sequence)))
        lines += [" ".join(map(str, step)) for step in sequence.tolist()]
    return "\n".join(lines) + "\n"
