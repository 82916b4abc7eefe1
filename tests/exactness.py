# SPDX-License-Identifier: Apache-2.0
"""The exactness checks: one random network through every engine, nothing but == in between.

Each check takes a spec, raises AssertionError with its repr (which makes a named test of it) or
returns plain facts to be counted. `make sweep` runs all cases, tests/test_exactness.py a tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import exact_cell
import exact_other_cells
import networks
import numpy as np
import onnx
from numpy.typing import NDArray

import hwrnn
from hwrnn.cmodel.data import Batch, arrange, take_batch
from hwrnn.cmodel.fast import compile_graph
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import Design
from hwrnn.design.lower import layers
from hwrnn.errors import DesignError
from hwrnn.ir import Graph, Output
from hwrnn.sim.module import Cause, ModuleReport, Verdict, compare_module
from hwrnn.sim.reference import run_reference
from hwrnn.sim.rtl import RtlResult, Stalls, simulate_rtl

SEED = 2026
NETWORKS = 200
WANTED = {"meaning": 200, "csim": 40, "rtl": 12, "cocotb": 4, "hls_dpi": 4}
"""How many networks go through each check; those that a board refuses do not count."""

EXACT_SEQUENCES = 3
MODULE_SEQUENCES = 32
BOARD = "alveo_u250"
Ints = NDArray[np.int64]
Facts = dict[str, Any]


@cache
def specs() -> list[networks.NetworkSpec]:
    """The networks of the sweep; a flattened sequence as the output is refused, and left out."""
    drawn = networks.sample(NETWORKS + NETWORKS // 4, SEED)
    return [s for s in drawn if s.select != "flatten" or s.dense][:NETWORKS]


@dataclass(frozen=True)
class Case:
    """One check of one network of the sweep."""

    kind: str
    index: int

    @property
    def spec(self) -> networks.NetworkSpec:
        return specs()[self.index]

    def __str__(self) -> str:
        return f"{self.kind}-{self.index}"


def order(kind: str) -> list[Case]:
    """Every network as a case of this kind, in the order in which they are tried."""
    if kind == "meaning":
        return [Case(kind, k) for k in range(NETWORKS)]
    start = sorted(WANTED).index(kind)
    return [Case(kind, (start + 37 * k) % NETWORKS) for k in range(NETWORKS)]


class Subject:
    """A network in its forms, each made when it is first asked for."""

    def __init__(self, spec: networks.NetworkSpec, folder: Path) -> None:
        self.spec = spec
        self.path = folder / "model.onnx"

    @cached_property
    def module(self) -> Any:  # noqa: ANN401 - torch is an extra
        return networks.build(self.spec)

    @cached_property
    def graph(self) -> Graph:
        hwrnn.export(self.module, networks.inputs(self.spec, self.spec.steps, 2, 0), self.path)
        return hwrnn.load(self.path)

    @property
    def output(self) -> Output:
        return self.graph.outputs[0]

    def steps(self, salt: int) -> int:
        """Another number of steps than the exported one, if the network is free to take it."""
        if self.spec.select == "flatten":
            return self.spec.steps
        found = 1 + (self.spec.seed + salt) % 9
        return found if found != self.spec.steps else found + 9

    def inputs(self, batch: int, salt: int) -> NDArray[np.float32]:
        return networks.inputs(self.spec, self.steps(salt), batch, salt)

    def plain(self, batch: Batch) -> list[Ints]:
        """The plain C-model's output of each sequence, (steps, features)."""
        port = self.graph.inputs[0].out.name
        parts = []
        for q in batch.sequences():
            made = run_plain(self.graph, {port: q[:, None]})[self.output.out.name]
            parts.append(made[:, 0] if made.ndim == 3 else made)
        return parts

    def same(self, what: str, expected: object, got: object) -> None:
        """Fail with the spec, so that the failure can become a test."""
        if not np.array_equal(np.asarray(expected), np.asarray(got)):
            raise AssertionError(f"{what}: expected {expected}, got {got}\n{self.spec!r}")


