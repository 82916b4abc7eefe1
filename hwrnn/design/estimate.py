# SPDX-License-Identifier: Apache-2.0
"""Latency, throughput and area of a design, without a vendor tool.

Cycles are computed by `hwrnn.design.timing` and equal what the RTL simulation counts. DSP and
memory blocks are counted; LUT and FF are a first model (see `hwrnn.design.area`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from hwrnn.design.area import Area, area
from hwrnn.design.design import AxisIn, Design
from hwrnn.design.memory import memories
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
    With several streams both distances are those of one stream while all are running.
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
    dsps: int
    brams: int
    urams: int
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

    def as_dict(self) -> dict[str, object]:
        """Plain numbers, for JSON and tables."""
        board = self.design.board
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
            "luts_first_model": self.luts,
            "ffs_first_model": self.ffs,
        }

    def use(self) -> dict[str, tuple[int, int]]:
        """Each resource: what the design takes, what the board has."""
        board = self.design.board
        urams = {"UltraRAM": (self.urams, board.urams)} if board.urams else {}
        return {
            "LUT (first model)": (self.luts, board.luts),
            "FF (first model)": (self.ffs, board.ffs),
            "DSP": (self.dsps, board.dsps),
            "block RAM": (self.brams, board.block_rams),
            **urams,
        }


def estimate_design(design: Design, steps: int | None = None) -> Estimate:
    """Cycles and area. `steps`: the length of the sequence for the latency; by default that of
    the example with which the model was exported.
    """
    n = steps_of(design, steps)
    parts = area(design)
    total = sum(parts.values(), Area())
    weights = sum(m.bits for m in memories(design) if m.rom)
    return Estimate(
        design=design,
        steps=n,
        cycles_per_step=cycles_per_step(design),
        latency_cycles=schedule(design, [n]).cycles,
        interval_cycles=interval_cycles(design, n),
        multipliers=total.multipliers,
        weight_bits=weights,
        luts=total.luts,
        ffs=total.ffs,
        dsps=total.dsps,
        brams=total.block_rams,
        urams=total.urams,
        parts=parts,
    )


def interval_cycles(design: Design, steps: int) -> int:
    """The distance of two sequences of `steps` steps of one stream, others waiting behind them.

    At the output they are at once as far apart as the slowest kernel makes them; at the input
    only when all that lies between is full.
    """
    each = design.streams
    run = schedule(design, [steps] * WARM_SEQUENCES * each)
    beats = len(run.delivered) // WARM_SEQUENCES
    at_input = run.first_beats[-1] - run.first_beats[-1 - each]
    return max(at_input, run.delivered[-1] - run.delivered[-1 - beats])


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
    """The slowest engine's steady-state distance between two steps."""
    source: AxisIn = design.source
    steps = source.fixed_steps or design.max_steps or 2 * WARM_STEPS
    run = schedule(design, [steps] * design.streams)
    streams = {e.name: e.streams for e in design.engines}
    return max(steady(starts[:: streams[name]]) for name, starts in run.engine_steps.items())


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
