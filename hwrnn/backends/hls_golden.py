# SPDX-License-Identifier: Apache-2.0
"""Golden vectors of the C testbench: random sequences, and what the C-model makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import Design
from hwrnn.ir.steps import least_steps

Ints = NDArray[np.int64]
Sequences = Sequence[Ints]
Named = Sequences | Mapping[str, Sequences]  # of the only port, or by name
Golden = tuple[Named, Named]
LENGTHS = (1, 3, 5, 8)
SEED = 1


def golden_vectors(design: Design) -> Golden:
    """Inputs and outputs of four sequences, or fragments, (steps, features) each; by name if there
    are several of either.
    """
    inputs = random_inputs(design, lengths_of(design))
    if design.keep and len(design.sinks) == 1:
        return inputs, expected_fragments(design, inputs, fragment_flags(len(inputs)))
    states = random_states(design, len(inputs))
    if design.keep:
        return inputs, fragments_by_name(design, inputs, fragment_flags(len(inputs)))
    given = [{name: rows[k] for name, rows in states.items()} for k in range(len(inputs))]
    made = [expected_by_name(design, x, v) for x, v in zip(inputs, given, strict=True)]
    outputs = {k.name: [found[k.name] for found in made] for k in design.sinks}
    return {design.source.name: inputs, **states}, outputs


def lengths_of(design: Design) -> tuple[int, ...]:
    """The lengths of the golden sequences: what the design takes."""
    source = design.source
    if not design.graph.inputs[0].out.sequence:
        return (1,) * len(LENGTHS)
    if source.fixed_steps:
        return (source.fixed_steps,) * len(LENGTHS)
    least = least_steps(design.graph)
    return tuple(max(min(n, source.max_steps or n), least) for n in LENGTHS)


def random_inputs(design: Design, lengths: Iterable[int], seed: int = SEED) -> list[Ints]:
    """Sequences of random numbers from the whole range of the input."""
    rng = np.random.default_rng(seed)
    stream = design.source.out
    t = stream.type
    return [rng.integers(t.lo, t.hi, (n, stream.features), endpoint=True) for n in lengths]


def random_states(design: Design, count: int, seed: int = SEED) -> dict[str, list[Ints]]:
    """For each further input so many vectors, (1, features), of its whole range."""
    rng = np.random.default_rng([seed, 1])
    ports = {k.name: k.out for k in design.sources[1:]}
    return {
        name: [
            rng.integers(x.type.lo, x.type.hi, (1, x.features), endpoint=True) for _ in range(count)
        ]
        for name, x in ports.items()
    }


def expected(design: Design, x: Ints) -> Ints:
    """What the graph makes of one sequence, (steps, features), at its first output."""
    return expected_by_name(design, x, {})[design.graph.outputs[0].out.name]


def expected_by_name(design: Design, x: Ints, states: Mapping[str, Ints]) -> dict[str, Ints]:
    """What the graph makes of one sequence, and of vectors (1, features), at each output."""
    source = design.graph.inputs[0]
    batched = x[:, None, :] if source.out.sequence else x
    values = run_plain(design.graph, {source.out.name: batched, **states})
    return {
        o.out.name: np.atleast_2d(y[:, 0, :] if o.out.sequence else y)
        for o in design.graph.outputs
        for y in [values[o.out.name]]
    }


def fragment_flags(count: int) -> list[bool]:
    """Which of the golden sequences start anew in a design that keeps states: every other one."""
    return [k % 2 == 0 for k in range(count)]


def expected_fragments(design: Design, fragments: Sequences, first: Sequence[bool]) -> list[Ints]:
    """What the graph makes of each fragment at its first output."""
    return fragments_by_name(design, fragments, first)[design.sink.name]


def fragments_by_name(
    design: Design, fragments: Sequences, first: Sequence[bool]
) -> dict[str, list[Ints]]:
    """What the graph makes of each fragment: of all that its sequence is so far, what is new."""
    found: dict[str, list[Ints]] = {o.out.name: [] for o in design.graph.outputs}
    past = fragments[0][:0]
    for x, flag in zip(fragments, first, strict=True):
        past = x if flag else np.concatenate([past, x])
        made = expected_by_name(design, past, {})
        for o in design.graph.outputs:
            y = made[o.out.name]
            found[o.out.name].append(y[-len(x) :] if o.out.sequence else y)
    return found


def by_name(given: Named, names: Sequence[str]) -> dict[str, Sequences]:
    """The sequences of each port; of those that nobody named, none."""
    found = dict(given) if isinstance(given, Mapping) else {names[0]: given}
    return {name: found.get(name, ()) for name in names}


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
