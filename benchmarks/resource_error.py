# SPDX-License-Identifier: Apache-2.0
"""The resource model against yosys, on random designs that it was not fitted to.

The designs are drawn by seed, from tests' random cells (random weights) and from networks trained
on the digits. LUT: within 10 % for nine designs in ten and never off by more than 25 %; FF within
10 %; DSP and memory blocks equal. Exit code 1 if that is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402 - after the path
from resource_designs import BOARDS, FAMILIES, Drawn, draw, folding, size  # noqa: E402

import hwrnn  # noqa: E402
from hwrnn.backends.rtl import top_name  # noqa: E402
from hwrnn.errors import DesignError  # noqa: E402
from hwrnn.synth.yosys import Source, synthesise  # noqa: E402

SEED, COUNT = 2027, 40
TRAINED_EVERY = 4  # designs: one has trained weights
NEAR, FAR = 10, 25  # percent
SHARE = 0.9  # of the designs whose LUTs are near
PRODUCTS = 24  # of a cycle, at most


@dataclass(frozen=True, kw_only=True)
class Result:
    """A design: what was estimated, what yosys counts."""

    design: str
    family: str
    luts: int
    yosys_luts: int
    ffs: int
    yosys_ffs: int
    dsps: float
    yosys_dsps: float
    brams: float
    yosys_brams: float
    error_percent: float

    @property
    def lut_percent(self) -> float:
        """The error of LUT."""
        return 100 * (self.luts / max(self.yosys_luts, 1) - 1)

    @property
    def ff_percent(self) -> float:
        """The error of FF."""
        return 100 * (self.ffs / max(self.yosys_ffs, 1) - 1)

    @property
    def blocks_equal(self) -> bool:
        """True if DSP and memory blocks are what yosys counts."""
        return self.dsps == self.yosys_dsps and self.brams == self.yosys_brams

    def line(self) -> str:
        """A row of the table."""
        return (
            f"| {self.design} | {self.family} | {self.luts} | {self.yosys_luts} | "
            f"{self.lut_percent:+.1f} | {self.error_percent:g} | {self.ffs} | {self.yosys_ffs} | "
            f"{self.ff_percent:+.1f} | {self.dsps:g} | {self.yosys_dsps:g} | {self.brams:g} | "
            f"{self.yosys_brams:g} |"
        )


HEADER = (
    "| design | family | LUT | yosys | % | ± % | FF | yosys | % | DSP | yosys | BRAM | yosys |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Exit code 1 if a bar is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--count", type=int, default=COUNT)
    options.add_argument("--products", type=int, default=PRODUCTS)
    options.add_argument("--only", default="", help="numbers of designs, with commas between them")
    chosen = options.parse_args()
    numbers = [int(k) for k in chosen.only.split(",") if k] or range(chosen.count)
    results = []
    print(HEADER)
    for k in numbers:
        began = time.monotonic()
        results.append(measure(design_of(chosen.seed, k, chosen.products)))
        print(results[-1].line(), f"{time.monotonic() - began:.0f} s", flush=True)
    missed = shortfalls(results)
    print("\n".join([*summary(results), *missed]))
    return int(bool(missed))


def design_of(seed: int, index: int, products: int = PRODUCTS) -> Drawn:
    """Design `index` of a seed."""
    if index % TRAINED_EVERY == TRAINED_EVERY - 1:
        return draw_trained(seed, index, products)
    return draw(seed, index, products)


def draw_trained(seed: int, index: int, products: int = PRODUCTS) -> Drawn:
    """A network with trained weights, on a board and with a folding that are drawn."""
    from resource_trained import CELLS, Shape, trained

    for attempt in range(100):
        rng = np.random.default_rng([seed, index, attempt, 1])
        family = FAMILIES[int(rng.integers(len(FAMILIES)))]
        shape = Shape(
            cell=list(CELLS)[int(rng.integers(len(CELLS)))],
            hidden=size(rng, 8, 32 if family.value == "ice40" else 128),
            weight_bits=int(rng.integers(2, 9)),
            act_bits=int(rng.integers(4, 10)),
            seed=seed,
        )
        graph = trained(shape)
        found = Drawn(
            name=f"trained {shape.cell} H{shape.hidden} W{shape.weight_bits} A{shape.act_bits}",
            graph=graph,
            board=BOARDS[family],
            folding=folding(rng, graph, products),
            options={},
        )
        try:
            found.design  # noqa: B018 - it is built here
        except DesignError:
            continue
        return found
    raise RuntimeError(f"no trained design for seed {seed}, {index}")


def measure(drawn: Drawn) -> Result:
    """Estimate and synthesise a design."""
    design = drawn.design
    estimated = hwrnn.estimate(design)
    source = Source(
        files=hwrnn.emit(design, "rtl"),
        top=top_name(design),
        family=design.board.family,
    )
    made = synthesise(source).total()
    return Result(
        design=drawn.name,
        family=design.board.family.value,
        luts=estimated.luts,
        yosys_luts=round(made.luts + made.lut_rams),
        ffs=estimated.ffs,
        yosys_ffs=round(made.ffs),
        dsps=estimated.dsps,
        yosys_dsps=made.dsps,
        brams=estimated.brams,
        yosys_brams=made.block_rams,
        error_percent=estimated.error_percent("luts"),
    )


def summary(results: Sequence[Result]) -> Iterator[str]:
    """The errors of each family."""
    for family in sorted({r.family for r in results}):
        own = [r for r in results if r.family == family]
        luts = sorted(abs(r.lut_percent) for r in own)
        near = sum(e <= NEAR for e in luts)
        ffs = max(abs(r.ff_percent) for r in own)
        equal = sum(r.blocks_equal for r in own)
        yield (
            f"{family}: {len(own)} designs, LUT within {NEAR} %: {near}, most {luts[-1]:.1f} %; "
            f"FF most {ffs:.1f} %; DSP and BRAM equal: {equal}"
        )


def shortfalls(results: Sequence[Result]) -> list[str]:
    """The bars that are missed."""
    found = []
    near = sum(abs(r.lut_percent) <= NEAR for r in results)
    if near < SHARE * len(results):
        found.append(f"LUT within {NEAR} % for {near} of {len(results)} designs")
    for r in results:
        if abs(r.lut_percent) > FAR:
            found.append(f"{r.design}, {r.family}: LUT off by {r.lut_percent:+.1f} %")
        if abs(r.ff_percent) > NEAR:
            found.append(f"{r.design}, {r.family}: FF off by {r.ff_percent:+.1f} %")
        if not r.blocks_equal:
            found.append(f"{r.design}, {r.family}: DSP {r.dsps:g} and BRAM {r.brams:g}")
    return found


def as_dict(result: Result) -> dict[str, object]:
    """For a sweep's file."""
    return asdict(result)


if __name__ == "__main__":
    sys.exit(main())
