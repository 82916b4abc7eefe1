# SPDX-License-Identifier: Apache-2.0
"""Foldings that are searched: goals are met exactly, nothing is larger than it has to be."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from bodies import gru, leaky, random_cell
from graphs import GraphMaker

import hwrnn
from hwrnn.backends.rtl_parts import taken
from hwrnn.board import load_board
from hwrnn.design.choices import all_choices, choice_of, cost, steady_wait, useful_pe
from hwrnn.design.design import Design, ceil_div
from hwrnn.design.estimate import Estimate
from hwrnn.design.folding_file import folding_of
from hwrnn.design.goal import Aim, Goal
from hwrnn.design.lower import Site, build_design
from hwrnn.design.options import Options
from hwrnn.design.schedule import steady_cycles
from hwrnn.design.solver import board_use
from hwrnn.errors import DesignError
from hwrnn.ir import Concat, Graph, Input, Reverse, Value

BOARD = load_board("pynq_z2")


def network(seed: int) -> Graph:
    """One or two recurrent layers and up to two dense ones, all of random sizes."""
    draw = random.Random(seed)
    maker = GraphMaker(draw.randint(1, 9), seed)
    for k in range(draw.randint(1, 2)):
        maker.lstm(draw.randint(2, 14), f"l{k}")
    if draw.random() < 0.6:
        maker.select()
    for k in range(draw.randint(0, 2)):
        maker.dense(draw.randint(1, 9), f"fc{k}", quantised=True)
    return with_steps(maker.graph(), draw.choice((1, 5, 12)))


def with_steps(graph: Graph, steps: int) -> Graph:
    """The graph, exported with an example of so many steps."""
    ops = tuple(replace(o, example_steps=steps) if isinstance(o, Input) else o for o in graph.ops)
    return replace(graph, ops=ops)


def bidirectional() -> Graph:
    """Two directions, joined, and a dense layer on every step."""
    maker = GraphMaker(5)
    x = maker.at
    forward = maker.lstm(7, "there").at
    maker.at = replace(x, name="flipped")
    maker.ops.append(Reverse(out=maker.at, x=x.name))
    back = replace(maker.lstm(7, "back").at, name="returned")
    maker.ops.append(Reverse(out=back, x="back"))
    maker.at = Value(name="both", type=back.type, size=14, sequence=True)
    maker.ops.append(Concat(out=maker.at, xs=(forward.name, back.name)))
    return maker.dense(3).graph()


def notches(graph: Graph, design: Design, step: int) -> Iterator[Design]:
    """All designs with one layer one notch smaller (-1) or larger (+1)."""
    table = folding_of(design)
    grid = all_choices(Site.of(graph, BOARD, None, Options()))
    for engine in design.engines:
        folds = [c.fold for c in grid[engine.name]]
        pes = sorted({f.pe for f in folds})
        simds = sorted({f.simd for f in folds})
        moved = [(pes, "pe", engine.pe), (simds, "simd", engine.simd)]
        for sizes, key, at in moved:
            k = sizes.index(at) + step
            if 0 <= k < len(sizes):
                entry = {**table[engine.name], key: sizes[k]}
                yield build_design(graph, BOARD, {**table, engine.name: entry})


def price(design: Design) -> tuple[float, float]:
    return cost(board_use(design, taken))


GOALS = (0.9, 0.5, 0.25)  # of the way from the fastest design to the slowest


def slowest(graph: Graph) -> Design:
    return hwrnn.build(graph, folding={"pe": 1, "simd": 1})


@pytest.mark.parametrize("seed", range(5))
def test_a_latency_is_met_by_the_smallest_design(seed: int) -> None:
    graph = network(seed)
    slow = hwrnn.estimate(slowest(graph)).latency_us
    quick = hwrnn.estimate(hwrnn.build(graph, fill=1.0)).latency_us
    for share in GOALS:
        target = quick + share * (slow - quick)
        design = hwrnn.build(graph, target_latency_us=target)
        assert hwrnn.estimate(design).latency_us <= target
        for smaller in notches(graph, design, -1):
            met = hwrnn.estimate(smaller).latency_us <= target
            assert not met or price(smaller) >= price(design)


@pytest.mark.parametrize("seed", range(73, 78))
def test_a_rate_is_met_by_the_smallest_design(seed: int) -> None:
    graph = network(seed)
    slow = hwrnn.estimate(slowest(graph)).sequences_per_s
    quick = hwrnn.estimate(hwrnn.build(graph, fill=1.0)).sequences_per_s
    for share in GOALS:
        target = quick - share * (quick - slow)
        design = hwrnn.build(graph, target_sequences_per_s=target)
        assert hwrnn.estimate(design).sequences_per_s >= target
        for smaller in notches(graph, design, -1):
            met = hwrnn.estimate(smaller).sequences_per_s >= target
            assert not met or price(smaller) >= price(design)


@pytest.mark.parametrize("seed", range(12, 17))
def test_fill_takes_its_share_and_no_more(seed: int) -> None:
    graph = network(seed)
    for share in (0.3, 0.7):
        design = hwrnn.build(graph, fill=share)
        found = hwrnn.estimate(design)
        assert all(used <= share * has for used, has in found.use().values())
        for larger in notches(graph, design, 1):
            other = hwrnn.estimate(larger)
            fits = all(used <= share * has for used, has in other.use().values())
            assert not fits or speed(other) >= speed(found)


def speed(e: Estimate) -> tuple[int, int]:
    return e.interval_cycles, e.latency_cycles


def test_no_folding_at_all_is_smaller() -> None:
    graph = GraphMaker(4).lstm(6).graph()
    every = [
        hwrnn.build(graph, folding={"pe": pe, "simd": simd})
        for pe in range(1, 7)
        for simd in range(1, 11)
    ]
    timed = [(hwrnn.estimate(design).latency_us, design) for design in every]
    for target in (1.5, 2.0, 3.0, 5.0):
        least = min(price(design) for time, design in timed if time <= target)
        assert price(hwrnn.build(graph, target_latency_us=target)) == least
    fastest = min(speed(hwrnn.estimate(d)) for d in every if max(board_use(d, taken)) <= 0.5)
    assert speed(hwrnn.estimate(hwrnn.build(graph, fill=0.5))) == fastest


def test_layers_are_balanced() -> None:
    graph = GraphMaker(8).lstm(16, "wide").lstm(8, "narrow").dense(4).graph()
    design = hwrnn.build(graph, target_sequences_per_s=100_000)
    found = {e.name: (e.pe * e.simd, 8 * steady_cycles(e)) for e in design.engines}
    # 1000 cycles at 100 MHz: nobody works twice as fast who could be smaller
    assert found == {"wide": (4, 768), "narrow": (2, 768), "fc": (1, 256)}


def test_what_was_searched_is_a_design_like_any_other() -> None:
    graph = bidirectional()
    design = hwrnn.build(graph, target_latency_us=4, directions="shared")
    assert design.bound
    assert hwrnn.estimate(design).latency_us <= 4
    again = hwrnn.build(graph, folding=folding_of(design), directions="shared")
    assert again == replace(design, bound=None)


@pytest.mark.parametrize(
    "options",
    [
        {"streams": 3},
        {"pipeline": "latency"},
        {"weights": "bram"},
    ],
    ids=str,
)
def test_options_that_change_the_hardware_change_the_search(options: dict[str, object]) -> None:
    graph = GraphMaker(4).lstm(6).dense(3).graph()
    plain = hwrnn.build(graph, target_sequences_per_s=250_000)
    design = hwrnn.build(graph, target_sequences_per_s=250_000, **options)  # type: ignore[arg-type]
    assert hwrnn.estimate(design).sequences_per_s >= 250_000
    assert design.kernels != plain.kernels


N = r"[\d,.]+"
STEP = rf"layer lstm: {N} cycles a step \({N} groups of units x {N} blocks of columns.*\)"
RECURRENCE = rf"layer lstm: {N} cycles a step is the recurrence itself: mac {N} \+ datapath {N}"
SHARES = rf"[\w ]+: {N} % of the board(, [\w ]+: {N} % of the board)*"
BOUNDS = [
    ({"target_latency_us": 5}, rf"{STEP}; {N} us for a target of 5"),
    ({"target_sequences_per_s": 1e5}, rf"{STEP}; {N} sequences a second for a target of 100000"),
    (
        {"fill": 1.0, "board": "alveo_u250"},
        rf"{RECURRENCE}; {SHARES}, of 100 % allowed",
    ),
]


def digits() -> Graph:
    return GraphMaker(8).lstm(32).select().dense(10).graph()


@pytest.mark.parametrize(("options", "bound"), BOUNDS, ids=["latency", "rate", "fill"])
def test_a_design_says_what_bounds_it(options: dict[str, object], bound: str) -> None:
    assert re.fullmatch(bound, str(hwrnn.build(digits(), **options).bound))  # type: ignore[arg-type]


def test_a_layer_behind_the_last_step_takes_its_time_once() -> None:
    graph = with_steps(GraphMaker(2).lstm(2).select().dense(40).graph(), 1)
    bound = hwrnn.build(graph, target_latency_us=1.5).bound
    assert bound
    assert bound.startswith("layer fc: ")
    assert " cycles a sequence (" in bound


@pytest.mark.parametrize(
    "graph",
    [gru(3, 6, reset_after=True), gru(3, 6, reset_after=False), leaky(3, 6), random_cell(5)],
    ids=["gru", "gru in two passes", "leaky", "random"],
)
def test_any_cell_is_searched(graph: Graph) -> None:
    slow = hwrnn.estimate(slowest(graph)).latency_us
    quick = hwrnn.estimate(hwrnn.build(graph, fill=1.0)).latency_us
    target = (slow + quick) / 2
    design = hwrnn.build(graph, target_latency_us=target)
    assert hwrnn.estimate(design).latency_us <= target
    for smaller in notches(graph, design, -1):
        met = hwrnn.estimate(smaller).latency_us <= target
        assert not met or price(smaller) >= price(design)


REFUSED: list[tuple[dict[str, object], str]] = [
    (
        {"target_latency_us": 1},
        rf"option target_latency_us: is 1; the fastest design on TUL PYNQ-Z2 takes {N} us\n"
        rf"  hint: {RECURRENCE}",
    ),
    (
        {"target_latency_us": 1.5},
        rf"option target_latency_us: is 1.5; the fastest design on TUL PYNQ-Z2 takes {N} us\n"
        rf"  hint: a faster one would take {SHARES}",
    ),
    (
        {"target_sequences_per_s": 9e6},
        "option target_sequences_per_s: is 9e\\+06; the fastest design on TUL PYNQ-Z2 gives "
        rf"{N} sequences a second\n  hint: {RECURRENCE}",
    ),
    (
        {"fill": 0.001},
        rf"option fill: is 0.001; the smallest design takes {SHARES}\n"
        "  hint: take a larger board, or a larger share",
    ),
    (
        {"folding": {"pe": 1}, "target_latency_us": 9},
        "option folding: cannot be given together with target_latency_us: each decides the "
        "folding\n  hint: give one of them",
    ),
    (
        {"fill": 0.7, "target_sequences_per_s": 9},
        "option target_sequences_per_s: cannot be given together with fill: each decides the "
        "folding\n  hint: give one of them",
    ),
]
NONSENSE: list[tuple[str, object]] = [
    *(("target_latency_us", v) for v in (0, -1.5, float("nan"), float("inf"), True, "5")),
    *(("fill", v) for v in (0, 1.01, 70)),
]


@pytest.mark.parametrize(("name", "value"), NONSENSE)
def test_a_goal_is_a_number(name: str, value: object) -> None:
    legal = "above 0" if name != "fill" else "a share of the board: above 0, at most 1"
    with pytest.raises(DesignError) as fault:
        hwrnn.build(digits(), **{name: value})  # type: ignore[arg-type]
    assert str(fault.value) == f"option {name}: is {value!r}\n  hint: a number, {legal}"


def test_a_board_may_be_too_small_for_any_folding() -> None:
    graph = GraphMaker(8).lstm(128).graph()
    with pytest.raises(DesignError) as fault:
        hwrnn.build(graph, target_latency_us=1e6, board="icebreaker")
    assert re.fullmatch(
        "option target_latency_us: 1BitSquared iCEBreaker is too small: "
        rf"the smallest design takes {SHARES}\n  hint: take a larger board, or a smaller model",
        str(fault.value),
    )


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=lambda v: str(v)[:40])
def test_a_goal_that_cannot_be_is_refused_in_words(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(DesignError) as fault:
        hwrnn.build(digits(), **options)  # type: ignore[arg-type]
    assert re.fullmatch(message, str(fault.value))


def test_a_network_without_layers_has_nothing_to_search() -> None:
    with pytest.raises(DesignError, match="option fill: net has no layer to fold"):
        hwrnn.build(GraphMaker(3).graph(), fill=0.5)


@pytest.mark.parametrize("value", [0.1, 1.1, 2.2, 3.3, 1e-9, 12345.678901, 7])
def test_the_limit_in_cycles_is_the_last_that_meets_the_goal(value: float) -> None:
    board = replace(BOARD, clock_mhz=33.3)
    latency = Goal(aim=Aim.LATENCY, value=value).limit(board, 1)
    assert latency / 33.3 <= value < (latency + 1) / 33.3
    rate = Goal(aim=Aim.RATE, value=value * 1e3).limit(board, 2)
    assert 2 * 33.3 * 1e6 / rate >= value * 1e3 > 2 * 33.3 * 1e6 / (rate + 1)


@pytest.mark.parametrize("units", [1, 2, 7, 12, 100])
def test_useful_pe_have_all_numbers_of_groups(units: int) -> None:
    pes = useful_pe(units)
    groups = [ceil_div(units, pe) for pe in pes]
    assert len(set(groups)) == len(groups)
    assert set(groups) == {ceil_div(units, pe) for pe in range(1, units + 1)}
    assert all(pe == 1 or ceil_div(units, pe - 1) > ceil_div(units, pe) for pe in pes)


@pytest.mark.parametrize("seed", range(3))
def test_a_choice_is_what_is_built(seed: int) -> None:
    site = Site.of(network(seed), BOARD, None, Options())
    draw = random.Random(seed)
    choices = all_choices(site)
    for _ in range(8):
        picks = {name: draw.choice(found) for name, found in choices.items()}
        design = site.design({name: choice.fold for name, choice in picks.items()})
        for engine in design.engines:
            assert choice_of(engine, BOARD) == picks[engine.name]


@pytest.mark.parametrize("streams", [1, 3])
def test_the_wait_of_a_step_is_that_of_its_schedule(streams: int) -> None:
    draw = random.Random(streams)
    for _ in range(12):
        inputs, units = draw.randint(1, 9), draw.randint(1, 12)
        graph = GraphMaker(inputs).lstm(units).graph()
        fold = {"pe": draw.randint(1, units), "simd": draw.randint(1, inputs + units)}
        engine = hwrnn.build(graph, folding=fold, streams=streams).engines[0]
        work = streams * engine.groups * len(engine.blocks)
        assert work + steady_wait(engine) == steady_cycles(engine)
