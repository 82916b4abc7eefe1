# SPDX-License-Identifier: Apache-2.0
"""The command line: each command calls the public functions and prints a table or JSON.

Exit codes: 0 ok, 1 a check failed, 2 bad input or usage, 3 a needed tool is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwrnn import __version__
from hwrnn.cli_bitstream import (
    Baud,
    Freq,
    Seed,
    Wanted,
    make_bitstream,
    print_bitstream,
    with_clock,
)
from hwrnn.cli_files import load_array, load_inputs, save_arrays, save_outputs, save_text
from hwrnn.cli_options import calibrates, chooses_design
from hwrnn.cli_print import print_json, print_table, stages, timed_stage
from hwrnn.cli_resources import print_resources
from hwrnn.cli_synth import synth
from hwrnn.errors import DataError, DesignError, HwrnnError, ToolError

if TYPE_CHECKING:
    from hwrnn.design.estimate import Estimate
    from hwrnn.sim.verify import VerifyReport

SHOWN_TRACES = 10

app = typer.Typer(
    help="FPGA projects for quantised recurrent networks, proved bit-exact.",
    epilog="Exit codes: 0 ok, 1 a check failed, 2 bad input or usage, 3 a needed tool is missing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Backend(StrEnum):
    """What `build` writes."""

    HLS = "hls"
    RTL = "rtl"
    BOTH = "both"


Model = Annotated[Path, typer.Argument(help="QONNX file, or a float ONNX file (--calibration).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
SaveFolding = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the folding, for --folding.")
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an HwrnnError is printed, without traceback."""
    try:
        app(args=None if argv is None else list(argv), prog_name="hwrnn")
    except HwrnnError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _version(wanted: bool) -> None:
    if wanted:
        print(f"hwrnn {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


@app.command()
@calibrates
@chooses_design
def build(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    chosen: dict[str, Any],
    recipe: dict[str, Any],
    backend: Annotated[Backend, typer.Option(help="What to write.")] = Backend.BOTH,
    save_folding: SaveFolding = None,
    bitstream: Wanted = False,
    freq: Freq = None,
    seed: Seed = 1,
    baud: Baud = None,
    as_json: Json = False,
) -> None:
    """Write a hardware project for a board, with --bitstream also what the board loads.

    Exit code 1 if a bitstream is wanted and the design does not fit, or misses its clock.
    """
    import hwrnn
    from hwrnn.backends.files import refuse_foreign
    from hwrnn.design.folding_file import write_folding

    refuse_foreign(output)
    chosen = with_clock(chosen, freq, baud, bitstream=bitstream)
    with stages("reading the model", "building", "writing") as stage:
        next(stage)
        graph = hwrnn.load(model, **recipe)
        next(stage)
        design = hwrnn.build(graph, **chosen)
        estimated = hwrnn.estimate(design)
        next(stage)
        files = hwrnn.emit(design, backend=str(backend))
    made = make_bitstream(design, seed, baud) if bitstream else None
    if save_folding is not None:
        write_folding(save_folding, design)
    (files if made is None else files | made.files).write(output)
    if as_json:
        facts: dict[str, object] = {"estimate": _facts(estimated)}
        facts |= {"bitstream": made.as_dict()} if made else {}
        print_json({"folder": str(output), "backend": str(backend)} | facts)
        return
    _print_estimate(estimated)
    print(f"project: {output}")
    if made is not None:
        print_bitstream(made, output)


@app.command()
@calibrates
def show(model: Model, recipe: dict[str, Any]) -> None:
    """Print the integer graph as text."""
    import hwrnn

    print(hwrnn.load(model, **recipe))


@app.command()
@calibrates
def run(
    model: Model,
    inputs: Annotated[
        Path, typer.Argument(metavar="X.NPY", help="Input array; several inputs by name: .npz.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the outputs go (.npy).")],
    recipe: dict[str, Any],
    dump: Annotated[
        Path | None, typer.Option(help="Folder for every named internal integer.")
    ] = None,
    integers: Annotated[bool, typer.Option(help="Write integers, not real values.")] = False,
    lengths: Annotated[
        Path | None, typer.Option(help="Steps of each sequence that count (.npy).")
    ] = None,
) -> None:
    """Run the C-model on an array."""
    import hwrnn

    x = load_inputs(inputs)
    steps: Any = None if lengths is None else load_array(lengths)
    if dump is not None and steps is not None:
        raise DataError("--dump", "shows whole sequences", "leave out --lengths")
    with stages("reading the model", "running the C-model") as stage:
        next(stage)
        graph = hwrnn.load(model, **recipe)
        next(stage)
        y = hwrnn.run(graph, x, integers=integers, lengths=steps)
        if dump is not None:
            from hwrnn.flow import trace

            save_arrays(dump, trace(graph, x))
    for path in save_outputs(output, y):
        print(path)


@app.command()
@calibrates
@partial(chooses_design, board="pynq_z2")
def verify(
    model: Model,
    chosen: dict[str, Any],
    recipe: dict[str, Any],
    engines: Annotated[
        str, typer.Option(help="Any of reference,cmodel,csim,hls_dpi,rtl,netlist.")
    ] = "reference,cmodel,csim,rtl",
    inputs: Annotated[
        Path | None, typer.Option("--input", help="Input array; random if absent.")
    ] = None,
    expected: Annotated[
        Path | None, typer.Option(help="Outputs of the torch module on that input.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove that every engine computes the same bits; exit code 1 if one does not."""
    import hwrnn

    x = None if inputs is None else load_inputs(inputs)
    y = None if expected is None else load_array(expected)
    if expected is not None and inputs is None:
        raise DataError("--expected", "means nothing without the input", "give --input as well")
    names = tuple(name.strip() for name in engines.split(",") if name.strip())
    if not names:
        raise DesignError("--engines", "names no engine", "leave it out to run all of them")
    with stages("reading the model", f"comparing {', '.join(names)}") as stage:
        next(stage)
        graph = hwrnn.load(model, **recipe)
        next(stage)
        design = hwrnn.build(graph, **chosen)
        report = hwrnn.verify(graph, x, engines=names, expected=y, design=design)
    if as_json:
        print_json(report.as_dict())
    else:
        _print_report(report)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
@calibrates
@chooses_design
def estimate(
    model: Model,
    chosen: dict[str, Any],
    recipe: dict[str, Any],
    save_folding: SaveFolding = None,
    steps: Annotated[int | None, typer.Option(help="Steps of one sequence.")] = None,
    schedule: Annotated[bool, typer.Option(help="Print the schedule as well.")] = False,
    schedule_svg: Annotated[
        Path | None, typer.Option(help="Where a picture of the schedule goes (.svg).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Cycles (equal to those of the RTL simulation) and resources."""
    import hwrnn
    from hwrnn.design.folding_file import write_folding

    with stages("reading the model", "building", "computing the schedule") as stage:
        next(stage)
        graph = hwrnn.load(model, **recipe)
        next(stage)
        design = hwrnn.build(graph, **chosen)
        next(stage)
        estimated = hwrnn.estimate(design, steps=steps)
        if save_folding is not None:
            write_folding(save_folding, design)
    if schedule_svg is not None:
        from hwrnn.report.schedule_svg import draw_schedule

        save_text(schedule_svg, draw_schedule(design, steps))
    if as_json:
        print_json(_facts(estimated))
        return
    _print_estimate(estimated)
    if schedule:
        from hwrnn.report.schedule_text import schedule_text

        print(schedule_text(design, steps))


app.command()(calibrates(chooses_design(synth)))


@app.command()
@calibrates
@chooses_design
def weights(
    model: Model,
    like: Annotated[
        Path, typer.Option(help="The model of which the design was built, with --writable-weights.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    chosen: dict[str, Any],
    recipe: dict[str, Any],
) -> None:
    """Write what makes a design with writable weights compute another model of its shape.

    Board, folding and the other options are those with which the design was built.
    """
    import hwrnn

    with stages("reading the models", "building", "finding constants") as stage:
        next(stage)
        graph, first = (hwrnn.load(path, **recipe) for path in (model, like))
        next(stage)
        design = hwrnn.build(first, **chosen | {"writable_weights": True})
        next(stage)
        made = hwrnn.weights(design, graph)
        made.write(output)
    print(f"image: {output}, {len(made.words):,} words, layout {made.layout:08x}")


@app.command()
def boards(as_json: Json = False) -> None:
    """List the boards."""
    from hwrnn.board import boards as known

    if as_json:
        print_json([b.as_dict() for b in known()])
        return
    print_table(
        "boards",
        [
            {
                "board": b.name,
                "": b.title,
                "part": b.part,
                "MHz": f"{b.clock_mhz:g}",
                "LUT": f"{b.luts:,}",
                "FF": f"{b.ffs:,}",
                "DSP": f"{b.dsps:,} {b.dsp_kind}",
                "RAM blocks": f"{b.block_rams:,} x {b.block_ram_bits / 1024:g} Kbit",
                "URAM": f"{b.urams:,}" if b.urams else "",
                "tools": str(b.toolchain),
            }
            for b in known()
        ],
    )


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed, what is missing, and the command that installs it."""
    from hwrnn.sim.tools import Finding, survey

    def status(line: Finding) -> str:
        return line.found or ("not there, optional" if line.ok else "MISSING")

    found = survey()
    missing = [line for line in found if not line.ok]
    if as_json:
        print_json({"ok": not missing, "tools": [line.as_dict() for line in found]})
    else:
        rows = [
            {"": str(f.extra), "tool": f.tool, "found": status(f), "what for": f.purpose}
            for f in found
        ]
        print_table("doctor", rows)
        for error in (line.error for line in missing):
            print(error)
    if missing:
        raise typer.Exit(ToolError.exit_code)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")] = Path(
        "build/demo"
    ),
) -> None:
    """Train a small LSTM, build it for two boards, prove every engine equal, write a report."""
    from hwrnn.demo import run_demo

    result = run_demo(output, timed_stage)
    for title, rows in result.tables().items():
        print_table(title, rows)
    if not result.ok:
        print("FAILED: an engine differs, or a cycle count is not the estimate", file=sys.stderr)
        raise typer.Exit(1)


def _facts(e: Estimate) -> dict[str, object]:
    """An estimate, the folding that it is of, and what bounds it, if it was searched."""
    from hwrnn.design.folding_file import folding_of

    bound = {"bound": e.design.bound} if e.design.bound else {}
    return e.as_dict() | {"folding": folding_of(e.design)} | bound


def _print_report(report: VerifyReport) -> None:
    """Engines, the comparison with the module if there is one, and quantisers that saturate."""
    print_table("verify", report.rows())
    module = report.as_dict().get("module")
    if isinstance(module, dict):
        plain = {k: v for k, v in module.items() if not isinstance(v, list)}
        print_table("the module", [{"": k, "value": v} for k, v in plain.items()])
        for trace in module["first_differences"][:SHOWN_TRACES]:
            print(", ".join(f"{k} {v}" for k, v in trace.items() if v not in (None, "")))
    shares = [s for s in report.saturation if s.share]
    if shares:
        rows = [{"": s.quantiser, "share": f"{100 * s.share:.2f} %"} for s in shares]
        print_table("quantisers that saturate", rows)


def _print_estimate(e: Estimate) -> None:
    """Cycles of a design, and what it takes of its board."""
    board = e.design.board
    times = [
        ("cycles a step, steady", f"{e.cycles_per_step:,}", e.cycles_per_step),
        (f"latency of {e.steps} steps", f"{e.latency_cycles:,}", e.latency_cycles),
        ("from sequence to sequence", f"{e.interval_cycles:,}", e.interval_cycles),
    ]
    clock = f"µs at {e.clock_mhz:g} MHz"
    print_table(
        f"{e.design.name} on {board.title}, {board.part}",
        [
            {"": what, "cycles": cycles, clock: f"{n / e.clock_mhz:,.3f}"}
            for what, cycles, n in times
        ],
    )
    print_resources(e)
    if e.design.bound:
        folds = ", ".join(f"{name} {fold.pe} x {fold.simd}" for name, fold in e.design.folds)
        print(f"folding (pe x simd): {folds}")
        print(f"bound: {e.design.bound}")
    over = [name for name, (used, has) in e.use().items() if used > has]
    if over:
        print(f"more than the board has: {', '.join(over)}")
        print("  hint: fold more (a smaller pe or simd), or take a larger board")
