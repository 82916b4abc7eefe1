# SPDX-License-Identifier: Apache-2.0
"""Fits the resource model (`make calibrate`): a sweep of library modules, then coefficients.

Each row of the sweep is an instance of a library module, synthesised by yosys; rows are kept in
hwrnn/design/resources/sweep.csv by a hash of all that goes in, and synthesised once.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import hashlib
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402 - after the path
from numpy.typing import NDArray  # noqa: E402 - after the path
from resource_sample import GROUPS, candidates, chosen, group, wanted  # noqa: E402 - after the path
from resource_zoo import closure, counts  # noqa: E402 - after the path
from scipy.optimize import nnls  # noqa: E402 - after the path

from hwrnn.backends.rtl import library_text  # noqa: E402 - after the path
from hwrnn.board import Family  # noqa: E402 - after the path
from hwrnn.design.resources.model import FOLDER, KINDS, MODULES, features  # noqa: E402 - after the path
from hwrnn.design.resources.part import Part  # noqa: E402 - after the path
from hwrnn.synth.cells import Cells  # noqa: E402 - after the path

TABLE, DATA = FOLDER / "sweep.csv", FOLDER / "coefficients.json"
HEAD = ("family", "module", "hash", "luts", "ffs", "lut_rams", "dsps", "block_rams", "parameters")
CHUNK = 20  # instances of a run of yosys
SMALL = 12  # LUTs or FFs; below, errors count as if it were so many
ALIKE = {Family.XCUP: Family.XC7}  # the same LUTs: rows of modules that have none of their own
BORROWS = {  # whose models a family has for a module that was not synthesised for it
    Family.GOWIN: Family.ECP5,
    Family.ICE40: Family.ECP5,
    Family.XC7: Family.ECP5,
    Family.XCUP: Family.XC7,
}
AGAIN = 2  # fits
PULL = 0.01  # towards a LUT or a FF for each feature
BORROWED_ERROR = 0.3
ORDER = (Family.ECP5, Family.GOWIN, Family.ICE40, Family.XC7, Family.XCUP)
Row = tuple[Part, Cells]


def main() -> int:
    """Synthesise what has no row yet, fit, write both files."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--families", default=",".join(f.value for f in Family))
    options.add_argument("--groups", default="")
    options.add_argument("--fit", action="store_true", help="only fit the rows that are there")
    options.add_argument("--sweep", action="store_true", help="only synthesise, do not fit")
    given = options.parse_args()
    for family in map(Family, [] if given.fit else given.families.split(",")):
        sweep(family, given.groups.split(",") if given.groups else [*GROUPS, "streams"])
    if not given.sweep:
        refit()
    return 0


def sweep(family: Family, groups: Sequence[str]) -> None:
    """Synthesise what has no row yet; several processes may do so at once."""
    table = Table()
    found = missing(table, family, candidates(family))
    for name in groups:
        table.fill(family, found.get(name, []))


