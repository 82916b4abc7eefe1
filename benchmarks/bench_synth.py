# SPDX-License-Identifier: Apache-2.0
"""The matrix-vector unit beside FINN's, and narrow products beside plain ones: `make bench-synth`.

A matrix of 512 x 192, pe 4, simd 16: 64 products a cycle. Weights stream in; control and the memory
that repeats the vector are part of it. LUTs are cells LUT1 to LUT6, and the sites of LUT memories
and shift registers (a RAM32M16 has 8). FINN's figures are those of its RTL matrix-vector unit, from
the same tool. tests/test_mvu_stream.py runs the same units.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hwrnn.backends.files import FileSet
from hwrnn.backends.rtl import LIBRARY
from hwrnn.board import load_board
from hwrnn.design.multipliers import choose
from hwrnn.ir.types import of_bits
from hwrnn.synth.cells import Cells, count
from hwrnn.synth.yosys import Source, plain_name, run_script

Row = dict[str, object]
Values = Mapping[str, int | bool]

BOARD = load_board("zcu104")
ROWS, COLUMNS, PE, SIMD = 512, 192, 4, 16
GROUPS, BLOCKS = ROWS // PE, COLUMNS // SIMD
SYNTH = "synth_xilinx -family xcup -noiopad -noclkbuf"
SHARE = 0.8  # the most LUTs, as a share of those of the other
PLAIN = Path(__file__).resolve().parent / "rtl" / "plain_array.sv"
UNIT = ("mvu_stream", "credit", "delay", "register", "fifo", "mac_array", "mul_array", "mul_packed",
        "mul_lut", "dot_lut", "count_ands", "count")  # fmt: skip
FILES = [*(LIBRARY / f"hwrnn_{name}.sv" for name in UNIT), PLAIN]
SOURCES = FileSet({f"rtl/{p.name}": p.read_text() for p in FILES})


@dataclass(frozen=True)
class Finn:
    """FINN's unit."""

    dsps: int
    luts: int
    ffs: int


FINN = {8: Finn(32, 2417, 751), 4: Finn(16, 2143, 788)}


def main() -> None:
    """Print the tables; exit with 1 if a bar is missed."""
    from bench import show

    beside_finn, narrow = list(finn_rows()), list(plain_rows())
    show(f"{ROWS} x {COLUMNS}, PE {PE}, SIMD {SIMD}, weights streamed: `{SYNTH}`", beside_finn)
    show(f"2 bits without DSP, {PE} x {SIMD} products: `{SYNTH} -nodsp`", narrow)
    for flat in (False, True):
        print(f"\n{'flat' if flat else 'hierarchy kept'}, 8 bit:")
        print(script("hwrnn_mvu_stream", unit(8), "", flat=flat))
    if any(row["reached"] == "no" for row in (*beside_finn, *narrow)):
        sys.exit(1)


def finn_rows() -> Iterator[Row]:
    """Our unit, hierarchical and flat, and FINN's."""
    for bits in (8, 4, 2):
        other = FINN.get(bits)
        if other is not None:
            yield {"bits": bits, "unit": "FINN", "DSP": other.dsps, "LUT": other.luts,
                   "FF": other.ffs, "LUT of FINN's": "", "reached": ""}  # fmt: skip
        for flat in (False, True):
            cells = synthesise("hwrnn_mvu_stream", unit(bits), flat=flat)
            luts = cells.luts + cells.lut_rams
            share = luts / other.luts if other else 0
            good = other is None or (share <= SHARE and cells.dsps <= other.dsps)
            yield {
                "bits": bits,
                "unit": "hwrnn, " + ("flat" if flat else "hierarchy kept"),
                "DSP": cells.dsps,
                "LUT": luts,
                "FF": cells.ffs,
                "LUT of FINN's": f"{share:.2f}" if other else "",
                "reached": ("yes" if good else "no") if other else "",
            }


def plain_rows() -> Iterator[Row]:
    """The array of 2 bits, and plain ones with the same ports: in one sum, and with registers."""
    widths = {"OperandWidth": 2, "WeightWidth": 2, "AccWidth": acc_bits(2)}
    shape = {"Sums": PE, "Simd": SIMD, "Groups": 1}
    plain = {
        f"plain, {text}": synthesise(
            "plain_array", shape | widths | {"Products": products}, "-nodsp", flat=True
        ).luts
        for products, text in ((False, "sums of products"), (True, "products in registers"))
    }
    for name, luts in plain.items():
        yield {"array": name, "LUT": luts, "LUT/MAC": per_mac(luts), "of it": "", "reached": ""}
    parameters = {"Pe": PE, "Simd": SIMD, "Blocks": BLOCKS, "AccWidth": acc_bits(2)}
    for flat in (False, True):
        made = choose(BOARD, of_bits(2, signed=True), of_bits(2, signed=True)).parameters()
        cells = synthesise("hwrnn_mac_array", parameters | made, "-nodsp", flat=flat)
        luts = cells.luts + cells.lut_rams
        share = luts / min(plain.values())
        yield {
            "array": "hwrnn, " + ("flat" if flat else "hierarchy kept"),
            "LUT": luts,
            "LUT/MAC": per_mac(luts),
            "of it": f"{share:.2f}",
            "reached": "yes" if share <= SHARE else "no",
        }


def unit(bits: int) -> Values:
    """The parameters of our unit for signed weights and activations of so many bits."""
    made = choose(BOARD, of_bits(bits, signed=True), of_bits(bits, signed=True))
    shape = {"Groups": GROUPS, "Blocks": BLOCKS, "Pe": PE, "Simd": SIMD, "AccWidth": acc_bits(bits)}
    return shape | made.parameters()


def acc_bits(bits: int) -> int:
    """Bits of a sum of COLUMNS products."""
    return 2 * bits + (COLUMNS - 1).bit_length()


def per_mac(luts: int) -> str:
    """LUTs for each product of a cycle."""
    return f"{luts / (PE * SIMD):.1f}"


def script(top: str, parameters: Values, option: str, *, flat: bool) -> str:
    """What yosys is told: the modules of the source stay, or all is made one."""
    source = Source(files=SOURCES, top=top, family=BOARD.family, parameters=parameters)
    read = source.read()
    if flat:
        read = read.replace(" --best-effort-hierarchy", "")
    flatten = "-flatten " if flat else ""
    return f"{read}; {SYNTH} {flatten}{option} -top {top}; flatten; opt_clean; stat"


def synthesise(top: str, parameters: Values, option: str = "", *, flat: bool) -> Cells:
    """The cells of a module of the library."""
    source = Source(files=SOURCES, top=top, family=BOARD.family, parameters=parameters)
    told = script(top, parameters, option, flat=flat).replace("; ", "\n")
    folder = run_script(source, told.removesuffix("stat") + "tee -q -o stat.json stat -json\n")
    modules = json.loads((folder / "stat.json").read_text(encoding="utf-8"))["modules"]
    (body,) = (m for name, m in modules.items() if plain_name(name) == top)
    return count(BOARD.family, {plain_name(k): n for k, n in body["num_cells_by_type"].items()})


if __name__ == "__main__":
    main()
