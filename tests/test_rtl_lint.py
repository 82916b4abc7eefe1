# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog is silent in two linters: Verilator and slang."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from random_ports import all_states
from rtl.bench import lower
from rtl.cells import cell_graph
from rtl.graphs import Build

from hwrnn.backends.rtl import LIBRARY, emit_rtl, library_modules, top_name
from hwrnn.design.design import Design
from hwrnn.design.latency import Pipeline
from hwrnn.design.options import Directions, Options
from hwrnn.ir import Graph
from hwrnn.ir.types import of_bits
from hwrnn.sim.tools import find_verilator

pytestmark = pytest.mark.needs_sim

WAIVERS = Path(__file__).parent.parent / "lint" / "waivers.vlt"
# slang's own opinions that differ from STYLE: a `unique case` has a default here.
SLANG = "-Wextra -Wconversion -Wno-sign-conversion -Wno-useless-cast -Wno-case-redundant-default"

Parameters = Mapping[str, object]
SETS: dict[str, list[Parameters]] = {
    "hwrnn_add": [
        {"Lanes": 3, "AWidth": 4, "ASigned": 0, "BWidth": 9, "YWidth": 10},
        {"Register": 0},
    ],
    "hwrnn_arg_max": [{"Count": 5, "IndexWidth": 3, "Signed": 0}, {"Count": 1}],
    "hwrnn_axis_in": [
        {"Lanes": 3, "Width": 1, "PortWidth": 1, "Beats": 2},
        {"Lanes": 1, "Width": 12, "PortWidth": 16, "FixedBeats": 7},
        {"Lanes": 2, "Width": 8, "MaxBeats": 9, "Beats": 3},
        {"Lanes": 2, "Width": 3, "Beats": 3, "Streams": 3},
        {"Streams": 16},
    ],
    "hwrnn_axis_out": [{"Lanes": 3, "Width": 1, "Signed": 0, "PortWidth": 1, "Segments": 5}],
    "hwrnn_beat_counter": [{"Lanes": 3, "Segments": 8}, {"Lanes": 8, "Segments": 3}],
    "hwrnn_block_counter": [
        {"Groups": 3, "Sources": 3, "XBlocks": 2, "VectorBlocks": 4, "HandAfter": "3'd6"}
    ],
    "hwrnn_combine": [
        {"Lanes": 3, "YWidth": 12, "Beats": 2, "Vectors": 3},
        {"XSigned": 0, "Max": 1},
        {"Vectors": 1},
    ],
    "hwrnn_concat": [{"Inputs": 2, "Width": 1}],
    "hwrnn_config_slave": [{"AddressWidth": 32}, {"AddressWidth": 9, "Words": 100}],
    "hwrnn_count": [{"Bits": n} for n in (1, 2, 5, 7, 40)],
    "hwrnn_count_ands": [{"Ands": n} for n in (1, 2, 5, 30)],
    "hwrnn_crop": [{"Beats": 5, "First": 2, "Count": 2}, {"Beats": 1}, {"Beats": 4, "Count": 4}],
    "hwrnn_credit": [{"Depth": 1}, {"Depth": 7}],
    "hwrnn_delay": [{"Width": 1, "Depth": 1, "HasReset": 1}, {"Width": 9, "Depth": 5}],
    "hwrnn_dot_lut": [
        {"Rows": 3, "Columns": 16, "TreeStages": 2},
        {"Columns": 1, "WeightWidth": 1, "WeightSigned": 0, "Registers": 0},
        {"Columns": 40, "TreeStages": 3, "OperandWidth": 4, "SumWidth": 12, "Registers": 10},
    ],
    "hwrnn_dwc": [{"XLanes": 3, "YLanes": 5, "Width": 1, "XSegments": 7, "YSegments": 7}],
    "hwrnn_dwc_streams": [
        {"XLanes": 3, "YLanes": 5, "XSegments": 7, "YSegments": 7, "XBeats": 3, "IdWidth": 4}
    ],
    "hwrnn_embed": [{"IndexWidth": 5, "Rows": 20, "Beats": 3}, {"IndexWidth": 1}],
    "hwrnn_engine_ctrl": [
        {
            "Groups": 5,
            "Sources": 2,
            "XBlocks": 2,
            "VectorBlocks": 3,
            "HandAfter": "2'd2",
            "Units": 9,
        }
        | {"Pe": 2, "Simd": 3, "HasState": 1},
        {"HasState": 1, "Shared": 1, "MaxPending": 9},
        {"HasState": 1, "Keep": 1},
        {"Shared": 1, "HasState": 1, "Streams": 5, "Cells": 5, "MaxPending": 9, "Units": 3}
        | {"Pe": 3, "Simd": 5},
        {"Groups": 4, "Units": 4, "HasState": 1, "ByGroup": 1, "MaxPending": 12}
        | {"EmitAll": 0, "EmitFirst": 1},
        {"Groups": 3, "Units": 3, "XBlocks": 4, "EmitAll": 0, "EmitLast": 1, "OutDepth": 5},
        {"Sources": 4, "HandAfter": "4'd14", "Groups": 2, "VectorBlocks": 2, "Units": 4, "Pe": 2}
        | {"Simd": 2, "HasState": 1, "Streams": 3},
        {"Sources": 2, "HandAfter": "2'd3", "Groups": 2, "VectorBlocks": 2, "Units": 4, "Pe": 2}
        | {"Simd": 2, "HasState": 1, "ByGroup": 1, "Streams": 2, "Cells": 2},
        {"Sources": 2, "HandAfter": "2'd3"},
    ],
    "hwrnn_fifo": [{"Depth": 2}, {"Depth": 5, "Width": 1}],
    "hwrnn_fork": [{"Outputs": 1}, {"Outputs": 5}],
    "hwrnn_fragment_gate": [{"MostFragments": 9}],
    "hwrnn_frame_fifo": [{"Depth": 10, "OutDepth": 3}],
    "hwrnn_interleave": [{"Inputs": 3, "Width": 5, "Beats": 2}],
    "hwrnn_joint_pops": [{"Outputs": 2, "Most": 1}, {"Outputs": 5, "Most": 9}],
    "hwrnn_lut": [
        {"Lanes": 2, "XWidth": 1, "YWidth": 9},
        {"Lanes": 2, "XWidth": 3, "Cells": 3, "Register": 0},
    ],
    "hwrnn_lut_ram": [{"Lanes": 2, "XWidth": 1, "YWidth": 9}, {"Cells": 3, "Register": 0}],
    "hwrnn_mac_array": [
        {"Gates": 4, "Pe": 3, "Simd": 5, "Groups": 2, "Blocks": 3, "Registers": 5},
        {"Simd": 16, "Pe": 2, "AccWidth": 9},
        {"Simd": 3, "Blocks": 2, "Registers": 0},
        {"Gates": 3, "Simd": 5, "Lanes": 2, "PackedWidth": 25, "Groups": 3, "Blocks": 2},
        {"Gates": 3, "Simd": 4, "Lanes": 2, "PackedWidth": 25},
        {"Gates": 3, "Lut": 1, "WeightWidth": 2},
        {"Registers": 0},
        {"Simd": 1, "OperandSigned": 0, "WeightSigned": 0, "WeightWidth": 1},
    ],
    "hwrnn_map_ctrl": [{"Beats": 3, "OutDepth": 7}],
    "hwrnn_max": [{"Lanes": 3, "AWidth": 4, "ASigned": 0, "BWidth": 9, "YWidth": 9}],
    "hwrnn_mul": [
        {"Lanes": 2, "AWidth": 3, "BWidth": 5, "BSigned": 0, "YWidth": 8},
        {"Register": 0},
    ],
    "hwrnn_mul_array": [
        {"Rows": 5, "Columns": 3, "Lanes": 2, "PackedWidth": 25},
        {"Rows": 3, "Columns": 2, "Lanes": 4, "Spacing": 7, "Overlap": 1, "PackedWidth": 26}
        | {"OperandWidth": 4, "OperandSigned": 0, "WeightWidth": 4, "ProductWidth": 8},
        {"Rows": 5, "Columns": 3, "Lut": 1, "Register": 0},
    ],
    "hwrnn_mul_lut": [
        {"Rows": 2, "Columns": 3, "OperandWidth": 2, "OperandSigned": 0, "Register": 0},
    ],
    "hwrnn_mul_packed": [
        {"Rows": 8, "Columns": 3, "Lanes": 4, "Spacing": 7, "Overlap": 1, "PackedWidth": 26}
        | {"OperandWidth": 4, "OperandSigned": 0, "WeightWidth": 4, "ProductWidth": 8},
        {"Rows": 2, "Lanes": 2, "PackedWidth": 25, "Register": 0},
        {"Rows": 130, "Columns": 128, "Lanes": 2, "PackedWidth": 25},  # many
    ],
    "hwrnn_mvu_stream": [
        {"Groups": 128, "Blocks": 12, "Pe": 4, "Simd": 16, "AccWidth": 24},
        {"Groups": 1, "Blocks": 3, "Simd": 5, "Pe": 2, "AccWidth": 20},
    ],
    "hwrnn_operand": [{"Sources": 3, "Width": 5}],
    "hwrnn_pending": [{"Most": 5}, {"Most": 1, "Streams": 3}],
    "hwrnn_register": [{"Register": 0}, {"Width": 1}],
    "hwrnn_ram": [
        {"Lanes": 3, "Width": 5, "Depth": 9, "Register": 0},
        {"Width": 70, "Depth": 5},
        {"Width": 33, "Depth": 1},
        {"Depth": 1},
    ],
    "hwrnn_requant_scale": [
        {"Lanes": 2, "Shift": 0, "ByShift": 1, "MulWidth": 3},
        {"XSigned": 0, "TiesEven": 0, "SumWidth": 70, "YWidth": 4, "Lo": 0, "Hi": 15},
        {"RegisterMid": 0},
        {"RegisterOut": 0},
        {"RegisterMid": 0, "RegisterOut": 0, "ByShift": 1, "MulWidth": 3},
    ],
    "hwrnn_requant_thresholds": [
        {"Thresholds": 15, "YWidth": 4, "Lo": -8, "Lanes": 3},
        {"RegisterMid": 0, "RegisterOut": 0},
    ],
    "hwrnn_resize": [{"Lanes": 3, "XWidth": 9, "YWidth": 4}, {"XSigned": 0, "YWidth": 12}],
    "hwrnn_reverse": [{"Beats": 3, "MaxSteps": 5, "OutDepth": 3}],
    "hwrnn_rom": [{"Depth": 1}, {"Depth": 5, "Width": 70}],
    "hwrnn_rom_ahead": [{"Depth": 1}, {"Depth": 5, "Width": 70}],
    "hwrnn_repeat": [{"Width": 3, "Beats": 3, "Steps": 5}, {"Steps": 1}],
    "hwrnn_select_step": [
        {"First": 1, "Beats": 3},
        {"First": 0, "Beats": 3},
        {"First": 1, "Beats": 3, "Streams": 3},
    ],
    "hwrnn_separate": [{"Outputs": 3}],
    "hwrnn_start_fill": [{"Groups": 1, "Banks": 1}, {"Groups": 5, "Banks": 3}],
    "hwrnn_start_gate": [{"States": 1, "Banks": 1}, {"States": 3, "Groups": 4, "Banks": 5}],
    "hwrnn_start_vector": [
        {"Units": 5, "Width": 3, "Pe": 2, "Simd": 2, "Banks": 3},
        {"Units": 4, "Pe": 4, "Simd": 4},
    ],
    "hwrnn_start_words": [{"Width": 5, "Groups": 3, "Banks": 3}, {"Banks": 1}],
    "hwrnn_state_mem": [
        {"Groups": 1},
        {"Groups": 5, "Width": 3},
        {"Groups": 1, "Streams": 3, "Cells": 3},
        {"Groups": 3, "Streams": 2},
    ],
    "hwrnn_stream_checks": [{"Width": 3}],
    "hwrnn_stream_reg": [{"Width": 1}],
    "hwrnn_sub": [
        {"Lanes": 2, "ASigned": 0, "AWidth": 1, "BWidth": 9, "YWidth": 10},
        {"Register": 0},
    ],
    "hwrnn_slide": [
        {"Width": 5, "Beats": 2, "Size": 4, "Stride": 2, "Before": 3, "After": 1, "Fill": "5'd9"},
        {"Size": 1, "Stride": 3},
        {"Size": 2, "After": 1},
    ],
    "hwrnn_threshold_level": [
        {"Level": 0, "YWidth": 1},
        {"Level": 3, "Groups": 3, "Lanes": 2, "YWidth": 4, "Lo": -8},
        {"Level": 2, "YWidth": 3, "RegisterMid": 0, "RegisterOut": 0},
        {"Level": 2, "YWidth": 3, "RegisterMid": 0},
    ],
    "hwrnn_threshold_level_ram": [
        {"Level": 0, "YWidth": 1},
        {"Level": 3, "Groups": 3, "Lanes": 2, "YWidth": 4, "Lo": -8, "RegisterMid": 0},
    ],
    "hwrnn_uart_control": [{"WaitBits": 12}],
    "hwrnn_uart_crc": [],
    "hwrnn_uart_from_axis": [{"Bytes": 2}, {"Bytes": 9}],
    "hwrnn_uart_inbox": [{"Depth": 512}],
    "hwrnn_uart_outbox": [{"Depth": 512}],
    "hwrnn_uart_rx": [{"BaudDivisor": 4}, {"BaudDivisor": 868}],
    "hwrnn_uart_shell": [
        {"XBytes": 3, "YBytes": 2, "RomPages": 9, "Depth": 1024},
        {"RomPages": 256, "BaudDivisor": 4},
    ],
    "hwrnn_uart_slip": [],
    "hwrnn_uart_to_axis": [{"Bytes": 2}, {"Bytes": 9}],
    "hwrnn_uart_tx": [{"BaudDivisor": 4}, {"BaudDivisor": 868}],
    "hwrnn_uart_unslip": [],
    "hwrnn_vector_mem": [
        {"Units": 9, "Pe": 4, "Simd": 2},
        {"Units": 3, "Pe": 1, "Simd": 3},
        {"Units": 3, "Pe": 2, "Simd": 5, "Streams": 3, "Cells": 3},
        {"Units": 4, "Pe": 4, "Simd": 2, "Streams": 4},
    ],
    "hwrnn_zip": [],
}
CASES = [(m, p) for m in sorted(library_modules()) for p in [{}, *SETS[m]]]