def refit() -> None:
    """Fit the rows that there are, and write both files anew."""
    table = Table()
    rows = {family: [*table.rows(family, candidates(family))] for family in Family}
    table.prune(rows)
    data = {"tool": tool(), "families": models(rows)}
    DATA.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def models(rows: dict[Family, list[Row]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The models of all families; a module without rows of its own has those of a like family."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for family in ORDER:
        own = rows.get(family, [])
        known = {part.module for part, _ in own}
        like = rows.get(ALIKE[family], []) if family in ALIKE else []
        made = fitted(family, [*own, *(r for r in like if r[0].module not in known)])
        if family in BORROWS:
            for kind in KINDS:
                for module, model in found[BORROWS[family].value][kind].items():
                    error = max(model["error"], BORROWED_ERROR)
                    made[kind].setdefault(module, {**model, "error": error, "rows": 0})
        found[family.value] = made
    return found


def missing(table: Table, family: Family, every: dict[str, list[Part]]) -> dict[str, list[Part]]:
    """What has to be synthesised, by groups that one run of yosys takes."""
    found: dict[str, list[Part]] = {}
    for module, parts in every.items():
        known = [p for p in parts if digest(p, family) in table.known]
        new = [p for p in parts if p not in known]
        need = wanted(module, family) - len(known)
        found.setdefault(group(module), []).extend(chosen(new, known, need))
    return found


class Table:
    """The rows of the sweep, by the hash of what was synthesised."""

    def __init__(self) -> None:
        self.known: dict[str, Cells] = {}
        if TABLE.is_file():
            with TABLE.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    self.known[row["hash"]] = cells(row)

    def fill(self, family: Family, parts: Sequence[Part]) -> None:
        """Synthesise parts, and keep each run's rows at once."""
        for start in range(0, len(parts), CHUNK):
            began = time.monotonic()
            some = parts[start : start + CHUNK]
            self.keep(family, some, counts(some, family))
            took = time.monotonic() - began
            print(
                f"{family.value} {group(some[0].module)}: {len(some)} in {took:.0f} s", flush=True
            )

    def keep(self, family: Family, parts: Sequence[Part], found: Sequence[Cells]) -> None:
        """Append rows to the table."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for part, made in zip(parts, found, strict=True):
            key = digest(part, family)
            if key not in self.known:
                self.known[key] = made
                writer.writerow(line(family, part, key, made))
        with TABLE.open("a", encoding="utf-8", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not file.tell():
                csv.writer(file, lineterminator="\n").writerow(HEAD)
            file.write(text.getvalue())

    def rows(self, family: Family, every: dict[str, list[Part]]) -> Iterator[Row]:
        """The parts that have a row."""
        for parts in every.values():
            for part in parts:
                made = self.known.get(digest(part, family))
                if made is not None:
                    yield part, made

    def prune(self, rows: dict[Family, list[Row]]) -> None:
        """Write the table anew, without what is not used any more."""
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEAD)
            for family, own in rows.items():
                for part, made in sorted(own, key=lambda r: (r[0].module, digest(r[0], family))):
                    writer.writerow(line(family, part, digest(part, family), made))


def line(family: Family, part: Part, key: str, made: Cells) -> tuple[object, ...]:
    """A row; a parameter of many bits is left out, it is in the hash."""
    short = {k: v for k, v in part.given.items() if v.bit_length() <= 64}
    text = " ".join(f"{k}={v}" for k, v in short.items())
    style = f" Style={part.style}" if part.style != "auto" else ""
    counted = (made.luts, made.ffs, made.lut_rams, made.dsps, made.block_rams)
    numbers = [f"{n:g}" for n in counted]
    return (family.value, part.module, key, *numbers, text + style)


def cells(row: dict[str, str]) -> Cells:
    """The counts of a row."""
    return Cells(
        luts=int(float(row["luts"])),
        ffs=int(float(row["ffs"])),
        dsps=float(row["dsps"]),
        block_rams=float(row["block_rams"]),
        lut_rams=int(float(row["lut_rams"])),
    )


def digest(part: Part, family: Family) -> str:
    """A hash of all that decides the counts."""
    sources = [code(m) for m in closure(part.module)]
    facts = [family.value, tool(), part.module, str(sorted(part.given.items())), part.style]
    text = "\0".join([*facts, str(part.words), *sources])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def code(module: str) -> str:
    """A module's source without comments."""
    lines = (line.split("//")[0].rstrip() for line in library_text(module).split("\n"))
    return "\n".join(line for line in lines if line)


def tool() -> str:
    """The yosys that synthesises."""
    return f"pyosys {metadata.version('pyosys')}"


def fitted(family: Family, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """The model of every module of which there are rows."""
    found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for module in sorted({p.module for p, _ in rows} & set(MODULES)):
        own = [(p, c) for p, c in rows if p.module == module]
        for kind in KINDS:
            found[kind][module] = fit(kind, family, own)
    return found


def fit(kind: str, family: Family, rows: Sequence[Row]) -> dict[str, Any]:
    """Weights that are not negative, with the least relative error; and that error."""
    made = [features(kind, p, family) for p, _ in rows]
    names = sorted({k for f in made for k, v in f.items() if v})
    y = np.array([getattr(c, kind) for _, c in rows], dtype=float)
    if not names:
        return {"weights": {}, "error": 0.0, "rows": len(rows)}
    x = np.array([[f.get(k, 0.0) for k in names] for f in made])
    scale = 1 / np.maximum(y, SMALL)
    weights = solved(x * scale[:, None], y * scale)
    for _ in range(AGAIN):  # by what is expected: what is counted would favour small sums
        scale = 1 / np.maximum((x @ weights + y) / 2, SMALL)
        weights = solved(x * scale[:, None], y * scale)
    free = max(len(rows) - int((weights > 0).sum()), 1)  # each weight takes an error away
    error = float(np.sqrt((((x @ weights - y) * scale) ** 2).sum() / free))
    return {
        "weights": {k: round(float(w), 4) for k, w in zip(names, weights, strict=True)},
        "error": round(error, 4),
        "rows": len(rows),
    }


def solved(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that are not negative; drawn to 1, the less the more rows tell of a feature."""
    pull = np.sqrt(PULL * (x**2).sum(axis=0))
    found: NDArray[np.float64] = nnls(
        np.vstack([x, np.diag(pull)]), np.append(y, pull), maxiter=10_000
    )[0]
    return found


if __name__ == "__main__":
    sys.exit(main())
