# SPDX-License-Identifier: Apache-2.0
"""The verification ladder: every engine against the plain C-model, by ==, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwrnn.board import Board
from hwrnn.cmodel.data import (
    Batch,
    Inputs,
    arrange,
    from_axes,
    in_axes,
    one_by_one,
    take_batch,
)
from hwrnn.cmodel.fast import compile_graph
from hwrnn.cmodel.plain import run_plain
from hwrnn.cmodel.saturation import Saturation, input_saturation, saturation
from hwrnn.design.folding import FoldingSpec, resolve
from hwrnn.design.lower import build_design, layers
from hwrnn.design.options import Directions, Options
from hwrnn.errors import DataError, DesignError, Mismatch
from hwrnn.ir import Graph, Input, Output
from hwrnn.ir.steps import fixed_steps, least_steps
from hwrnn.sim.engines import ENGINES, Run, run_engine, run_ports
from hwrnn.sim.locate import InternalDifference, RunOne, locate
from hwrnn.sim.netlist import MapDesign
from hwrnn.sim.tools import Extra, find_package, find_yosys

Ints = NDArray[np.int64]
Outputs = dict[Output, Ints]
ALL = ("reference", "cmodel", *ENGINES)
RANDOM_SEQUENCES = 16
SEED = 2026


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first value on which two engines differ."""

    sequence: int
    step: int | None
    unit: int
    expected: int
    got: int
    output: str = ""

    def __str__(self) -> str:
        where = f"output {self.output}, " if self.output else ""
        where += f"sequence {self.sequence}, " + (
            "" if self.step is None else f"step {self.step}, "
        )
        return f"{where}unit {self.unit}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """How one engine compares with the plain C-model. `tool`: who made the netlist that ran."""

    engine: str
    values: int
    differing: int
    first: Difference | None
    internal: InternalDifference | None = None
    tool: str = ""

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON and tables."""
        named = {"tool": self.tool} if self.tool else {}
        return {
            "engine": self.engine,
            **named,
            "values": self.values,
            "differing": self.differing,
            "first_difference": str(self.first) if self.first else "",
            "first_internal": str(self.internal) if self.internal else "",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """All engines, the module if one was given, and how often each quantiser saturates."""

    engines: tuple[EngineReport, ...]
    module: object | None
    saturation: tuple[Saturation, ...]

    @property
    def ok(self) -> bool:
        """No engine differs. Differences from the torch module are reported, not failed."""
        return all(e.differing == 0 for e in self.engines)

    def check(self) -> VerifyReport:
        """Raise Mismatch naming the first difference, or return the report."""
        for e in self.engines:
            if e.differing:
                inside = f"; first inside: {e.internal}" if e.internal else ""
                fact = f"{e.differing} values differ; {e.first}{inside}"
                raise Mismatch(f"engine {e.engine}", fact)
        return self

    def rows(self) -> list[dict[str, object]]:
        """One row an engine; all have the same entries."""
        rows = [e.as_dict() for e in self.engines]
        tools = any("tool" in row for row in rows)
        return [{"engine": "", "tool": ""} | row for row in rows] if tools else rows

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        made: dict[str, object] = {"ok": self.ok, "engines": self.rows()}
        made["saturation"] = [s.as_dict() for s in self.saturation]
        if self.module is not None:
            made["module"] = self.module.as_dict()  # type: ignore[attr-defined]
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """How the hardware engines are built; `map_design` makes the netlists of the engine netlist."""

    board: Board
    folding: FoldingSpec = None
    options: Options = Options()  # noqa: RUF009 - frozen
    map_design: MapDesign | None = None

    def tool(self, engine: str) -> str:
        """What made the hardware that runs, where it is not what hwrnn wrote itself."""
        if engine != "netlist":
            return ""
        yosys = find_yosys()
        return f"{self.board.family} cells of {yosys} {find_package(yosys, Extra.SYNTH)}"


def verify_graph(
    graph: Graph,
    x: Inputs | None,
    *,
    engines: Sequence[str],
    module: object,
    expected: ArrayLike | None,
    hardware: Hardware,
) -> VerifyReport:
    """Run every engine on x and compare; see `hwrnn.verify`."""
    engines = (engines,) if isinstance(engines, str) else tuple(engines)
    known = f"the engines are {', '.join(ALL)}"
    if not engines and module is None and expected is None:
        raise DesignError("option engines", "is empty: nothing would be compared", known)
    for name in engines:
        if name not in ALL:
            raise DesignError(f'engine "{name}"', "is not known", known)
    batch = random_batch(graph) if x is None else take_batch(graph, x)
    values = [run_plain(graph, one) for one in one_by_one(graph, batch)]
    exact = arranged(graph, values)
    run = runner(graph, batch, hardware)
    reports = []
    for name in engines:
        got = run(name)
        report = together([compared(name, exact[o], got[o], o) for o in graph.outputs])
        if report.first and name != "reference" and not batch.states:
            k = report.first.sequence
            one = one_sequence(name, graph, hardware)
            inside = locate(graph, batch.sequences()[k], values[k], one)
            report = replace(report, internal=inside)
        reports.append(replace(report, tool=hardware.tool(name)))
    return VerifyReport(
        engines=tuple(reports),
        module=module_report(graph, x, module, expected),
        saturation=(*input_saturation(graph, x), *saturation(graph, values)),
    )


def arranged(graph: Graph, values: Sequence[Mapping[str, Ints]]) -> Outputs:
    """Every output in the model's axes, from the values of each sequence."""
    return {o: arrange(o, [sequence_part(v[o.out.name]) for v in values]) for o in graph.outputs}


def together(reports: Sequence[EngineReport]) -> EngineReport:
    """One report of those of several outputs; only then does a difference name its output."""
    if len(reports) == 1:
        return replace(reports[0], first=reports[0].first and replace(reports[0].first, output=""))
    return replace(
        reports[0],
        values=sum(r.values for r in reports),
        differing=sum(r.differing for r in reports),
        first=next((r.first for r in reports if r.first), None),
    )


def sequence_part(q: Ints) -> Ints:
    """(steps, 1, F) or (1, F) as (steps, F)."""
    return q[:, 0] if q.ndim == 3 else q


def runner(graph: Graph, batch: Batch, hardware: Hardware) -> Callable[[str], Outputs]:
    """A function that gives an engine's outputs in the model's axes."""

    def run(name: str) -> Outputs:
        if name == "reference":
            return run_lowered(graph, batch)
        if name == "cmodel":
            model = compile_graph(graph)
            return arranged(graph, [model.run(one) for one in one_by_one(graph, batch)])
        if len(graph.inputs) == len(graph.outputs) == 1:
            parts = run_sequences(name, graph, batch.sequences(), hardware)
            return {graph.outputs[0]: arrange(graph.outputs[0], parts)}
        steps = max(batch.lengths)
        design = build_design(graph, hardware.board, hardware.folding, steps, hardware.options)
        how = Run(engine=name, map_design=hardware.map_design)
        every, _ = run_ports(design, batch, how)
        return {o: arrange(o, every[o.out.name]) for o in graph.outputs}

    return run


def run_sequences(name: str, graph: Graph, sequences: list[Ints], hardware: Hardware) -> list[Ints]:
    """Each sequence on an engine: (steps, F), or (1, F) for one vector a sequence."""
    if name == "cmodel":
        model, port, out = compile_graph(graph), graph.inputs[0].out.name, graph.outputs[0].out.name
        return [sequence_part(model.run({port: q[:, None]})[out]) for q in sequences]
    steps = max(len(q) for q in sequences)
    design = build_design(graph, hardware.board, hardware.folding, steps, hardware.options)
    return run_engine(design, sequences, name, None, map_design=hardware.map_design)[0]


def one_sequence(name: str, graph: Graph, hardware: Hardware) -> RunOne:
    """A function that runs one sequence through a part of the graph, folded like the whole.

    The part has one stream, and an engine for each direction that it has.
    """
    folds = resolve(hardware.folding, layers(graph))
    options = replace(hardware.options, streams=1, directions=Directions.TWO, writable=False)

    def run(part: Graph, q: Ints) -> Ints:
        known = {layer.name: folds[layer.name] for layer in layers(part)}
        spec = {layer: {"pe": f.pe, "simd": f.simd} for layer, f in known.items()}
        alone = replace(hardware, folding=spec, options=options)
        return run_sequences(name, part, [q], alone)[0]

    return run


def run_lowered(graph: Graph, batch: Batch) -> Outputs:
    """The lowered QONNX file in an independent ONNX engine, its real outputs as integers."""
    from onnx import ModelProto

    from hwrnn.frontend.walker import leads_to_state
    from hwrnn.sim.reference import Reference

    if graph.lowered is None:
        raise DataError(
            f"graph {graph.name}",
            "was not loaded from a QONNX file, so that there is nothing for the engine reference",
            "leave the engine reference out",
        )
    model = ModelProto.FromString(graph.lowered)
    engine = Reference(model)
    names = sorted(engine.inputs, key=lambda name: leads_to_state(model.graph, name))
    results = []
    for one in one_by_one(graph, batch):
        real = {
            n: real_values(p, one[p.out.name]) for n, p in zip(names, graph.inputs, strict=True)
        }
        made = engine.run(real).values()
        results.append(
            {
                o.out.name: np.rint(on_grid(o, from_axes(o, v))).astype(np.int64)
                for o, v in zip(graph.outputs, made, strict=True)
            }
        )
    return arranged(graph, results)


def real_values(port: Input, q: Ints) -> NDArray[np.float64]:
    """What an ONNX engine is given for integers, in the model's axes."""
    scale, first = (
        np.array([float(v) for v in r]) for r in (port.quantiser.scale, port.quantiser.offset)
    )
    return in_axes(port, np.asarray(q * scale + first, np.float64))


def on_grid(output: Output, real: NDArray[np.floating]) -> NDArray[np.float64]:
    """Real outputs in units of the output's grid."""
    grid = output.grid
    scale, offset = (np.array([float(v) for v in r]) for r in (grid.scale, grid.offset))
    return np.asarray((real.astype(np.float64) - offset) / scale)


def compared(name: str, exact: Ints, got: Ints, output: Output) -> EngineReport:
    """Count the differences and name the first, in the order of sequence, step, unit."""
    exact, got = from_axes(output, exact), from_axes(output, got)
    if exact.ndim == 3:
        exact, got = exact.swapaxes(0, 1), got.swapaxes(0, 1)
    differs = exact != got
    first = None
    if differs.any():
        index = tuple(int(k) for k in np.argwhere(differs)[0])
        first = Difference(
            sequence=index[0],
            step=index[1] if len(index) == 3 else None,
            unit=index[-1],
            expected=int(exact[index]),
            got=int(got[index]),
            output=output.out.name,
        )
    return EngineReport(engine=name, values=exact.size, differing=int(differs.sum()), first=first)


def random_batch(graph: Graph) -> Batch:
    """Seeded random sequences, as long as the model's example or shorter; some are extreme."""
    rng = np.random.default_rng(SEED)
    port = graph.inputs[0]
    least = least_steps(graph)
    steps = fixed_steps(graph) or max(port.example_steps or 16, least)
    low, high = port.out.type.lo, port.out.type.hi
    shape = (steps, RANDOM_SEQUENCES, port.out.size)
    states = {
        s.out.name: rng.integers(s.out.type.lo, s.out.type.hi + 1, (RANDOM_SEQUENCES, s.out.size))
        for s in graph.inputs[1:]
    }
    uniform = rng.integers(low, high + 1, shape)
    middle, spread = (low + high) / 2, (high - low) / 6
    normal = np.clip(np.rint(rng.normal(middle, spread, shape)), low, high).astype(np.int64)
    q = np.where(np.arange(RANDOM_SEQUENCES)[None, :, None] % 4 == 0, uniform, normal)
    if fixed_steps(graph):
        return Batch(q, (steps,) * RANDOM_SEQUENCES, states)
    return Batch(q, tuple(int(n) for n in rng.integers(least, steps + 1, RANDOM_SEQUENCES)), states)


def module_report(
    graph: Graph, x: Inputs | None, module: object, expected: ArrayLike | None
) -> object | None:
    """How the torch module's own outputs compare, if there are any."""
    if module is None and expected is None:
        return None
    if x is None:
        raise DataError("verify", "was given a module's outputs but not its input", "pass x")
    from hwrnn.sim.module import compare_module

    return compare_module(graph, x, module=module, expected=expected)
