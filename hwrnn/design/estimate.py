# SPDX-License-Identifier: Apache-2.0
"""Latency, throughput and area of a design, without a vendor tool.

Cycles are computed by `hwrnn.design.timing` and equal what the RTL simulation counts. DSP and
memory blocks are computed as yosys maps them; LUT and FF are models fitted to its netlists, and
have error bars (see `hwrnn.design.resources`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from hwrnn.design.area import Area, area
from hwrnn.design.design import AxisIn, Design
from hwrnn.design.memory import memories
from hwrnn.design.resources.energy import Energy, energy
from hwrnn.design.resources.model import Count, count, total
from hwrnn.design.resources.part import Part
from hwrnn.design.timing import schedule
from hwrnn.errors import DesignError

DEFAULT_STEPS = 16  # of a sequence, where neither the caller nor the model names a number
WARM_STEPS = 24  # steps after which a sequence is looked at for its steady state
WARM_SEQUENCES = 6  # sequences after which the distance between two is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a design takes and gives.

    `cycles_per_step`: steady-state distance between equal points of two steps of a sequence;
    `latency_cycles`: first input beat accepted to last output beat accepted, a sequence of
    `steps`; `interval_cycles`: first input beats of two consecutive sequences, in steady state.
    With several streams both distances are those of one stream while all are running. `rom_luts`:
    the LUTs of weight memories, which are among `luts`. `count`: the same with errors. `dsps` and
    `brams` in blocks of the board: half a RAMB36 is 0.5.
    """

    design: Design
    steps: int
    cycles_per_step: float
    latency_cycles: int
    interval_cycles: int
    multipliers: int
    weight_bits: int
    luts: int
    ffs: int
    dsps: float
    brams: float
    urams: int
    rom_luts: int
    count: Count
    parts: dict[str, Area]

    @property
    def clock_mhz(self) -> float:
        """The board's clock: a target, not a result of timing analysis."""
        return self.design.board.clock_mhz

    @property
    def latency_us(self) -> float:
        """Latency at the board's clock."""
        return self.latency_cycles / self.clock_mhz

    @property
    def sequences_per_s(self) -> float:
        """Throughput at the board's clock, all streams running."""
        return self.design.streams * self.clock_mhz * 1e6 / self.interval_cycles

    def cycles(self, sequences: int | Sequence[int] = 1) -> int:
        """First input beat accepted to last output beat accepted, over all sequences.

        `sequences`: how many of `steps` steps, or a list of lengths.
        """
        lengths = [self.steps] * sequences if isinstance(sequences, int) else list(sequences)
        return schedule(self.design, lengths).cycles

    @property
    def energy(self) -> Energy | None:
        """Energy of a sequence; None for a family without public coefficients."""
        return energy(self.count, self.design.board, self.interval_cycles)

    def error_percent(self, kind: str) -> float:
        """The error of `luts`, `ffs` or `rom_luts` that nine designs in ten stay below, percent."""
        used = float(getattr(self.count, kind))
        return round(100 * self.count.error(kind) / used, 1) if used else 0.0

    def as_dict(self) -> dict[str, object]:
        """Plain numbers, for JSON and tables."""
        board = self.design.board
        spent = self.energy
        return {
            "model": self.design.name,
            "board": board.name,
            "clock_mhz": board.clock_mhz,
            "steps": self.steps,
            "cycles_per_step": self.cycles_per_step,
            "latency_cycles": self.latency_cycles,
            "latency_us": round(self.latency_us, 3),
            "interval_cycles": self.interval_cycles,
            "sequences_per_s": round(self.sequences_per_s, 1),
            "multipliers": self.multipliers,
            "weight_bits": self.weight_bits,
            "dsps": self.dsps,
            "brams": self.brams,
            "urams": self.urams,
            "luts": self.luts,
            "luts_error_percent": self.error_percent("luts"),
            "ffs": self.ffs,
            "ffs_error_percent": self.error_percent("ffs"),
            "weight_rom_luts": self.rom_luts,
            "weight_rom_luts_error_percent": self.error_percent("rom_luts"),
            "energy_uj_per_sequence": spent and round(spent.microjoules, 4),
        }

    def use(self) -> dict[str, tuple[float, int]]:
        """Each resource: what the design takes, what the board has."""
        board = self.design.board
        urams = {"UltraRAM": (self.urams, board.urams)} if board.urams else {}
        return {
            "LUT": (self.luts, board.luts),
            "FF": (self.ffs, board.ffs),
            "DSP": (self.dsps, board.dsps),
            "block RAM": (self.brams, board.block_rams),
            **urams,
        }

    def errors(self) -> dict[str, str]:
        """What is known of the error of each resource."""
        return {
            "LUT": f"± {self.error_percent('luts'):g} %",
            "FF": f"± {self.error_percent('ffs'):g} %",
            "DSP": "computed",
            "block RAM": "computed",
            "UltraRAM": "computed",
        }


