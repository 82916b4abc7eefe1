# SPDX-License-Identifier: Apache-2.0
"""Which graphs with several inputs and outputs have hardware, and what their ports hold."""

from __future__ import annotations

from hwrnn.design.options import Options, StateRule
from hwrnn.errors import DesignError
from hwrnn.ir import AnyOp, Graph, Repeat, Scan
from hwrnn.ir.steps import fixed_steps

HELD_STEPS = 16  # of a sequence, where neither the caller nor the model names a number


def held_steps(graph: Graph, max_steps: int | None) -> int:
    """The steps of a sequence for which each of several output ports has room; 0 for one port."""
    if len(graph.outputs) == 1:
        return 0
    return max_steps or fixed_steps(graph) or graph.inputs[0].example_steps or HELD_STEPS


def check_ports(graph: Graph, options: Options) -> None:
    """Raise DesignError for ports, and ways between them, that have no hardware."""
    for port in graph.inputs[1:]:
        if port.out.sequence:
            raise DesignError(
                f'input "{port.out.name}"',
                "is a second sequence; hardware takes one sequence, and a vector for each "
                "further input",
                "put both sequences side by side, as features of one",
            )
    read = {name for op in graph.ops for name in op.operands()}
    for port in graph.inputs:
        if port.out.name not in read:
            raise DesignError(
                f'input "{port.out.name}"', "is read by nothing", "export the model without it"
            )
    for scan in graph.scans:
        check_starts(graph, scan)
    check_options(graph, options)


def check_starts(graph: Graph, scan: Scan) -> None:
    """A layer that starts with what a whole sequence gives cannot read that very sequence."""
    for state in scan.body.states:
        if state.start is None or not any(v for v in above(graph, state.start) if is_long(v)):
            continue
        if not any(isinstance(op, Repeat) for op in above(graph, scan.xs[0])):
            raise DesignError(
                f"layer {scan.out.name}",
                f"starts with %{state.start}, which is there when the sequence has ended that it "
                "reads; hardware does not hold that sequence",
                "give the initial state as an input; or let the layer read a repeated vector",
            )


def is_long(op: AnyOp) -> bool:
    """True for an op that makes a sequence."""
    return any(v.sequence for v in op.outputs())


def above(graph: Graph, name: str) -> list[AnyOp]:
    """All ops on which a value depends."""
    wanted, found = {name}, []
    for op in reversed(graph.ops):
        if wanted.intersection(v.name for v in op.outputs()):
            wanted.update(op.operands())
            found.append(op)
    return found


def check_options(graph: Graph, options: Options) -> None:
    """What some options make impossible with several ports."""
    inputs = len(graph.inputs)
    if options.state is StateRule.KEEP and inputs > 1:
        raise DesignError(
            "option state",
            f"is keep; {graph.name} has {inputs} inputs, and a fragment starts where the one "
            "before it ended",
            'use state="reset", and feed the returned states back',
        )
