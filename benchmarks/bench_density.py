# SPDX-License-Identifier: Apache-2.0
"""How dense the RTL is: multipliers of the gate MAC array against products, cells of a design.

Cells are those of yosys, `synth_xilinx`; the bar is a half of a DSP48E2 for each product of 8-bit
activations, and a quarter where weights and activations have 4 bits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import ceil
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from rtl.graphs import Build

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import LIBRARY, emit_rtl, top_name
from hwrnn.board import load_board
from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.design.multipliers import choose
from hwrnn.ir import IntType
from hwrnn.ir.types import of_bits
from hwrnn.synth.yosys import Source, synthesise

Row = dict[str, object]

BOARD = load_board("zcu104")
S8, U8 = of_bits(8, signed=True), of_bits(8, signed=False)
S4, U4 = of_bits(4, signed=True), of_bits(4, signed=False)
FACTORS = [(S8, S8, 0.5), (S8, U8, 0.5), (S4, S8, 0.5), (S4, S4, 0.25), (S4, U4, 0.25)]
SHAPES = [(4, 4, 16), (3, 3, 5)]  # gates, pe, simd: even and odd numbers of rows


def main() -> None:
    """Print the tables; exit with 1 if a bar is missed."""
    from bench import show

    found = list(rows())
    show("MAC array (4 or 3 gates) after synth_xilinx -family xcup", found)
    design = lstm_design()
    show(f"{design.name}: cells by module", module_rows(design))
    if any(row["DSP"] > row["at most"] for row in found):  # type: ignore[operator]
        sys.exit(1)


def rows() -> Iterator[Row]:
    """A row for each kind of factors and each shape."""
    for weight, operand, bar in FACTORS:
        for shape in SHAPES:
            yield array_row(weight, operand, bar, shape)


def lstm_design() -> Design:
    """An LSTM of 16 inputs and 32 units with scales that need multiplications, 8 bits."""
    build = Build(1)
    graph = build.graph(build.lstm(build.input(16, S8), 32))
    return build_design(graph, BOARD, {"pe": 2, "simd": 8}, None)


def array_row(weight: IntType, operand: IntType, bar: float, shape: tuple[int, int, int]) -> Row:
    """One MAC array, with its weights and activations as ports."""
    gates, pe, simd = shape
    made = choose(BOARD, weight, operand)
    values = {"Gates": gates, "Pe": pe, "Simd": simd, "Blocks": 4, "AccWidth": 24}
    files = FileSet({f"rtl/{p.name}": p.read_text() for p in sorted(LIBRARY.glob("*.sv"))})
    source = Source(
        files=files,
        top="hwrnn_mac_array",
        family=BOARD.family,
        parameters=values | made.parameters(),
    )
    cells = synthesise(source).total()
    macs = gates * pe * simd
    return {
        "weights": str(weight),
        "activations": str(operand),
        "gates x pe x simd": f"{gates} x {pe} x {simd}",
        "MAC": macs,
        "DSP": cells.dsps,
        "at most": ceil(bar * macs),
        "LUT": cells.luts + cells.lut_rams,
        "FF": cells.ffs,
        "LUT/MAC": f"{(cells.luts + cells.lut_rams) / macs:.1f}",
    }


def module_rows(design: Design) -> list[Row]:
    """The cells of an emitted design by library module, the largest first."""
    source = Source(files=emit_rtl(design), top=top_name(design), family=design.board.family)
    found = synthesise(source).by_module()
    largest = sorted(found.items(), key=lambda item: -(item[1].luts + item[1].lut_rams))
    return [
        {
            "module": name,
            "LUT": c.luts,
            "LUTRAM": c.lut_rams,
            "FF": c.ffs,
            "DSP": c.dsps,
            "block RAM": c.block_rams,
        }
        for name, c in largest
        if c.luts + c.lut_rams + c.ffs + c.dsps + c.block_rams
    ]


if __name__ == "__main__":
    main()
