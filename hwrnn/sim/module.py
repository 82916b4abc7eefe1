# SPDX-License-Identifier: Apache-2.0
"""Rung 0: how a Brevitas module's float outputs compare with exact arithmetic, and why they differ.

Nothing here is a tolerance. Outputs are equal or they differ; a difference is traced when all
values before it agree and the exact value was so near to where the rounding turns that float32
arithmetic cannot be expected to see the side (`hwrnn.sim.module_trace`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import ModelProto

from hwrnn.cmodel.data import Batch, Inputs, arrange, take_batch, to_real
from hwrnn.cmodel.plain import RULES, run_plain
from hwrnn.errors import DataError
from hwrnn.ir import Graph, Output, Requant, Rounding, Scan, walk
from hwrnn.ir.rounding import step_to
from hwrnn.sim.module_constants import ConstantDifference, compare_constants
from hwrnn.sim.module_points import Network, follow, module_values
from hwrnn.sim.module_record import Recording, record_module
from hwrnn.sim.module_trace import (
    LAYOUT,
    Place,
    Values,
    distance_and_bound,
    first_place,
    gamma,
    reach_at,
)

Ints = NDArray[np.int64]
Reals = NDArray[np.float32]
Floats = NDArray[np.float64]


class Verdict(Enum):
    """What a comparison comes to."""

    EQUAL = "equal"
    TRACED = "differs, traced"
    UNTRACED = "differs, untraced"


class Cause(Enum):
    """Where a difference comes from."""

    ROUNDING = "the module's float32 value fell on the other side of a rounding"
    CONSTANT = "the module rounds a weight or bias to another integer"
    LAST_SUM = "the module's last sum, which no quantiser follows, is rounded to float32"
    UNKNOWN = "untraced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The first difference of one sequence, and the first value inside on which both differ.

    `step`, `unit`, `exact`, `module`: at the output, as real values. The rest is about the first
    value inside: how far the exact value before the rounding was from the tie (`distance`), how
    far off float32 may be (`bound`), in steps of the quantiser (of the output, without one).
    """

    sequence: int
    step: int | None
    unit: int
    exact: float
    module: float
    cause: Cause
    quantiser: str = ""
    layer: str = ""
    at_step: int | None = None
    at_unit: int | None = None
    exact_integer: int | None = None
    module_integer: int | None = None
    distance: float | None = None
    bound: float | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON and tables."""
        made: dict[str, object] = {f: getattr(self, f) for f in type(self).__slots__}
        made["cause"] = self.cause.value
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleReport:
    """How many values of how many sequences differ, and where each difference comes from.

    `differing` counts float32 values that are not the exact ones, rounded once; of these
    `differing_integers` are another integer of the output's grid. `constants`: weights and biases
    whose integer differs from the module's. Without the module itself (only its outputs) nothing
    can be traced; then `distance` is that of the output's own quantiser, if it has one.
    """

    values: int
    differing: int
    differing_integers: int
    sequences: int
    traces: tuple[Trace, ...]
    constants: tuple[ConstantDifference, ...]

    @property
    def verdict(self) -> Verdict:
        """Equal, or whether each sequence that differs has a cause."""
        if not self.differing:
            return Verdict.EQUAL
        known = all(t.cause is not Cause.UNKNOWN for t in self.traces)
        return Verdict.TRACED if known else Verdict.UNTRACED

    def rows(self) -> list[dict[str, object]]:
        """One row for each sequence that differs."""
        return [t.as_dict() for t in self.traces]

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {
            "verdict": self.verdict.value,
            "values": self.values,
            "differing": self.differing,
            "differing_integers": self.differing_integers,
            "sequences": self.sequences,
            "differing_sequences": len(self.traces),
            "first_differences": self.rows(),
            "constants": [c.as_dict() for c in self.constants],
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Exact and module outputs, in the module's axes."""

    output: Output
    integers: Ints
    exact: Reals
    module: Reals

    def nearest(self) -> Floats:
        """The integers of the output's grid that are nearest to the module's values."""
        grid = self.output.grid
        scale, offset = (np.array([float(v) for v in r]) for r in (grid.scale, grid.offset))
        return np.asarray(np.rint((self.module.astype(np.float64) - offset) / scale))

    def differing_integers(self) -> int:
        """How many of those are another integer than the exact one."""
        return int((self.nearest() != self.integers).sum())

    def first(self, sequence: int) -> tuple[int, ...] | None:
        """Step (if there are steps) and unit of the first difference of a sequence."""
        exact, module = (by_sequence(v, self.output) for v in (self.exact, self.module))
        where = np.argwhere(exact[sequence] != module[sequence])
        return tuple(int(k) for k in where[0]) if len(where) else None


