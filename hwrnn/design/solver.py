# SPDX-License-Identifier: Apache-2.0
"""From a goal to a folding: the smallest design that is fast enough, or the fastest that fits.

`Plan` proposes with quick models of time and area; the exact schedule and the area of the whole
design decide, and correct the plan by what it was wrong by. The smallest design is the one that
takes the smallest sum of shares of the board: of its LUT, FF, DSP and block RAM. See
docs/folding.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from hwrnn.board import Board
from hwrnn.design.area import Area, area
from hwrnn.design.bounds import overfull, pace, slowest
from hwrnn.design.choices import Use, all_choices, cost, shares
from hwrnn.design.design import Design
from hwrnn.design.estimate import interval_cycles, steps_of
from hwrnn.design.folding import Fold
from hwrnn.design.goal import Aim, Goal
from hwrnn.design.lower import Site, build_design
from hwrnn.design.options import Options
from hwrnn.design.plan import Picks, Plan, changed
from hwrnn.design.timing import schedule
from hwrnn.errors import DesignError
from hwrnn.ir import Graph

TIGHTENINGS = 8  # so often a plan is corrected by what its models were wrong by
NEAR = 0.05  # what misses the goal by more than this in the quick model is not looked at
FEW = 10  # exact schedules for one layer in one round of improvements

Time = tuple[float, ...]
Take = Callable[[Design], Area]
Key = tuple[tuple[str, Fold], ...]


def solve(
    graph: Graph,
    board: Board,
    goal: Goal,
    max_steps: int | None = None,
    options: Options | None = None,
    *,
    take: Take | None = None,
) -> Design:
    """The design for a goal; its `bound` says what bounds it. `take`: what a whole design takes,
    by default the rough area of `hwrnn.design.area`.

    Raises DesignError for what cannot be reached on the board, with the reason.
    """
    site = Site.of(graph, board, max_steps, options or Options())
    solver = Solver.of(site, goal, take or rough_area)
    picks = solver.filled() if goal.aim is Aim.FILL else solver.smallest()
    folds = site.folds({name: choice.fold for name, choice in picks.items()})
    folding = {name: fold.as_dict() for name, fold in folds.items()}
    design = build_design(graph, board, folding, max_steps, options)
    return replace(design, bound=solver.reason(picks))


@dataclass
class Exact:
    """Designs with their exact cycles and area, each computed once."""

    site: Site
    steps: int
    take: Take
    designs: dict[Key, Design | None] = field(default_factory=dict)
    uses: dict[Key, Use] = field(default_factory=dict)
    latencies: dict[Key, float] = field(default_factory=dict)
    intervals: dict[Key, float] = field(default_factory=dict)

    def design(self, picks: Picks) -> Design | None:
        """The lowered design; None if its tables exceed the board."""
        key = folds_of(picks)
        if key not in self.designs:
            try:
                self.designs[key] = self.site.design(self.site.folds(dict(key)))
            except DesignError:
                self.designs[key] = None
        return self.designs[key]

    def use(self, picks: Picks) -> Use:
        """Shares of the board."""
        key, design = folds_of(picks), self.design(picks)
        if key not in self.uses:
            self.uses[key] = board_use(design, self.take) if design else (float("inf"),)
        return self.uses[key]

    def latency(self, picks: Picks) -> float:
        """Cycles of one sequence."""
        key, design = folds_of(picks), self.design(picks)
        if key not in self.latencies:
            cycles = schedule(design, [self.steps]).cycles if design else float("inf")
            self.latencies[key] = cycles
        return self.latencies[key]

    def interval(self, picks: Picks) -> float:
        """Cycles from sequence to sequence."""
        key, design = folds_of(picks), self.design(picks)
        if key not in self.intervals:
            cycles = interval_cycles(design, self.steps) if design else float("inf")
            self.intervals[key] = cycles
        return self.intervals[key]


def board_use(design: Design, take: Take) -> Use:
    """What a whole design takes of its board."""
    return shares(take(design), design.board)


def rough_area(design: Design) -> Area:
    """What a whole design takes, by the quick model."""
    return sum(area(design).values(), Area())


def folds_of(picks: Picks) -> Key:
    """What tells two designs apart."""
    return tuple((name, choice.fold) for name, choice in picks.items())


@dataclass
class Solver:
    """A goal on its site."""

    site: Site
    goal: Goal
    plan: Plan
    exact: Exact

    @classmethod
    def of(cls, site: Site, goal: Goal, take: Take) -> Solver:
        """All choices of all layers, and the models of time and area."""
        if not site.layers():
            raise DesignError(
                f"option {goal.aim.value}",
                f"{site.graph.name} has no layer to fold",
                "leave it out",
            )
        choices = all_choices(site)
        base = site.design(site.folds({n: found[0].fold for n, found in choices.items()}))
        steps = steps_of(base, None)
        plan = Plan.of(base, board_use(base, take), choices, steps)
        return cls(site=site, goal=goal, plan=plan, exact=Exact(site, steps, take))

    def smallest(self) -> Picks:
        """The smallest design that meets a latency or a rate."""
        limit = self.goal.limit(self.site.board, self.site.options.streams)
        picks = self.proposed(limit) or self.last_resort(limit)
        return self.shrunk(picks, limit)

    def time(self, picks: Picks) -> float:
        """The exact cycles that the goal limits."""
        rate = self.goal.aim is Aim.RATE
        return self.exact.interval(picks) if rate else self.exact.latency(picks)

    def fits(self, picks: Picks) -> bool:
        """True when the board has what the design takes."""
        return max(self.exact.use(picks)) <= 1

    def proposed(self, limit: int) -> Picks | None:
        """The cheapest plan that is exactly fast enough and fits."""
        best: Picks | None = None
        wanted = float(limit)
        for _ in range(TIGHTENINGS):
            picks = self.plan.cheapest(wanted, self.goal.aim)
            if picks is None:
                break
            cycles, guess = self.time(picks), self.plan.time(picks, self.goal.aim)
            if cycles <= limit and self.fits(picks):
                best = min(best or picks, picks, key=lambda p: cost(self.exact.use(p)))
            slack = limit - cycles  # positive: the model was too careful, or steps are coarse
            nearer = guess + slack
            if nearer == wanted or (best and nearer < wanted):
                break
            wanted = min(nearer, guess - 1) if slack < 0 else nearer
        return best

    def last_resort(self, limit: int) -> Picks:
        """The fastest that fits, if it is fast enough; else the reason why there is none."""
        fastest = self.fastest_that_fits()
        if fastest and self.time(fastest) > limit:
            fastest = self.hastened(fastest, 1)
        if fastest and self.time(fastest) <= limit:
            return fastest
        raise self.unreachable(fastest, limit)

    def fastest_that_fits(self) -> Picks | None:
        """The fastest design of the board for the goal's kind of time."""
        share = 1.0
        for _ in range(TIGHTENINGS):
            picks = self.plan.fastest(share, self.goal.aim)
            if picks is None or self.fits(picks):
                return picks
            share -= max(self.exact.use(picks)) - 1 + 1e-6
        return None

    def shrunk(self, picks: Picks, limit: int) -> Picks:
        """No layer can be made cheaper alone without missing the goal."""
        wrong = self.time(picks) - self.plan.time(picks, self.goal.aim)
        reach = limit - wrong + max(NEAR * limit, 16)
        better: Picks | None = picks
        while better:
            picks = better
            better = next(self.cheaper(picks, limit, reach), None)
        return picks

    def cheaper(self, picks: Picks, limit: int, reach: float) -> Iterator[Picks]:
        """Designs with one layer cheaper that still meet the goal, the cheapest first."""
        now = cost(self.exact.use(picks))
        for name in picks:
            tries = [changed(picks, name, c) for c in self.plan.cheaper(picks, name)]
            tries = self.plan.moved(picks, name, -1) + tries
            near = [p for p in tries if self.plan.time(p, self.goal.aim) <= reach]
            for p in near[: FEW + 2]:
                if cost(self.exact.use(p)) < now and self.time(p) <= limit:
                    yield p

    def filled(self) -> Picks:
        """The fastest design that takes no more than the goal's share of anything."""
        share = wanted = above = self.goal.value
        below = 0.0
        for _ in range(6 * TIGHTENINGS):
            picks = self.plan.fastest(wanted, self.goal.aim)
            if picks is None:
                below = wanted
                wanted = (below + above) / 2
                continue
            used = max(self.exact.use(picks))
            if used <= share:
                return self.hastened(picks, share)
            above = wanted
            wanted = max(wanted * share / used * 0.99, (below + above) / 2)
        raise self.too_full()

    def hastened(self, picks: Picks, share: float) -> Picks:
        """No layer can be made faster alone within the share, or cheaper at the same speed."""
        better: Picks | None = picks
        while better:
            picks = better
            better = next(self.faster(picks, share), None)
        return picks

    def speed(self, picks: Picks) -> Time:
        """What is to be short: the interval, then the latency, then the cost; or what is asked."""
        times = (self.exact.interval(picks), self.exact.latency(picks))
        ours = times[::-1] if self.goal.aim is Aim.LATENCY else times
        return (*ours, *cost(self.exact.use(picks)))

    def faster(self, picks: Picks, share: float) -> Iterator[Picks]:
        """Designs with one layer changed that are better and within the share."""
        now = self.speed(picks)
        for name in picks:
            tries = [changed(picks, name, c) for c in self.plan.choices(name)]
            guess = {id(p): self.plan.speed(p, self.goal.aim) for p in tries}
            quick = [p for p in tries if guess[id(p)] < self.plan.speed(picks, self.goal.aim)]
            quick.sort(key=lambda p: guess[id(p)])
            for p in quick[:FEW] + self.plan.moved(picks, name, 1):
                if max(self.exact.use(p)) <= share and self.speed(p) < now:
                    yield p

    def words(self, picks: Picks) -> str:
        """The exact time of a design in the goal's unit."""
        return self.goal.words(self.time(picks), self.site.board, self.site.options.streams)

    def reason(self, picks: Picks) -> str:
        """What bounds a design that was found."""
        design = self.exact.design(picks)
        assert design is not None
        text = pace(slowest(design, self.plan, picks), self.plan, picks)
        if self.goal.aim is Aim.FILL:
            used = overfull(self.exact.use(picks), 0)
            return f"{text}; {used}, of {100 * self.goal.value:g} % allowed"
        found = self.words(picks)
        return f"{text}; {found} for a target of {self.goal.value:g}"

    def too_full(self) -> DesignError:
        """Nothing stays within the share."""
        picks = self.plan.cheapest(float("inf"), Aim.LATENCY)
        assert picks is not None
        what = overfull(self.exact.use(picks), self.goal.value)
        return DesignError(
            f"option {self.goal.aim.value}",
            f"is {self.goal.value:g}; the smallest design takes {what}",
            "take a larger board, or a larger share",
        )

    def unreachable(self, fastest: Picks | None, limit: int) -> DesignError:
        """Nothing on this board is fast enough."""
        board = self.site.board
        place = f"option {self.goal.aim.value}"
        if fastest is None:
            picks = self.plan.cheapest(float("inf"), Aim.LATENCY)
            assert picks is not None
            what = overfull(self.exact.use(picks), 1)
            fact = f"{board.title} is too small: the smallest design takes {what}"
            return DesignError(place, fact, "take a larger board, or a smaller model")
        found = self.words(fastest)
        fact = f"is {self.goal.value:g}; the fastest design on {board.title} takes {found}"
        if self.goal.aim is Aim.RATE:
            fact = f"is {self.goal.value:g}; the fastest design on {board.title} gives {found}"
        return DesignError(place, fact, self.obstacle(limit))

    def obstacle(self, limit: int) -> str:
        """What a design would run into that is fast enough."""
        wanted = self.plan.cheapest(limit, self.goal.aim)
        if wanted and max(self.exact.use(wanted)) > 1:
            return f"a faster one would take {overfull(self.exact.use(wanted), 1)}"
        free = self.plan.fastest(float("inf"), self.goal.aim)
        assert free is not None
        design = self.exact.design(free)
        assert design is not None
        return pace(slowest(design, self.plan, free), self.plan, free)
