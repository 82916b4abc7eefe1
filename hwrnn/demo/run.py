# SPDX-License-Identifier: Apache-2.0
"""The demo from the training to the report, stage by stage."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwrnn import flow
from hwrnn.backends.files import FileSet
from hwrnn.cmodel.data import take_batch, to_real
from hwrnn.cmodel.plain import run_plain
from hwrnn.cmodel.saturation import Saturation, saturation
from hwrnn.demo.digits import Digits, accuracy, load_digits
from hwrnn.demo.page import demo_page
from hwrnn.demo.result import BoardResult, DemoResult, EngineResult, float_bits, integer_bits
from hwrnn.design.design import Design
from hwrnn.ir import Graph
from hwrnn.sim.tools import Extra, missing
from hwrnn.sim.verify import run_lowered

if TYPE_CHECKING:
    from torch import nn

Ints = NDArray[np.int64]
Reals = NDArray[np.float32]
Tick = Callable[[int], None]
T = TypeVar("T")


class Stages(Protocol):
    """Shows that a stage has begun, how far it is (if it has a total) and that it has ended."""

    def __call__(self, name: str, total: int | None = None) -> AbstractContextManager[Tick]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A board, what is written for it, and how its layers are folded."""

    board: str
    backend: str
    folding: dict[str, int]


TARGETS = (
    Target(board="pynq_z2", backend="both", folding={"pe": 4, "simd": 8}),
    Target(board="ulx3s_85f", backend="rtl", folding={"pe": 1, "simd": 8}),
)
SEED = 0
REPEATS, LONG_ENOUGH = 5, 1.0  # a time is the least of five, but of one that takes a second


@dataclass
class Bench:
    """The model, the test split, what the module made of it, and what each engine did."""

    graph: Graph
    digits: Digits
    module: Reals
    exact: Ints
    found: list[EngineResult] = field(default_factory=list)

    def note(self, engine: str, q: Ints, seconds: float) -> None:
        """Compare an engine's integers with those of the plain C-model and with the module."""
        y = to_real(self.graph.outputs[0], q)
        self.found.append(
            EngineResult(
                engine=engine,
                accuracy=accuracy(y, self.digits.test_y),
                bits=integer_bits(self.exact, q),
                module_bits=float_bits(self.module, y),
                seconds=seconds,
                digits=len(y),
            )
        )

    def note_network(self, name: str, y: Reals, seconds: float) -> None:
        """Note a torch network, which has no integers."""
        right = accuracy(y, self.digits.test_y)
        self.found.append(
            EngineResult(
                engine=name,
                accuracy=right,
                bits=None,
                module_bits=None,
                seconds=seconds,
                digits=len(y),
            )
        )


def run_demo(folder: Path, stages: Stages, *, seed: int = SEED) -> DemoResult:
    """Train, export, build, simulate the whole test split, write everything to `folder`.

    Raises ToolError if a tool is missing, OutputError if the folder cannot be written. A
    difference is not raised: look at the result's `ok`.
    """
    for error in (*missing(Extra.TRAIN), *missing(Extra.SIM)):
        raise error
    digits = load_digits(seed)
    files = FileSet({"test_x.npy": npy(digits.test_x), "test_y.npy": npy(digits.test_y)})
    files.write(folder)  # before the work, so that a bad folder is known now
    bench, model = trained(digits, stages, seed)
    files |= FileSet({"digits.onnx": model, "module_y.npy": npy(bench.module)})
    designs = [flow.build(bench.graph, t.board, folding=t.folding) for t in TARGETS]
    with stages("writing the projects"):
        for target, design in zip(TARGETS, designs, strict=True):
            files |= flow.emit(design, target.backend).under(target.board)
    with stages("running the independent ONNX engine"):
        x = take_batch(bench.graph, digits.test_x)
        (made,), seconds = timed(lambda: [*run_lowered(bench.graph, x).values()])
        bench.note("lowered QONNX, onnx.reference", made, seconds)
    with stages("running the C-model"), one_blas_thread():
        found, seconds = warm(lambda x: flow.run(bench.graph, x, integers=True), digits.test_x)[1:]
        assert isinstance(found, np.ndarray)
        bench.note("C-model, Python", found, seconds)
    simulate_csim(bench, designs[0], stages)
    boards = tuple(simulate_rtl(bench, design, stages) for design in designs)
    result = DemoResult(
        engines=tuple(bench.found),
        boards=boards,
        saturation=clamped(bench),
        files=places(folder),
    )
    (files | FileSet({"report.html": demo_page(result)})).write(folder)
    return result


