# SPDX-License-Identifier: Apache-2.0
"""The matrix-vector unit with weights that stream in: exact when stalled, else a beat a cycle."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwrnn.backends.rtl import LIBRARY
from hwrnn.board import load_board
from hwrnn.design.multipliers import choose
from hwrnn.ir import IntType
from hwrnn.ir.types import of_bits
from hwrnn.sim.verilate import Tools, call, runtime_library

pytestmark = pytest.mark.needs_sim

XCUP, ICE40 = map(load_board, ("zcu104", "icebreaker"))
S8, S4, S2 = (of_bits(n, signed=True) for n in (8, 4, 2))
U4, U2 = (of_bits(n, signed=False) for n in (4, 2))


@dataclass(frozen=True)
class Unit:
    """A unit that is checked; `board` decides how its products are made."""

    weight: IntType
    operand: IntType
    groups: int
    blocks: int
    pe: int = 4
    simd: int = 16
    board: str = "zcu104"

    def parameters(self) -> dict[str, int | bool]:
        made = choose(load_board(self.board), self.weight, self.operand)
        bits = made.product_bits + (self.blocks * self.simd).bit_length()
        shape = {"Groups": self.groups, "Blocks": self.blocks, "Pe": self.pe, "Simd": self.simd}
        return shape | made.parameters() | {"AccWidth": bits}


UNITS = (
    Unit(S8, S8, 6, 12),  # these three: the shape of benchmarks/bench_synth.py, but for its rows
    Unit(S4, S4, 6, 12),
    Unit(S2, S2, 6, 12),
    Unit(S8, S8, 1, 3, pe=1, simd=5),
    Unit(S4, U4, 3, 1, pe=3, simd=4),
    Unit(S2, U2, 1, 1, pe=2, simd=3),
    Unit(S4, S4, 2, 2, pe=3, simd=1, board="icebreaker"),
)


def top() -> str:
    """All units in one module: one compilation."""
    n = len(UNITS)
    text = "module top (input clk_i, input rst_i, input stall_i,\n"
    text += f"  output logic [31:0] checked_o [{n}], output logic [31:0] weights_o [{n}],\n"
    text += f"  output logic wrong_o [{n}]);\n"
    for k, unit in enumerate(UNITS):
        shown = ", ".join(f".{name}({int(v)})" for name, v in unit.parameters().items())
        ports = f"clk_i, rst_i, stall_i, checked_o[{k}], weights_o[{k}], wrong_o[{k}]"
        text += f"  mvu_check #({shown}) u_{k} ({ports});\n"
    return text + "endmodule\n"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, int, int]]:
    """What the compiled check prints: sums checked, beats in 1000 cycles, wrong."""
    folder, here = tmp_path_factory.mktemp("mvu"), Path(__file__).parent / "rtl"
    (folder / "top.sv").write_text(top())
    tools = Tools.find()
    flags = ["--cc", "-O3", "--prefix", "Vtop", "--top-module", "top", "--no-timing", "-Wno-fatal"]
    command = [str(tools.verilator.binary), *flags, "-Wno-lint", "-Wno-style", f"-I{LIBRARY}"]
    call([*command, f"-I{here}", "top.sv"], folder, "Verilator", env=tools.verilator.environment())
    sources = [*sorted((folder / "obj_dir").glob("*.cpp")), here / "mvu.cpp"]
    (folder / "all.cpp").write_text("".join(f'#include "{p}"\n' for p in sources))
    flags = [*tools.compile_flags(trace=False, optimise="-O1"), f"-DUnits={len(UNITS)}"]
    library = str(runtime_library(tools) / "libverilated.a")
    command = [str(tools.gxx), *flags, "-Iobj_dir", "all.cpp", library, "-pthread", "-o", "check"]
    call(command, folder, "g++")
    run = subprocess.run([folder / "check"], capture_output=True, text=True, check=True)
    lines = [line.split() for line in run.stdout.strip().split("\n")]
    return [(int(a), int(b), int(c)) for a, b, c in lines]


def test_sums_are_exact_under_stalls(found: list[tuple[int, int, int]]) -> None:
    for unit, (checked, _, wrong) in zip(UNITS, found, strict=True):
        assert checked > 1000 // unit.blocks, unit
        assert not wrong, unit


def test_takes_weights_in_every_cycle(found: list[tuple[int, int, int]]) -> None:
    for unit, (_, beats, _) in zip(UNITS, found, strict=True):
        assert beats >= 1000 - 1000 // (unit.groups * unit.blocks), unit