def verilator(folder: Path, arguments: list[str]) -> str:
    found = find_verilator()
    run = subprocess.run(
        [str(found.binary), "--lint-only", "-Wall", str(WAIVERS), *arguments],
        cwd=folder,
        env=found.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (run.stdout + run.stderr).split("\n")
    return "\n".join(line for line in lines if line and not line.startswith("- "))


def slang(folder: Path, arguments: str, capfd: pytest.CaptureFixture[str]) -> str:
    from pyslang.driver import Driver

    before = Path.cwd()
    os.chdir(folder)
    try:
        driver = Driver()
        driver.addStandardArgs()
        assert driver.parseCommandLine(f"slang {SLANG} {arguments}")
        assert driver.processOptions()
        assert driver.parseAllSources()
        driver.reportCompilation(driver.createCompilation(), True)
        driver.reportDiagnostics(True)
    finally:
        os.chdir(before)
    captured = capfd.readouterr()
    return (captured.out + captured.err).strip()


def shown(parameters: Parameters) -> list[str]:
    return [f"-G{k}={v}" for k, v in parameters.items()]


def test_every_library_module_has_parameter_sets() -> None:
    assert set(SETS) == library_modules()


@pytest.mark.parametrize(("module", "parameters"), CASES)
def test_library_in_verilator(module: str, parameters: Parameters) -> None:
    arguments = ["-I.", "--top-module", module, *shown(parameters), f"{module}.sv"]
    assert verilator(LIBRARY, arguments) == ""


@pytest.mark.parametrize(("module", "parameters"), CASES)
def test_library_in_slang(
    module: str, parameters: Parameters, capfd: pytest.CaptureFixture[str]
) -> None:
    sources = " ".join(f"{m}.sv" for m in sorted(library_modules()))
    chosen = " ".join(f'"{p}"' for p in shown(parameters))
    arguments = f"--top {module} {chosen} {sources}"
    assert slang(LIBRARY, arguments, capfd) == ""


def lint_graphs() -> dict[str, tuple[Graph, int | None]]:
    s8, u4 = of_bits(8, signed=True), of_bits(4, signed=False)
    found: dict[str, tuple[Graph, int | None]] = {}
    b = Build(1)
    found["lstm"] = (b.graph(b.dense(b.lstm(b.input(6, s8), 5, channels=True), 4)), None)
    b = Build(2, power_of_two=True)
    found["two_bits"] = (
        b.graph(b.dense(b.rnn(b.input(3, u4), 7), 3, 4, of_bits(2, signed=True))),
        None,
    )
    b = Build(3)
    found["bidirectional"] = (b.graph(b.dense(b.bidirectional(b.input(3, s8), 4), 3)), 6)
    b = Build(4)
    found["flat"] = (b.graph(b.dense(b.flatten(b.lstm(b.input(3, s8), 4), 5), 3)), None)
    b = Build(5)
    found["select"] = (b.graph(b.select(b.bidirectional(b.input(3, s8), 4))), 6)
    b = Build(6)
    found["diagonal"] = (b.graph(b.rnn(b.input(3, s8), 4, diagonal=True)), None)
    return found


@pytest.mark.parametrize("fold", [(1, 1), (3, 2), (4, 3)])
@pytest.mark.parametrize("name", sorted(lint_graphs()))
def test_emitted_designs(
    name: str, fold: tuple[int, int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graph, max_steps = lint_graphs()[name]
    design = lower(graph, min(fold[0], 3), fold[1], max_steps)
    silent(design, tmp_path, capfd)


def silent(design: Design, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = emit_rtl(design).write(place / "out") / "rtl"
    top = top_name(design)
    assert verilator(folder, ["--top-module", top, "-f", "files.f"]) == ""
    assert slang(folder, f"--top {top} -f files.f", capfd) == ""


@pytest.mark.parametrize(
    ("kind", "fold", "options"),
    [
        ("reset_before", (2, 3), Options(streams=3)),
        ("two_states", (5, 13), Options(pipeline=Pipeline.LATENCY, streams=4)),
        ("two_levels", (5, 8), Options(pipeline=Pipeline.LATENCY)),
        ("highway", (3, 4), Options()),
        ("level_by_group", (2, 2), Options(streams=2)),
    ],
)
def test_emitted_cells(
    kind: str,
    fold: tuple[int, int],
    options: Options,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    silent(lower(cell_graph(kind, 3), *fold, options=options), tmp_path, capfd)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("four_gates", Options(streams=3)),
        ("reset_before", Options(writable=True)),
        ("diagonal", Options(pipeline=Pipeline.LATENCY)),
        ("", Options()),
        ("", Options(directions=Directions.SHARED)),
    ],
)
def test_emitted_ports(
    kind: str, options: Options, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    b = Build(3)
    graph = b.graph(b.bidirectional(b.input(2, of_bits(4, signed=True)), 3))
    graph = all_states(cell_graph(kind, 2, units=5) if kind else graph)
    silent(lower(graph, 2, 2, 6, options), tmp_path, capfd)


@pytest.mark.parametrize(("bits", "fold"), [(3, (2, 3)), (5, (4, 7))])
def test_emitted_directions_that_share_an_engine(
    bits: int, fold: tuple[int, int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    b = Build(4)
    x = b.input(3, of_bits(8, signed=True))
    back = b.reverse(b.lstm(b.reverse(x), 4, a=bits, channels=True))
    graph = b.graph(b.concat(b.lstm(x, 4, a=bits, channels=True), back))
    shared = Options(directions=Directions.SHARED)
    silent(lower(graph, *fold, 6, shared), tmp_path, capfd)


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.sv")), ids=lambda p: p.stem)
def test_style(path: Path) -> None:
    text = path.read_text()
    lines = text.split("\n")
    assert lines[0] == "// SPDX-License-Identifier: Apache-2.0"
    assert lines[1].startswith("// ")
    assert max(map(len, lines)) <= 100
    assert "`default_nettype none" in text
    assert text.endswith("`default_nettype wire\n")
    assert f"module {path.stem} " in text
    assert text.count("endmodule") == 1
    assert "'x" not in text