def estimate_design(
    design: Design, steps: int | None = None, made_of: Sequence[Part] = ()
) -> Estimate:
    """Cycles and resources. `steps`: the length of the sequence for the latency; by default that
    of the example with which the model was exported. `made_of`: the library modules that the
    design is made of (`hwrnn.backends.rtl_parts`); without them the rough area of
    `hwrnn.design.area`, by which foldings are searched.
    """
    n = steps_of(design, steps)
    parts = area(design)
    rough = sum(parts.values(), Area())
    found = total(count(p, design.board.family) for p in made_of) if made_of else as_count(rough)
    return Estimate(
        design=design,
        steps=n,
        cycles_per_step=cycles_per_step(design),
        latency_cycles=schedule(design, [n]).cycles,
        interval_cycles=interval_cycles(design, n),
        multipliers=rough.multipliers,
        weight_bits=sum(m.bits for m in memories(design) if m.rom),
        luts=round(found.luts),
        ffs=round(found.ffs),
        dsps=whole(found.dsps),
        brams=whole(found.block_rams),
        urams=rough.urams,
        rom_luts=round(found.rom_luts),
        count=found,
        parts=parts,
    )


def whole(number: float) -> float:
    """Halves of blocks as they are, whole ones as whole numbers."""
    return int(number) if number % 1 == 0 else number


def as_count(rough: Area) -> Count:
    """An area without errors."""
    return Count(
        luts=rough.luts, ffs=rough.ffs, dsps=rough.dsps, block_rams=float(rough.block_rams)
    )


def interval_cycles(design: Design, steps: int) -> int:
    """The distance of two sequences of `steps` steps of one stream, others waiting behind them.

    At the output they are at once as far apart as the slowest kernel makes them; at the input
    only when all that lies between is full.
    """
    each = design.streams
    run = schedule(design, [steps] * WARM_SEQUENCES * each)
    at_input = run.first_beats[-1] - run.first_beats[-1 - each]
    at_outputs = (
        times[-1] - times[-1 - len(times) // WARM_SEQUENCES] for times in run.outputs.values()
    )
    return max(at_input, *at_outputs)


def steps_of(design: Design, steps: int | None) -> int:
    """The steps asked for, else those of the example; only what the design takes."""
    fixed, most = design.source.fixed_steps, design.max_steps
    if steps and fixed and steps != fixed:
        fact = f"is {steps}; the model takes sequences of exactly {fixed} steps"
        raise DesignError("option steps", fact)
    if steps and most and steps > most:
        fact = f"is {steps}; this design buffers sequences of up to {most}"
        raise DesignError("option steps", fact, f"build it with max_steps={steps} or more")
    wanted = steps or fixed or design.graph.inputs[0].example_steps or DEFAULT_STEPS
    return min(wanted, most or wanted)


def cycles_per_step(design: Design) -> float:
    """The slowest engine's steady-state distance between two steps; 0 without an engine."""
    source: AxisIn = design.source
    steps = source.fixed_steps or design.max_steps or 2 * WARM_STEPS
    run = schedule(design, [steps] * design.streams)
    streams = {e.name: e.streams for e in design.engines}
    found = (steady(starts[:: streams[name]]) for name, starts in run.engine_steps.items())
    return max(found, default=0)


def steady(starts: list[int]) -> float:
    """The mean distance over the last whole period of the distances; 0 with a single step."""
    gaps = [b - a for a, b in pairwise(starts)]
    if not gaps:
        return 0
    for period in range(1, len(gaps) // 2 + 1):
        if gaps[-period:] == gaps[-2 * period : -period]:
            mean = Fraction(sum(gaps[-period:]), period)
            return int(mean) if mean.denominator == 1 else float(mean)
    return gaps[-1]