def trained(digits: Digits, stages: Stages, seed: int) -> tuple[Bench, bytes]:
    """Train, export and load; the graph and the bytes of the QONNX file."""
    with stages("loading torch and Brevitas"):
        from hwrnn.demo import training
    with stages("training in float", training.FLOAT_PLAN.epochs) as tick:
        network = training.train_float(digits, tick, seed=seed)
    with stages("training with 4-bit weights", training.QUANT_PLAN.epochs) as tick:
        module = training.train_quantised(network, digits, tick, seed=seed)
    with stages("exporting to QONNX, loading it as integers"):
        graph, model = exported(module, digits.test_x[:1])
    x = digits.test_x
    float_answer, float_seconds = timed(lambda: training.scores(network, x))
    answer, seconds = timed(lambda: training.scores(module, x))
    bench = Bench(graph, digits, answer, plain(graph, x)[graph.outputs[0].out.name])
    bench.note_network("float network, torch", float_answer, float_seconds)
    bench.note_network("quantised module, Brevitas", answer, seconds)
    return bench, model


def exported(module: nn.Module, example: Reals) -> tuple[Graph, bytes]:
    """A module as an integer graph, and as the file from which that was loaded."""
    with tempfile.TemporaryDirectory(prefix="hwrnn-demo-") as place:
        path = Path(place, "digits.onnx")
        flow.export(module, example, path)
        return flow.load(path), path.read_bytes()


def simulate_csim(bench: Bench, design: Design, stages: Stages) -> None:
    """The emitted HLS C++, compiled by g++."""
    with stages(f"HLS C++ for {design.board.name}: compiling and running"):
        _, found, seconds = warm(
            lambda x: flow.simulate(design, x, engine="csim").outputs, bench.digits.test_x
        )
    bench.note(f"HLS C++ for {design.board.name}, g++", found, seconds)


def simulate_rtl(bench: Bench, design: Design, stages: Stages) -> BoardResult:
    """The emitted SystemVerilog in Verilator: the outputs, and the cycles of one and of all."""
    x = bench.digits.test_x
    with stages(f"SystemVerilog for {design.board.name}: compiling and running"):
        one, found, seconds = warm(lambda x: flow.simulate(design, x, engine="rtl"), x)
    bench.note(f"SystemVerilog for {design.board.name}, Verilator", found.outputs, seconds)
    estimate = flow.estimate(design, steps=x.shape[1])
    return BoardResult(
        estimate=estimate,
        digits=len(x),
        one_simulated=one.cycles or 0,
        all_estimated=estimate.cycles(sequences=len(x)),
        all_simulated=found.cycles or 0,
    )


def plain(graph: Graph, x: Reals) -> dict[str, Ints]:
    """Every integer of the plain C-model: what all engines are compared with."""
    return run_plain(graph, {graph.inputs[0].out.name: take_batch(graph, x).q})


def clamped(bench: Bench) -> tuple[Saturation, ...]:
    """How often each quantiser's clamp was at work."""
    return saturation(bench.graph, [plain(bench.graph, bench.digits.test_x)])


def one_blas_thread() -> AbstractContextManager[object]:
    """Speeds are those of one thread: numpy's matrix products, too."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    limits: AbstractContextManager[object] = threadpool_limits(limits=1)
    return limits


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """A result, and the seconds that it took: the least of several times, if it is quick."""
    seconds: list[float] = []
    while not seconds or (sum(seconds) < LONG_ENOUGH and len(seconds) < REPEATS):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    return found, min(seconds)


def warm(work: Callable[[Reals], T], x: Reals) -> tuple[T, T, float]:
    """One digit, so that whatever is done once is done; then all, with the seconds for them."""
    return work(x[:1]), *timed(lambda: work(x))


def npy(array: NDArray[Any]) -> bytes:
    """An array as the bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def places(folder: Path) -> tuple[tuple[str, str], ...]:
    """What was written, and where."""
    hls, rtl = "hls_project", "rtl_project"
    return (
        ("trained model, QONNX", str(folder / "digits.onnx")),
        ("HLS project, PYNQ-Z2", str(folder / "pynq_z2" / hls)),
        ("RTL project, PYNQ-Z2", str(folder / "pynq_z2" / rtl)),
        ("RTL project, ULX3S", str(folder / "ulx3s_85f")),
        ("test images, classes", f"{folder / 'test_x.npy'}, {folder / 'test_y.npy'}"),
        ("report with pictures", str(folder / "report.html")),
    )