def meaning(spec: networks.NetworkSpec, folder: Path) -> Facts:
    """C-models == the exact file; == rung 1 but for near ties; == the module, or traced."""
    subject = Subject(spec, folder)
    x = subject.inputs(EXACT_SEQUENCES, 1)
    batch = take_batch(subject.graph, x)
    q = arrange(subject.output, subject.plain(batch))
    port = subject.graph.inputs[0].out.name
    fast = compile_graph(subject.graph).run({port: batch.q})[subject.output.out.name]
    parts = list(fast.swapaxes(0, 1)) if fast.ndim == 3 else [row[None] for row in fast]
    subject.same("fast C-model", q, arrange(subject.output, parts))
    exact = exact_other_cells.Exact(subject.path).run(x)
    subject.same("exact-rational model", exact.outputs, real_values(subject.output, q))
    return (
        {"values": int(q.size), "closest": min(exact.closest)}
        | reference(subject, x, q, exact)
        | against_module(subject)
    )


def real_values(output: Output, q: Ints) -> NDArray[Any]:
    """scale * q + offset, as Fractions."""
    scale, offset = output.grid.scale, output.grid.offset
    made = np.empty(q.shape, object)
    for at in np.ndindex(q.shape):
        channel = at[-1]
        s, o = scale[channel % len(scale)], offset[channel % len(offset)]
        made[at] = Fraction(s * int(q[at]) + o)
    return made


def reference(
    subject: Subject, x: NDArray[np.float32], q: Ints, exact: exact_cell.ExactRun
) -> Facts:
    """The lowered file in an independent engine; what differs has to be next to a tie."""
    model = onnx.ModelProto.FromString(subject.graph.lowered or b"")
    grid = subject.output.grid
    scale, offset = (np.array([float(v) for v in r]) for r in (grid.scale, grid.offset))
    made = np.rint((run_reference(model, x) - offset) / scale).astype(np.int64)
    subject.same("shape of rung 1", q.shape, made.shape)
    axis = subject.output.axes.index("B")
    listed = []
    for sequence in range(EXACT_SEQUENCES):
        if (np.take(made, sequence, axis) == np.take(q, sequence, axis)).all():
            continue
        if not exact.is_near_tie(sequence):
            raise AssertionError(f"rung 1 differs without a near tie\n{subject.spec!r}")
        ties = [t for t in exact.near_ties if t.sequence in (-1, sequence)]
        listed.append(f"{ties[0].quantiser}, {ties[0].distance:.1e} from a tie")
    return {"near_ties": listed}


def against_module(subject: Subject) -> Facts:
    """Equal where float32 is exact, else every difference traced."""
    x = subject.inputs(MODULE_SEQUENCES, 2)
    report = compare_module(subject.graph, x, module=subject.module)
    condition = networks.pot_condition(onnx.load(subject.path))
    if condition and not equal_to_module(subject.spec, report):
        raise AssertionError(f"the module differs: {report.rows()[:1]}\n{subject.spec!r}")
    if report.verdict is Verdict.UNTRACED:
        first = next(r for r in report.traces if r.cause is Cause.UNKNOWN)
        raise AssertionError(f"untraced difference from the module: {first}\n{subject.spec!r}")
    if not all(c.traced for c in report.constants):
        raise AssertionError(f"untraced constants: {report.constants}\n{subject.spec!r}")
    causes = [t.cause.name for t in report.traces]
    inside = [t for t in report.traces if t.quantiser]
    return {
        "condition": condition,
        "verdict": report.verdict.value,
        "module_values": report.values,
        "module_differing": report.differing_integers,
        "module_last_bits": report.differing,
        "constants": len(report.constants),
        "distance": max((t.distance or 0.0 for t in inside), default=0.0),
        "bound": max((t.bound or 0.0 for t in inside), default=0.0),
        "causes": {name: causes.count(name) for name in sorted(set(causes))},
    }


def equal_to_module(spec: networks.NetworkSpec, report: ModuleReport) -> bool:
    """Equal; behind an unquantised bias only the last float32 sum may be off in its last bits."""
    if report.verdict is Verdict.EQUAL:
        return True
    last_sum = bool(spec.dense) and spec.dense[-1].bias == "float"
    causes = {t.cause for t in report.traces}
    return last_sum and causes == {Cause.LAST_SUM} and not report.differing_integers


