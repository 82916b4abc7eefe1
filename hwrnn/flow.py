# SPDX-License-Identifier: Apache-2.0
"""The public functions: load, run, build, estimate, emit, simulate, synthesise, verify (and
export).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwrnn.board import Board, load_board
from hwrnn.cmodel.data import (
    Batch,
    Inputs,
    feeds,
    in_axes,
    run_real,
    take_batch,
    to_real,
    together,
)
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import Design
from hwrnn.design.estimate import Estimate
from hwrnn.design.folding import FoldingSpec
from hwrnn.design.folding_file import folding_of
from hwrnn.design.goal import goal_of
from hwrnn.design.lower import build_design
from hwrnn.design.options import options, whole_number
from hwrnn.design.solver import solve
from hwrnn.errors import OutputError, shorten
from hwrnn.frontend.export import export
from hwrnn.ir import Graph, Output

if TYPE_CHECKING:
    from hwrnn.backends.files import FileSet
    from hwrnn.backends.image import Image
    from hwrnn.cmodel.fast import Compiled
    from hwrnn.sim.engines import SimResult
    from hwrnn.sim.verify import VerifyReport
    from hwrnn.synth.result import SynthResult

__all__ = [
    "build",
    "emit",
    "estimate",
    "export",
    "load",
    "run",
    "simulate",
    "synthesise",
    "trace",
    "verify",
    "weights",
]

MOST_STEPS = 100_000  # of a schedule, which is computed step by step
MOST_BUFFERED = 1 << 24  # steps of a sequence; no board has room for more

Ints = NDArray[np.int64]
Arrays = NDArray[Any] | dict[str, NDArray[Any]]
Data = ArrayLike | Sequence[ArrayLike]


def load(
    path: str | os.PathLike[str],
    *,
    calibration: Data | Mapping[str, Data] | None = None,
    weight_bits: int = 8,
    act_bits: int = 8,
    scales: str = "pot",
    observer: str = "max",
) -> Graph:
    """Read a QONNX or ONNX file as an integer graph.

    calibration: data as the model takes them, in the model's axes (or a list of such arrays, of
    different lengths; of several inputs a dict of those, by name): whatever is not quantised yet
    is quantised so that these data fit. Then
    `scales` are "pot" (powers of two) or "float", and `observer` "max", "percentile" or "mse".
    Raises ImportFault, with place, fact and remedy, for what cannot be compiled exactly.
    """
    from hwrnn.frontend.integerise import integerise
    from hwrnn.frontend.lower_cells import example_steps
    from hwrnn.frontend.read import lower, naming, read_model
    from hwrnn.transforms.pipeline import run_pipeline

    file = Path(path)
    shown = shorten(file.name, 48)
    lowered = lower(read_model(path, floats=calibration is not None)).model
    if calibration is not None:
        from hwrnn.frontend.calibrate import calibrated
        from hwrnn.nn.observers import Recipe

        recipe = Recipe(
            weight_bits=weight_bits, act_bits=act_bits, scales=scales, observer=observer
        )
        with naming(shown):
            lowered = calibrated(lowered, calibration, recipe)
    steps = example_steps(lowered)
    graph = run_pipeline(integerise(lowered, file.stem, steps, shown))
    return replace(graph, lowered=lowered.SerializeToString())


def run(
    graph: Graph,
    x: Inputs,
    *,
    integers: bool = False,
    lengths: Sequence[int] | None = None,
    first: Sequence[bool] | None = None,
) -> Arrays:
    """Run the Python C-model.

    x: the model's own axes and shape (`graph.inputs[0].axes`); float32 values are quantised by
    the first quantiser, integers are taken as quantised. A model with several inputs (initial
    states) takes a dict by name, or a tuple in the order of `graph.inputs`. `lengths`: the steps
    of each sequence that count; a sequence output is filled up with 0 behind them. `first`: the
    sequences of the batch are fragments; each goes on where the one before it ended, unless its
    flag says that a new sequence starts with it (docs/streaming.md). Returns float32, rounded once
    from the exact real values, or with `integers` the int64 behind them; a dict by name if the
    graph has several outputs. Raises DataError.
    """
    from hwrnn.cmodel.fast import compile_graph

    batch = take_batch(graph, x, lengths)
    model = compile_graph(graph)
    outputs = graph.outputs
    made: dict[str, NDArray[Any]]
    if len(set(batch.lengths)) == 1 and first is None:
        inputs = feeds(graph, batch, batch.lengths[0])
        found: Mapping[str, NDArray[Any]] = (
            model.run(inputs) if integers else run_real(model, inputs)
        )
        made = {o.out.name: in_axes(o, found[o.out.name]) for o in outputs}
    else:
        whole = mixed_lengths(model, batch) if first is None else fragments(graph, batch, first)
        made = {o.out.name: in_axes(o, q if integers else to_real(o, q)) for o, q in whole.items()}
    return next(iter(made.values())) if len(made) == 1 else made


def mixed_lengths(model: Compiled, batch: Batch) -> dict[Output, Ints]:
    """Every output, (steps, batch, F) or (batch, F); sequences of one length run together."""
    graph, none = model.graph, np.empty(0, dtype=np.int64)
    parts = {o.out.name: [none] * len(batch.lengths) for o in graph.outputs}
    for steps, members in batch.groups().items():
        found = model.run(feeds(graph, batch, steps, members))
        for name, q in found.items():
            for k, b in enumerate(members):
                parts[name][b] = q[:, k] if q.ndim == 3 else q[k][None]
    return {o: together(o, parts[o.out.name]) for o in graph.outputs}


def fragments(graph: Graph, batch: Batch, first: Sequence[bool]) -> dict[Output, Ints]:
    """Every output of each fragment."""
    from hwrnn.cmodel.fragments import check_first, run_fragments

    return run_fragments(graph, batch, check_first(first, len(batch.lengths)))


def trace(graph: Graph, x: Inputs) -> dict[str, Ints]:
    """Every named integer of a run, those inside of the cells step by step.

    Arrays are (steps, batch, elements), or (batch, elements) for one vector a sequence.
    """
    batch = take_batch(graph, x)
    return run_plain(graph, feeds(graph, batch))


def build(
    graph: Graph,
    board: str | Path | Board = "pynq_z2",
    *,
    folding: FoldingSpec = None,
    target_latency_us: float | None = None,
    target_sequences_per_s: float | None = None,
    fill: float | None = None,
    pipeline: str = "clock",
    streams: int = 1,
    directions: str = "two",
    weights: str = "auto",
    writable_weights: bool = False,
    multipliers: str = "auto",
    state: str = "reset",
    max_steps: int | None = None,
    argmax: bool = False,
) -> Design:
    """The dataflow design of a graph for a board.

    folding: {"pe": 4, "simd": 16} for every layer, or {layer: {...}}, or a JSON file of that.
    Instead of it one of: target_latency_us, of one sequence of the example's length at the board's
    clock; target_sequences_per_s; both give the smallest design that meets them. fill: the share of
    the board, at most 1, of which the fastest design is wanted. `Design.bound` says what bounds it.
    max_steps: the longest sequence of a bidirectional design, which buffers whole sequences.
    state: "reset", or "keep": recurrent states go on from one packet to the next, until one says
    that a new sequence starts (docs/streaming.md).
    argmax: the hardware gives the index of the largest output (of the exact reals) instead.
    Raises BoardError, DesignError.
    """
    if argmax:
        from hwrnn.transforms.top_one import top_one

        graph = top_one(graph)
    if max_steps is not None:
        max_steps = whole_number("max_steps", max_steps, MOST_BUFFERED)
    found = board if isinstance(board, Board) else load_board(board)
    chosen = options(
        pipeline=pipeline,
        streams=streams,
        directions=directions,
        weights=weights,
        multipliers=multipliers,
        writable_weights=writable_weights,
        state=state,
    )
    goal = goal_of(folding, target_latency_us, target_sequences_per_s, fill)
    if goal is None:
        return build_design(graph, found, folding, max_steps, chosen)
    from hwrnn.backends.rtl_parts import taken

    return solve(graph, found, goal, max_steps, chosen, take=taken)


def estimate(design: Design, steps: int | None = None) -> Estimate:
    """Cycles, latency and resources of a design; see `hwrnn.design.estimate.Estimate`."""
    if steps is not None:
        steps = whole_number("steps", steps, MOST_STEPS)
    from hwrnn.backends.rtl_parts import fitted

    return fitted(design, steps)


def emit(design: Design, backend: str = "hls") -> FileSet:
    """The files of a hardware project, path -> text or bytes; nothing is written.

    backend: `hls`, `rtl` or `both`.
    """
    from hwrnn.backends.project import emit_project

    return emit_project(design, backend)


def simulate(
    design: Design,
    x: Inputs,
    *,
    engine: str = "rtl",
    lengths: Sequence[int] | None = None,
    first: Sequence[bool] | None = None,
    trace: str | Path | None = None,
    image: Image | None = None,
) -> SimResult:
    """Simulate the emitted hardware: `csim`, `rtl`, `hls_dpi`, or `netlist` (that of yosys).

    x: as for `run`. The result's `outputs` are integers in the model's axes, a dict by name if
    there are several; `cycles` is first input beat accepted to last output beat accepted, over
    all ports (None for csim and hls_dpi). `trace`: a VCD
    file to write (rtl). `image`: of another model (`weights`), written to a design with writable
    weights first; x is then quantised as that model does. `first`, for a design
    with state="keep": as for `run`; by default the batch is one sequence in fragments. Raises
    DataError, ToolError.
    """
    from hwrnn.sim.engines import simulate_batch
    from hwrnn.synth.simulate import map_design

    graph = design.graph if image is None else image.graph
    batch: Batch = take_batch(graph, x, lengths)
    file = None if trace is None else writable(Path(trace))
    return simulate_batch(design, batch, engine, file, image, first=first, map_design=map_design)


def writable(path: Path) -> Path:
    """Where a file is to go. Raises OutputError if none can be there."""
    if path.is_dir():
        raise OutputError(str(path), "is a folder", "name a file in it")
    if not path.absolute().parent.is_dir():
        raise OutputError(str(path), "its folder does not exist", "create it first")
    return path


def synthesise(
    design: Design, *, place: bool = False, freq_mhz: float | None = None, seed: int = 1
) -> SynthResult:
    """Synthesise the RTL of a design with yosys and, with `place`, place and route it with nextpnr.

    The result has `total`, `units` (cells by kernel), `use` (of the board), `placed`, `path` and
    `as_dict()`; `check()` raises if the design does not fit the board, or misses `freq_mhz`
    (default: the board's clock). A design that does not fit is not placed. Raises BoardError for
    `place` on a board without open place and route, ToolError.
    """
    from hwrnn.synth.result import synth_design

    return synth_design(design, place_it=place, freq_mhz=freq_mhz, seed=seed)


def weights(design: Design, graph: Graph) -> Image:
    """What to write to a design with writable weights so that it computes another model.

    graph: a model of the same shape as the one that the design was built from. The image's
    `words` are (byte address, 32 bits) in order; `write(path)` writes them as text. Raises
    DesignError naming the layer and the op of which this design cannot hold the numbers, or for
    which no exact constants exist in its form.
    """
    from hwrnn.backends.image import image

    return image(design, graph)


def verify(
    graph: Graph,
    x: Inputs | None = None,
    *,
    engines: Sequence[str] = ("reference", "cmodel", "csim", "rtl"),
    module: object = None,
    expected: ArrayLike | None = None,
    board: str | Path | Board = "pynq_z2",
    folding: FoldingSpec | Mapping[str, object] = None,
    design: Design | None = None,
) -> VerifyReport:
    """Compare engines with the plain C-model, bit for bit.

    x: input data; by default 16 seeded random sequences. `module`: the torch module, or
    `expected`: its outputs; then the report says how many differ and why. `design`: its board,
    folding and options are those of the engines, instead of `board` and `folding`. Nothing is
    raised for a difference: look at `report.ok`, or call `report.check()`.
    """
    from hwrnn.sim.verify import Hardware, verify_graph
    from hwrnn.synth.simulate import map_design

    if design is None:
        found = board if isinstance(board, Board) else load_board(board)
        hardware = Hardware(board=found, folding=folding, map_design=map_design)
    else:
        hardware = Hardware(
            board=design.board,
            folding=folding_of(design),
            options=design.options,
            map_design=map_design,
        )
    return verify_graph(
        graph, x, engines=engines, module=module, expected=expected, hardware=hardware
    )
