# SPDX-License-Identifier: Apache-2.0
"""Foldings of a whole network by quick models: additive area, and time in whole vectors.

Nothing here is exact: `hwrnn.design.solver` checks and corrects what a plan proposes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hwrnn.design.choices import Choice, Use, added, cost, worth
from hwrnn.design.design import Design
from hwrnn.design.goal import Aim
from hwrnn.design.rhythm import Rhythm

BOTTLENECKS = 8  # so many are tried, from the slowest on, for the one that leaves the least cost

Picks = dict[str, Choice]
Shelf = Mapping[str, list[Choice]]
Time = tuple[float, float]


@dataclass
class Plan:
    """What can be chosen, what is fixed, and how long a sequence keeps each layer busy."""

    rhythm: Rhythm
    fixed: Use
    grid: Mapping[str, Mapping[tuple[int, int], Choice]]
    shelf: Shelf

    @classmethod
    def of(cls, base: Design, use: Use, grid: Mapping[str, list[Choice]], steps: int) -> Plan:
        """`base`: a design of the network, `use`: what it takes; `grid`: all choices."""
        by_fold = {n: {(c.fold.pe, c.fold.simd): c for c in cs} for n, cs in grid.items()}
        layers = added(by_fold[e.name][e.pe, e.simd].use for e in base.engines)
        fixed = tuple(max(u - part, 0.0) for u, part in zip(use, layers, strict=True))
        rhythm = Rhythm(base, steps)
        return cls(rhythm, fixed, by_fold, {n: worth(cs) for n, cs in grid.items()})

    def use(self, picks: Picks) -> Use:
        """About what a design takes of the board."""
        return added((self.fixed, *(c.use for c in picks.values())))

    def cost(self, picks: Picks, ceiling: float = 1.0) -> tuple[float, float]:
        """About its sum of shares, if none is above the ceiling."""
        return cost(self.use(picks), ceiling)

    def time(self, picks: Picks, aim: Aim) -> float:
        """About the cycles that a goal limits."""
        latency, interval = self.rhythm.run(picks)
        return interval if aim is Aim.RATE else latency

    def speed(self, picks: Picks, aim: Aim) -> tuple[float, ...]:
        """About the latency, the interval and the cost; the interval first but for a latency."""
        times = self.rhythm.run(picks)
        return (*(times if aim is Aim.LATENCY else times[::-1]), *self.cost(picks))

    def busy(self, name: str, choice: Choice) -> int:
        """For how many cycles a sequence keeps a layer busy."""
        return self.rhythm.busy(name, choice)

    def choices(self, name: str) -> list[Choice]:
        """The useful choices of a layer, the cheapest first."""
        return self.shelf[name]

    def cheaper(self, picks: Picks, name: str) -> list[Choice]:
        """Choices of a layer that make the whole cheaper, the cheapest first."""
        now = self.cost(picks)
        rated = [(self.cost(changed(picks, name, c)), c) for c in self.shelf[name]]
        return [c for rate, c in sorted(rated, key=lambda r: r[0]) if rate < now]

    def moved(self, picks: Picks, name: str, step: int) -> list[Picks]:
        """One layer a notch smaller (step -1) or larger (1): its next pe, its next simd."""
        at, grid = picks[name].fold, self.grid[name]
        pes = sorted(step * pe for pe, simd in grid if simd == at.simd and step * pe > step * at.pe)
        simds = sorted(step * s for pe, s in grid if pe == at.pe and step * s > step * at.simd)
        found = [grid[step * pe, at.simd] for pe in pes[:1]]
        found += [grid[at.pe, step * simd] for simd in simds[:1]]
        return [changed(picks, name, choice) for choice in found]

    def cheapest(self, limit: float, aim: Aim) -> Picks | None:
        """The cheapest plan within `limit` cycles; None if there is none."""
        if aim is Aim.RATE or limit == float("inf"):
            allowed = self.allowed(limit)
            return self.settled(least(allowed), allowed) if allowed else None
        found: list[Picks] = []
        for cap in reversed(self.caps(limit)):
            allowed = self.allowed(cap)
            if not allowed or self.time(quickest(allowed), aim) > limit:
                continue
            picks = self.fast_enough(allowed, limit)
            if picks:
                found.append(picks)
            if len(found) == BOTTLENECKS:
                break
        return min(found, key=self.cost, default=None)

    def caps(self, limit: float) -> list[int]:
        """All numbers of cycles for which a layer can be busy, up to a limit."""
        busy = {self.busy(name, c) for name, cs in self.shelf.items() for c in cs}
        return sorted(b for b in busy if b <= limit)

    def allowed(self, cap: float) -> dict[str, list[Choice]] | None:
        """The choices that keep no layer busy for longer; None if a layer has none."""
        found = {n: [c for c in cs if self.busy(n, c) <= cap] for n, cs in self.shelf.items()}
        return found if all(found.values()) else None

    def fast_enough(self, allowed: Shelf, limit: float) -> Picks | None:
        """From the cheapest on, always the change that saves most time for its cost."""
        picks = self.settled(least(allowed), allowed)
        while self.rhythm.latency(picks) > limit:
            better = self.best_change(picks, allowed, limit, float("inf"))
            if better is None:
                return None
            picks = better
        return self.settled(picks, allowed, lambda p: self.rhythm.latency(p) <= limit)

    def best_change(self, picks: Picks, allowed: Shelf, limit: float, share: float) -> Picks | None:
        """The change of one layer that saves most cycles (down to `limit`) for its cost."""
        now, price = self.rhythm.latency(picks), sum(self.use(picks))
        best, gain = None, 0.0
        for name, choices in allowed.items():
            at = picks[name]
            for choice in choices:
                if choice.work + choice.out_latency >= at.work + at.out_latency:
                    continue
                p = changed(picks, name, choice)
                saved = now - max(self.rhythm.latency(p), limit)
                use = self.use(p)
                rate = saved / max(sum(use) - price, 1e-9)
                if saved > 0 and rate > gain and max(use) <= share:
                    best, gain = p, rate
        return best

    def settled(
        self,
        picks: Picks,
        allowed: Shelf,
        ok: Callable[[Picks], bool] = lambda _: True,
        ceiling: float = 1.0,
    ) -> Picks:
        """Layer by layer the cheapest choice beside the others, until nothing changes."""
        while True:
            before = picks
            for name, choices in allowed.items():
                tries = (changed(picks, name, c) for c in choices)
                rated = [(self.cost(p, ceiling), p) for p in tries]
                now = self.cost(picks, ceiling)
                good = sorted((r for r in rated if r[0] < now), key=lambda r: r[0])
                picks = next((p for _, p in good if ok(p)), picks)
            if picks is before:
                return picks

    def fastest(self, share: float, aim: Aim) -> Picks | None:
        """The fastest plan that takes no more than `share` of anything; None if there is none.

        For a latency the shortest latency, else the shortest interval and then latency.
        """
        caps = self.caps(float("inf"))
        first = bisect_left(caps, True, key=lambda cap: self.within(cap, share) is not None)
        tried = caps[first : first + (BOTTLENECKS if aim is Aim.LATENCY else 1)]
        found = [p for p in (self.shortest(cap, share) for cap in tried) if p]
        return min(found, key=lambda p: self.speed(p, aim), default=None)

    def within(self, cap: float, share: float) -> Picks | None:
        """The cheapest plan with a bottleneck, if it takes no more than `share`."""
        allowed = self.allowed(cap)
        picks = self.settled(least(allowed), allowed, ceiling=share) if allowed else None
        return picks if picks and max(self.use(picks)) <= share else None

    def shortest(self, cap: float, share: float) -> Picks | None:
        """The shortest latency with a bottleneck, within a share."""
        picks, allowed = self.within(cap, share), self.allowed(cap)
        if picks is None or allowed is None:
            return None
        better: Picks | None = picks
        while better:
            picks = better
            better = self.best_change(picks, allowed, 0, share)
        reached = self.rhythm.latency(picks)
        return self.settled(picks, allowed, lambda p: self.rhythm.latency(p) <= reached, share)


def changed(picks: Picks, name: str, choice: Choice) -> Picks:
    """The picks with another choice for one layer."""
    return {**picks, name: choice}


def least(allowed: Shelf) -> Picks:
    """The cheapest choice of each layer alone."""
    return {name: choices[0] for name, choices in allowed.items()}


def quickest(allowed: Shelf) -> Picks:
    """The choice of each layer with the shortest step."""
    rank: Callable[[Choice], tuple[int, int]] = lambda c: (c.work + c.out_latency, c.step)  # noqa: E731
    return {name: min(choices, key=rank) for name, choices in allowed.items()}
