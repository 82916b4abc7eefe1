# SPDX-License-Identifier: Apache-2.0
"""The PLLs of the open boards: the dividers that come nearest to a clock, within the ranges of the
data sheets. Frequencies are exact fractions, in MHz.

Sources: Lattice FPGA-DS-02012 "ECP5 and ECP5-5G Family Data Sheet", sysCLOCK PLL timing, and
FPGA-TN-02200; FPGA-DS-02008 "iCE40 UltraPlus Family Data Sheet", sysCLOCK PLL timing, and
FPGA-TN-02052; Gowin DS226 "GW2AR series of FPGA Products Data Sheet", PLL, grade C8/I7, and UG286.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from hwrnn.board import Board, Family
from hwrnn.errors import DesignError

OFF = Fraction(2, 100)  # how far a clock may be from what was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """From `low` to `high`, both included, in MHz."""

    low: Fraction
    high: Fraction

    def __contains__(self, value: Fraction) -> bool:
        return self.low <= value <= self.high

    @property
    def middle(self) -> Fraction:
        """Half-way."""
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a PLL stands: input, phase detector, oscillator, output."""

    input: Range
    pfd: Range
    vco: Range
    output: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Pll:
    """A setting: what comes out, what is inside, and the dividers by the names of the primitive."""

    output: Fraction
    pfd: Fraction
    vco: Fraction
    dividers: Mapping[str, int]

    @property
    def note(self) -> str:
        """The frequencies, for a comment."""
        inside = f"phase detector at {shown(self.pfd)} MHz, oscillator at {shown(self.vco)} MHz"
        return f"{inside}, clock at {shown(self.output)} MHz."


def span(low: str, high: str) -> Range:
    """A range of a data sheet."""
    return Range(low=Fraction(low), high=Fraction(high))


ECP5 = Limits(
    input=span("8", "400"),
    pfd=span("10", "400"),
    vco=span("400", "800"),
    output=span("3.125", "400"),
)
ICE40 = Limits(
    input=span("10", "133"),
    pfd=span("10", "133"),
    vco=span("533", "1066"),
    output=span("16", "275"),
)
GOWIN = Limits(
    input=span("3", "500"),
    pfd=span("3", "500"),
    vco=span("500", "1250"),
    output=span("3.90625", "625"),
)
GOWIN_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
ICE40_FILTERS = (17, 26, 44, 66, 101)  # FILTER_RANGE 1 .. 5 up to that phase detector, 6 above


def pll(board: Board, oscillator_mhz: float, wanted_mhz: float) -> Pll | None:
    """The setting that comes nearest to a clock; None if it is that of the oscillator.

    Raises DesignError if none comes near.
    """
    source, wanted = exact(oscillator_mhz), exact(wanted_mhz)
    if source == wanted:
        return None
    limits, settings = PLLS[board.family]
    found = [s for s in settings(limits, source, wanted) if allowed(limits, source, s)]
    best = min(found, key=lambda s: rank(limits, wanted, s), default=None)
    if best is None or abs(best.output - wanted) > OFF * wanted:
        raise DesignError(
            f"clock of {wanted_mhz:g} MHz",
            f"cannot be made from the {oscillator_mhz:g} MHz of {board.name}",
            f"its PLL makes {shown(limits.output.low)} to {shown(limits.output.high)} MHz"
            + (f"; the nearest is {shown(best.output)} MHz" if best else ""),
        )
    return best


def exact(mhz: float) -> Fraction:
    """A frequency as it is written in decimal."""
    return Fraction(str(mhz))


def shown(mhz: Fraction) -> str:
    """A frequency for people."""
    return f"{float(mhz):.6g}"


def allowed(limits: Limits, source: Fraction, s: Pll) -> bool:
    """Is everything within the ranges?"""
    inside = s.pfd in limits.pfd and s.vco in limits.vco and s.output in limits.output
    return source in limits.input and inside


def rank(limits: Limits, wanted: Fraction, s: Pll) -> tuple[Fraction, Fraction, Fraction]:
    """Nearest first; then a fast phase detector, which jitters less; then mid-range."""
    return abs(s.output - wanted), -s.pfd, abs(s.vco - limits.vco.middle)


def ecp5(limits: Limits, source: Fraction, wanted: Fraction) -> Iterator[Pll]:
    """EHXPLLL with feedback through CLKOP, the clock from CLKOS: the oscillator is at
    source / CLKI_DIV * CLKFB_DIV * CLKOP_DIV, the output at that / CLKOS_DIV.
    """
    for divide in range(1, min(128, int(source / limits.pfd.low)) + 1):
        pfd = source / divide
        for total in range(1, int(limits.vco.high / pfd) + 1):
            vco = pfd * total
            feedback = fed_back(limits, pfd, total)
            if feedback is None or vco not in limits.vco:
                continue
            for out in near(vco / wanted, 128):
                yield Pll(
                    output=vco / out,
                    pfd=pfd,
                    vco=vco,
                    dividers={
                        "CLKI_DIV": divide,
                        "CLKFB_DIV": feedback,
                        "CLKOP_DIV": total // feedback,
                        "CLKOP_CPHASE": total // feedback - 1,
                        "CLKOS_DIV": out,
                        "CLKOS_CPHASE": out - 1,
                    },
                )


def fed_back(limits: Limits, pfd: Fraction, total: int) -> int | None:
    """The least CLKFB_DIV of a product CLKFB_DIV * CLKOP_DIV whose CLKOP is an output, too."""
    fits = (
        feedback
        for feedback in range(1, min(total, 128) + 1)
        if total % feedback == 0 and total // feedback <= 128 and pfd * feedback in limits.output
    )
    return next(fits, None)


def near(ratio: Fraction, most: int) -> set[int]:
    """The whole numbers on both sides of a ratio, from 1 to `most`."""
    low = int(ratio)
    return {min(max(n, 1), most) for n in (low, low + 1)}


def ice40(limits: Limits, source: Fraction, _: Fraction) -> Iterator[Pll]:
    """SB_PLL40 with simple feedback: source / (DIVR + 1) * (DIVF + 1), divided by 2**DIVQ."""
    for divide in range(1, 17):
        pfd = source / divide
        for multiply in range(1, 129):
            vco = pfd * multiply
            if vco not in limits.vco:
                continue
            for power in range(1, 7):
                yield Pll(
                    output=vco / 2**power,
                    pfd=pfd,
                    vco=vco,
                    dividers={
                        "DIVR": divide - 1,
                        "DIVF": multiply - 1,
                        "DIVQ": power,
                        "FILTER_RANGE": 1 + sum(pfd >= edge for edge in ICE40_FILTERS),
                    },
                )


def gowin(_: Limits, source: Fraction, wanted: Fraction) -> Iterator[Pll]:
    """rPLL: source / (IDIV_SEL + 1) * (FBDIV_SEL + 1); the oscillator ODIV_SEL times that."""
    for divide in range(1, 65):
        for multiply in near(wanted * divide / source, 64):
            output = source * multiply / divide
            for odiv in GOWIN_DIVIDERS:
                yield Pll(
                    output=output,
                    pfd=source / divide,
                    vco=output * odiv,
                    dividers={
                        "IDIV_SEL": divide - 1,
                        "FBDIV_SEL": multiply - 1,
                        "ODIV_SEL": odiv,
                    },
                )


PLLS: Mapping[Family, tuple[Limits, Callable[[Limits, Fraction, Fraction], Iterator[Pll]]]] = {
    Family.ECP5: (ECP5, ecp5),
    Family.ICE40: (ICE40, ice40),
    Family.GOWIN: (GOWIN, gowin),
}