def hardware(subject: Subject) -> tuple[Design, Batch]:
    """The design with a folding drawn from the spec's seed, and sequences of several lengths."""
    rng = np.random.default_rng([subject.spec.seed, 77])
    folding = {
        layer.name: {
            "pe": int(rng.integers(1, layer.units + 1)),
            "simd": int(rng.integers(1, layer.columns + 1)),
        }
        for layer in layers(subject.graph)
    }
    steps, count = subject.steps(3), 4
    lengths = [steps] * count
    if subject.spec.select != "flatten":
        lengths = [int(n) for n in rng.integers(1, steps + 1, count)]
    batch = take_batch(subject.graph, subject.inputs(count, 3), lengths)
    design = hwrnn.build(subject.graph, BOARD, folding=folding, max_steps=max(lengths))
    return design, batch


def on_hardware(check: Callable[[Subject, Design, Batch], Facts]) -> Callable[..., Facts]:
    """A check of a design; a design that the board refuses is a fact, not a failure."""

    def run(spec: networks.NetworkSpec, folder: Path) -> Facts:
        subject = Subject(spec, folder)
        try:
            design, batch = hardware(subject)
        except DesignError as fault:
            return {"refused": str(fault)}
        return check(subject, design, batch) | {"values": int(sum(map(np.size, batch.sequences())))}

    return run


def same_outputs(subject: Subject, what: str, batch: Batch, got: Sequence[Ints]) -> None:
    """Every sequence by itself."""
    for k, (mine, other) in enumerate(zip(subject.plain(batch), got, strict=True)):
        subject.same(f"{what}, shape of sequence {k}", mine.shape, other.shape)
        subject.same(f"{what}, sequence {k}", mine, other)


def csim(subject: Subject, design: Design, batch: Batch) -> Facts:
    """The emitted C++ == the C-model."""
    from hwrnn.sim.csim import simulate_csim

    same_outputs(subject, "csim", batch, simulate_csim(design, batch.sequences()))
    return {}


def hls_dpi(subject: Subject, design: Design, batch: Batch) -> Facts:
    """The emitted C++ behind a stream shell, with stalls == the C-model."""
    from hwrnn.sim.hls_dpi import simulate_hls_dpi

    same_outputs(subject, "hls_dpi", batch, simulate_hls_dpi(design, batch.sequences()))
    return {}


Driver = Literal["harness", "cocotb"]


def rtl(subject: Subject, design: Design, batch: Batch, driver: Driver = "harness") -> Facts:
    """RTL == C-model without stalls, in the estimated cycles, and with random stalls."""
    free = run_rtl(subject, design, batch, driver, Stalls())
    estimated = hwrnn.estimate(design).cycles(list(batch.lengths))
    subject.same("cycles", estimated, free.cycles)
    rng = np.random.default_rng([subject.spec.seed, 78])
    for seed in range(3):
        idle, stall = (float(p) for p in rng.uniform(0.05, 0.9, 2))
        stalls = Stalls(input_idle=idle, output_stall=stall, seed=seed)
        run_rtl(subject, design, batch, driver, stalls)
    return {"cycles": estimated}


def run_rtl(
    subject: Subject, design: Design, batch: Batch, driver: Driver, stalls: Stalls
) -> RtlResult:
    result = simulate_rtl(design, batch.sequences(), stalls=stalls, driver=driver)
    same_outputs(subject, f"rtl with {stalls}", batch, result.outputs)
    subject.same("error bit", False, result.error)
    return result


def cocotb(subject: Subject, design: Design, batch: Batch) -> Facts:
    """The same, driven by cocotb."""
    return rtl(subject, design, batch, "cocotb")


CHECKS: dict[str, Callable[[networks.NetworkSpec, Path], Facts]] = {
    "meaning": meaning,
    "csim": on_hardware(csim),
    "rtl": on_hardware(rtl),
    "cocotb": on_hardware(cocotb),
    "hls_dpi": on_hardware(hls_dpi),
}


def run_case(case: Case, folder: Path) -> Facts:
    """One case; `folder` is empty and may be thrown away."""
    return CHECKS[case.kind](case.spec, folder)