def by_sequence(array: NDArray[Any], output: Output) -> NDArray[Any]:
    """The output's axes in the order batch, step if there is one, feature."""
    plain = array.squeeze(tuple(k for k, a in enumerate(output.axes) if a == "1"))
    axes = [a for a in output.axes if a != "1"]
    return plain.transpose([axes.index(a) for a in ("B", "T", "F") if a in axes])


def compare_module(
    graph: Graph,
    x: Inputs,
    *,
    module: object = None,
    expected: ArrayLike | None = None,
) -> ModuleReport:
    """Compare a Brevitas module, or the outputs that it gave for x, with exact arithmetic.

    x: as for `hwrnn.run`, all steps of all sequences. Raises DataError, ToolError without torch,
    VerifyError for a module that is not the one of the graph.
    """
    if module is None and expected is None:
        raise DataError("verify", "was given neither a module nor its outputs", "pass one of them")
    if len(graph.inputs) > 1 or len(graph.outputs) > 1:
        raise DataError(
            "verify",
            f"compares modules of one input and one output; this graph has {len(graph.inputs)} "
            f"and {len(graph.outputs)}",
            "export and compare the module without returned states",
        )
    batch = take_batch(graph, x)
    array = next(iter(x.values())) if isinstance(x, Mapping) else x
    real = real_input(graph, np.asarray(array), batch)
    recording = None if module is None else record_module(module, real)
    values = run_plain(graph, {graph.inputs[0].out.name: batch.q})
    said = np.asarray(expected, np.float32) if recording is None else recording.output
    answer = answer_of(graph.outputs[0], values, said)
    constants, patched = constant_differences(graph, recording)
    places = {s: at for s in range(len(batch.lengths)) if (at := answer.first(s)) is not None}
    if recording and patched and places:
        tracer = Tracer(
            graph=graph,
            batch=batch,
            real=real,
            recording=recording,
            answer=answer,
            constants=constants,
            patched=patched,
        )
        traces = [tracer.trace(s, at) for s, at in places.items()]
    else:
        before = before_output(graph, values)
        traces = [untraced(answer, before, s, at) for s, at in places.items()]
    return ModuleReport(
        values=answer.exact.size,
        differing=int((answer.exact != answer.module).sum()),
        differing_integers=answer.differing_integers(),
        sequences=len(batch.lengths),
        traces=tuple(traces),
        constants=constants,
    )


def real_input(graph: Graph, x: NDArray[np.generic], batch: Batch) -> Reals:
    """What the module is given: float32, in its own axes."""
    if x.dtype.kind == "f":
        return np.asarray(x, np.float32)
    port = graph.inputs[0]
    known = port.quantiser
    scale, zero = np.array([float(s) for s in known.scale]), np.array(known.zero_point)
    order = [("T", "B", "F").index(a) for a in port.axes]
    return np.asarray((batch.q - zero) * scale, np.float32).transpose(order)


def answer_of(output: Output, values: Values, said: Reals) -> Answer:
    """Exact and module outputs side by side. Raises DataError for another shape."""
    q = values[output.out.name]
    parts = [q[:, b] for b in range(q.shape[1])] if q.ndim == 3 else [row[None] for row in q]
    integers = arrange(output, parts)
    if said.shape != integers.shape:
        fact = f"gives an array of shape {said.shape}; the model gives {integers.shape}"
        raise DataError("module", fact)
    return Answer(output, integers, to_real(output, integers), said)


def constant_differences(
    graph: Graph, recording: Recording | None
) -> tuple[tuple[ConstantDifference, ...], ModelProto | None]:
    """Weights and biases that differ, and the file with the module's in their place."""
    if graph.lowered is None:
        return (), None
    parameters = recording.parameters if recording else []
    return compare_constants(ModelProto.FromString(graph.lowered), parameters)


def trace_at(answer: Answer, sequence: int, at: tuple[int, ...], **more: Any) -> Trace:  # noqa: ANN401
    """A Trace of the output's element `at` of one sequence."""
    return Trace(
        sequence=sequence,
        step=at[0] if len(at) == 2 else None,
        unit=at[-1],
        exact=float(by_sequence(answer.exact, answer.output)[sequence, *at]),
        module=float(by_sequence(answer.module, answer.output)[sequence, *at]),
        **more,
    )


class Tracer:
    """Traces the sequences of one comparison; both runs of the graph are made once."""

    def __init__(
        self,
        *,
        graph: Graph,
        batch: Batch,
        real: Reals,
        recording: Recording,
        answer: Answer,
        constants: tuple[ConstantDifference, ...],
        patched: ModelProto,
    ) -> None:
        port = graph.inputs[0]
        self.answer, self.recording = answer, recording
        order = [port.axes.index(a) for a in ("T", "B", "F")]
        self.real = real.astype(np.float64).transpose(order)
        assert graph.lowered is not None
        self.exact = self.run(ModelProto.FromString(graph.lowered), graph.name, batch)
        explained = constants and all(c.traced for c in constants)
        self.patched = self.run(patched, graph.name, batch) if explained else None
        self.module = module_values(self.exact[0], recording, self.exact[1])

    def run(self, model: ModelProto, name: str, batch: Batch) -> tuple[Network, Values]:
        """A file's network and all of its values."""
        network = follow(model, name)
        port = network.graph.inputs[0].out.name
        return network, run_plain(network.graph, {port: batch.q})

    def trace(self, sequence: int, at: tuple[int, ...]) -> Trace:
        """The first difference of a sequence, and its cause."""
        place, distance, bound = self.explain(*self.exact, sequence, at)
        cause = Cause.ROUNDING if place else Cause.LAST_SUM
        if distance > bound:
            cause = Cause.UNKNOWN
            if self.patched and self.within(sequence, at):
                cause = Cause.CONSTANT
        found = {"cause": cause, "distance": distance, "bound": bound}
        if place:
            found |= {
                "quantiser": place.point.name,
                "layer": place.point.layer,
                "at_step": place.step,
                "at_unit": place.unit,
                "exact_integer": place.exact,
                "module_integer": place.module,
            }
        return trace_at(self.answer, sequence, at, **found)

    def within(self, sequence: int, at: tuple[int, ...]) -> bool:
        """Whether float32 explains what is left once the module's own constants are used."""
        assert self.patched is not None
        _, distance, bound = self.explain(*self.patched, sequence, at)
        return distance <= bound

    def explain(
        self, network: Network, values: Values, sequence: int, at: tuple[int, ...]
    ) -> tuple[Place | None, float, float]:
        """The first value inside that differs, how far it was from the tie, and the bound."""
        place = first_place(network, values, self.module, sequence)
        if place is not None:
            return place, *distance_and_bound(network, values, self.real, place)
        output = network.graph.outputs[0]
        q = values[output.out.name]
        index = (at[0], sequence, at[1]) if q.ndim == 3 else (sequence, at[0])
        scale, offset = (float(v[at[-1] % len(v)]) for v in (output.grid.scale, output.grid.offset))
        reach = reach_at(network.graph, values, output.out.name, index)
        said = float(by_sequence(self.answer.module, self.answer.output)[sequence, *at])
        bound = gamma(reach[1] + 4) * (scale * reach[0] + abs(offset))
        return None, abs(said - (scale * int(q[index]) + offset)) / scale, bound / scale


def untraced(answer: Answer, before: Before | None, sequence: int, at: tuple[int, ...]) -> Trace:
    """What can be said without the module: how far the output was from its own tie."""
    distance = None
    if before is not None:
        exact = int(by_sequence(answer.integers, answer.output)[sequence, *at])
        integer = int(by_sequence(answer.nearest(), answer.output)[sequence, *at])
        level = integer if integer > exact else integer + 1
        index = (at[0], sequence, at[1]) if len(at) == 2 else (sequence, at[0])
        distance = abs(float(step_to(level, before.rounding)[0]) - float(before.array[index]))
    return trace_at(answer, sequence, at, cause=Cause.UNKNOWN, distance=distance)


@dataclass(frozen=True, slots=True)
class Before:
    """The values in front of a rounding, in steps of its quantiser (float64: for display)."""

    array: Floats
    rounding: Rounding


def before_output(graph: Graph, values: Values) -> Before | None:
    """What the output's own quantiser rounded, if nothing but moves lies behind it."""
    found: dict[str, Before] = {}
    for op in walk(graph.ops):
        if isinstance(op, Requant):
            ratio, offset = (np.array([float(v) for v in r]) for r in (op.ratio, op.offset))
            found[op.out.name] = Before(values[op.x] * ratio + offset, op.rounding)
    for op in graph.ops:
        if isinstance(op, Scan):
            found |= {o.out.name: found[o.body_value] for o in op.outs if o.body_value in found}
        elif isinstance(op, LAYOUT) and all(name in found for name in op.operands()):
            parts = [found[name] for name in op.operands()]
            moved = RULES[type(op)](op, *(p.array for p in parts))
            found[op.out.name] = Before(np.asarray(moved, np.float64), parts[0].rounding)
    return found.get(graph.outputs[0].x)
