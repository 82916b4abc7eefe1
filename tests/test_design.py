# SPDX-License-Identifier: Apache-2.0
"""The design: folding, engines, weight memory, and the schedule on sizes known from papers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from bodies import gru
from graphs import GraphMaker

import hwrnn
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.area import cell_area, datapath_area
from hwrnn.design.design import AxisIn, AxisOut, Dwc, Engine, ceil_div
from hwrnn.design.engine import Storage
from hwrnn.design.estimate import steady
from hwrnn.design.regrouping import Regrouping
from hwrnn.design.tables import narrow_tables
from hwrnn.design.timing import schedule
from hwrnn.errors import DesignError
from hwrnn.ir import (
    Flatten,
    Graph,
    Input,
    IntType,
    Lut,
    Requant,
    Reverse,
    Step,
    Value,
    walk,
)


def lstm(inputs: int, hidden: int) -> Graph:
    return GraphMaker(inputs).lstm(hidden).graph()


def formula(engine: Engine) -> int:
    """Steady-state cycles per step: all blocks, and what the tail adds if they do not hide it."""
    groups, x_blocks, h_blocks = engine.groups, engine.x_blocks, engine.h_blocks
    first = ceil_div(min(engine.simd, engine.units), engine.pe)
    waits = engine.state_latency + first - 1 - groups - groups * x_blocks
    return groups * (x_blocks + h_blocks) + max(0, waits)


@pytest.mark.parametrize(
    ("inputs", "hidden", "pe", "simd", "cycles"),
    [
        (64, 128, 4, 16, 384),  # every multiplier busy in every cycle
        (3, 128, 4, 16, 288),  # QuickDraw's first layer
        (8, 32, 2, 8, 80),
        (6, 20, 3, 7, None),  # nothing divides
        (6, 20, 20, 6, None),  # all units at once: the tail shows
        (1, 9, 1, 1, None),
    ],
)
def test_steady_state_is_the_formula(
    inputs: int, hidden: int, pe: int, simd: int, cycles: int | None
) -> None:
    design = hwrnn.build(lstm(inputs, hidden), folding={"pe": pe, "simd": simd})
    found = hwrnn.estimate(design).cycles_per_step
    assert found == formula(design.engines[0])
    assert cycles is None or found == cycles


def test_sequences_add_up() -> None:
    est = hwrnn.estimate(hwrnn.build(lstm(8, 16), folding={"pe": 2, "simd": 4}), steps=5)
    assert est.steps == 5
    assert est.cycles() == est.latency_cycles
    far = est.cycles(20) - est.cycles(19)
    assert far == est.interval_cycles
    assert est.cycles([5, 5, 5]) == est.cycles(3)


def test_the_interval_is_that_of_full_buffers() -> None:
    graph = GraphMaker(5).lstm(12).dense(7).graph()
    folding = {"lstm": {"pe": 12, "simd": 12}, "fc": {"pe": 1, "simd": 3}}
    design = hwrnn.build(graph, folding=folding)
    starts = schedule(design, [2] * 60).first_beats
    assert starts[4] - starts[3] < starts[-1] - starts[-2]  # the dense layer is not yet felt
    assert hwrnn.estimate(design, steps=2).interval_cycles == starts[-1] - starts[-2] == 2 * 7 * 4


def test_kernels_follow_the_data() -> None:
    graph = GraphMaker(8).lstm(12).select().dense(5, quantised=True).dense(3, "head").graph()
    design = hwrnn.build(graph, folding={"lstm": {"pe": 3, "simd": 4}})
    kinds = [type(k) for k in design.kernels]
    assert kinds == [AxisIn, Engine, Dwc, Engine, Dwc, Engine, AxisOut]
    first = design.engines[0]
    assert first.emit is Step.LAST
    assert (first.pe, first.simd, first.groups, first.x_blocks, first.h_blocks) == (3, 4, 4, 2, 3)
    assert [len(e.gates) for e in design.engines] == [4, 1, 1]
    assert design.engines[1].result == "fc_q"


def test_weight_words_hold_every_weight_once() -> None:
    design = hwrnn.build(lstm(7, 10), folding={"pe": 3, "simd": 4})
    engine = design.engines[0]
    words = engine.weight_words()
    assert words.shape == (2 + 3, 4, 4, 3, 4)
    for g, gate in enumerate(engine.gates):
        rows = words[:, :, g].transpose(1, 2, 0, 3).reshape(12, 5 * 4)
        x, h = rows[:10, :7], rows[:10, 8:18]
        assert np.array_equal(np.hstack([x, h]), gate.weights.array)
        assert not rows[10:].any()
        assert not rows[:, 7].any()
        assert not rows[:, 18:].any()


def test_accumulators_hold_every_partial_sum() -> None:
    graph = GraphMaker(6, x_type=IntType(3, 9)).lstm(4).graph()
    engine = hwrnn.build(graph, folding={"pe": 1, "simd": 1}).engines[0]
    t = engine.accumulator_type
    for gate in engine.gates:
        w_x, w_h = gate.weights.array[:, :6], gate.weights.array[:, 6:]
        # every prefix of columns, the columns of x at either end of their range or not yet in
        low = np.minimum(w_x * 3, w_x * 9).clip(max=0).sum(axis=1)
        low = low + np.minimum(w_h * -128, w_h * 127).sum(axis=1)
        assert t.lo <= low.min()


def test_an_unknown_option_of_the_states_is_refused() -> None:
    with pytest.raises(DesignError) as fault:
        hwrnn.build(lstm(8, 12), state="hold")
    assert str(fault.value) == "option state: is 'hold'\n  hint: use reset or keep"


@pytest.mark.parametrize(("x_lanes", "out_lanes", "features"), [(3, 5, 17), (4, 2, 6), (1, 7, 7)])
def test_regrouping_needs_what_a_beat_holds(x_lanes: int, out_lanes: int, features: int) -> None:
    maker: Callable[[int], Graph] = lambda n: GraphMaker(4).lstm(n).dense(5).graph()  # noqa: E731
    folding = {"lstm": {"pe": x_lanes, "simd": 2}, "fc": {"pe": 1, "simd": out_lanes}}
    design = hwrnn.build(maker(features), folding=folding)
    dwc = next(k for k in design.kernels if isinstance(k, Dwc))
    plan = Regrouping.of(dwc, [2, 1])
    assert len(plan.beats_needed) == 3 * ceil_div(features, out_lanes)
    assert len(plan.beats_gone) == 3 * ceil_div(features, x_lanes)
    assert plan.beats_needed[0] == ceil_div(min(out_lanes, features), x_lanes)
    last_of_first = 2 * ceil_div(features, out_lanes)
    assert plan.beats_gone[2 * ceil_div(features, x_lanes)] == last_of_first


def test_a_slow_sink_slows_the_schedule_and_a_slow_source_too() -> None:
    design = hwrnn.build(lstm(8, 12), folding={"pe": 2, "simd": 4})
    free = schedule(design, [6])
    assert schedule(design, [6], taken=lambda k: 40 * k).cycles > free.cycles
    assert schedule(design, [6], offered=lambda k: 90 * k).cycles > free.cycles


def test_steady_finds_the_period() -> None:
    assert steady([0]) == 0
    assert steady([0, 9, 14, 19, 24]) == 5
    assert steady([0, 9, 13, 14, 18, 19]) == 2.5


def test_tables_lose_their_saturated_ends() -> None:
    graph = lstm(4, 4)
    kept = {op.out.name: op for op in walk(graph.ops) if isinstance(op, Lut)}
    cut = {op.out.name: op for op in walk(narrow_tables(graph).ops) if isinstance(op, Lut)}
    changed = [name for name in cut if cut[name] != kept[name]]
    assert changed
    assert "lstm_c_tanh" not in changed  # c is a state: others read it
    for name in changed:
        whole, part = kept[name].table, cut[name].table
        first = whole.index(part[1]) - 1
        assert whole[first : first + len(part)] == part
        assert set(whole[: first + 1]) == {part[0]}
        assert set(whole[first + len(part) - 1 :]) == {part[-1]}


def test_a_narrowed_graph_means_the_same() -> None:
    graph = lstm(4, 4)
    x = {"x": np.random.default_rng(3).integers(-128, 128, (9, 5, 4))}
    assert np.array_equal(run_plain(graph, x)["y"], run_plain(narrow_tables(graph), x)["y"])


def test_tables_beyond_the_board_are_refused_with_what_they_cost() -> None:
    wide = IntType(-(2**15), 2**15 - 1)
    table = tuple(range(wide.lo, wide.hi + 1))
    maker = GraphMaker(8).lstm(8).dense(8, quantised=True)
    q = maker.ops[-1]
    assert isinstance(q, Requant)
    maker.ops[-1] = replace(q, out=replace(q.out, type=wide), ratio=(Fraction(40),))
    out = Value(name="lut", type=wide, size=8, sequence=True)
    maker.ops.append(Lut(out=out, x=q.out.name, table=table))
    maker.at = out
    with pytest.raises(DesignError) as fault:
        hwrnn.build(maker.graph(), board="icebreaker", folding={"fc": {"pe": 2}})
    assert str(fault.value) == (
        "board icebreaker: has 122880 bits of memory; the tables need 2097152, %lut alone 2097152 "
        "(2 copies of 65536 entries)\n"
        "  hint: use a smaller pe, fewer bits in front of sigmoid and tanh, or a larger board"
    )


def test_a_bidirectional_design_needs_to_know_the_longest_sequence() -> None:
    maker = GraphMaker(3)
    back = replace(maker.at, name="back")
    maker.ops.append(Reverse(out=back, x=maker.at.name))
    maker.at = back
    graph = maker.lstm(4).graph()
    assert hwrnn.build(graph).max_steps == 8  # the example's
    assert hwrnn.build(graph, max_steps=5).max_steps == 5
    ops = tuple(replace(o, example_steps=None) if isinstance(o, Input) else o for o in graph.ops)
    with pytest.raises(DesignError) as fault:
        hwrnn.build(replace(graph, ops=ops))
    assert str(fault.value) == (
        "option max_steps: is needed: a reversed direction buffers a whole sequence\n"
        "  hint: pass the longest sequence that the hardware has to take"
    )


def test_buffers_hold_at_least_the_sequence_that_a_flatten_takes() -> None:
    maker = GraphMaker(3)
    back = replace(maker.at, name="back")
    maker.ops.append(Reverse(out=back, x=maker.at.name))
    flat = Value(name="flat", type=back.type, size=3 * 12)
    maker.ops.append(Flatten(out=flat, x="back", steps=12))
    maker.at = flat
    graph = maker.dense(2).graph()
    assert hwrnn.build(graph).max_steps == 12
    with pytest.raises(DesignError) as fault:
        hwrnn.build(graph, max_steps=5)
    assert str(fault.value) == (
        "option max_steps: is 5; the model flattens sequences of exactly 12 steps\n"
        "  hint: pass 12 or more, or leave it out"
    )


def stored(**options: object) -> dict[str, Storage]:
    graph = GraphMaker(8).lstm(32).lstm(32, "top").dense(3, "head").graph()
    folding = {"defaults": {"pe": 2, "simd": 4}, "head": {"pe": 1, "simd": 1}}
    design = hwrnn.build(graph, folding=folding, **options)  # type: ignore[arg-type]
    return {e.name: e.storage for e in design.engines}


def test_large_deep_weights_go_to_block_ram() -> None:
    assert stored() == {"lstm": Storage.BRAM, "top": Storage.BRAM, "head": Storage.LUT}


def test_a_user_may_choose_where_weights_are() -> None:
    assert set(stored(weights="lut").values()) == {Storage.LUT}
    assert set(stored(weights="bram").values()) == {Storage.BRAM}
    design = hwrnn.build(lstm(8, 32), folding={"lstm": {"pe": 2, "simd": 4, "weights": "lut"}})
    assert hwrnn.estimate(design).brams == 0


def test_auto_takes_no_more_blocks_than_there_are() -> None:
    maker = GraphMaker(8)
    for k in range(3):
        maker.lstm(64, f"l{k}")
    design = hwrnn.build(maker.graph(), "icebreaker", folding={"pe": 1, "simd": 8})
    taken = {e.storage for e in design.engines}
    assert taken == {Storage.BRAM, Storage.LUT}
    assert 0 < hwrnn.estimate(design).brams <= design.board.block_rams


@pytest.mark.parametrize(
    ("board", "wish", "message"),
    [
        (
            "pynq_z2",
            "uram",
            'weights of layer "lstm": are to be in uram, which TUL PYNQ-Z2 does not have\n'
            "  hint: use auto, lut, bram",
        ),
        (
            "kv260",
            "uram",
            'weights of layer "lstm": are to be in uram, which has no contents at power-on\n'
            "  hint: use auto, lut or bram; or load them at run time with writable_weights=True",
        ),
        ("pynq_z2", "rom", "option weights: is 'rom'\n  hint: use auto or lut or bram or uram"),
    ],
)
def test_a_memory_that_cannot_be_is_refused(board: str, wish: str, message: str) -> None:
    with pytest.raises(DesignError) as fault:
        hwrnn.build(lstm(8, 32), board, weights=wish)
    assert str(fault.value) == message


def test_streams_do_not_go_with_whole_sequences() -> None:
    with pytest.raises(DesignError) as fault:
        hwrnn.build(GraphMaker(3).bidirectional(4).graph(), streams=2)
    assert str(fault.value) == (
        "option streams: is 2; net reverses sequences, which it holds one by one\n"
        "  hint: use streams=1; or place several cores side by side"
    )


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "2", 257])
def test_streams_are_a_number(value: object) -> None:
    with pytest.raises(DesignError) as fault:
        hwrnn.build(lstm(3, 4), streams=value)  # type: ignore[arg-type]
    assert str(fault.value) == f"option streams: is {value!r}\n  hint: a whole number from 1 to 256"


@pytest.mark.parametrize(
    ("folding", "directions"),
    [({"pe": 10, "simd": 16}, "two"), ({"pe": 10, "simd": 32}, "shared")],
)
def test_finn_l_takes_130_cycles_a_column(folding: dict[str, int], directions: str) -> None:
    """32 -> 128 + 128 units, 1280 products a cycle in all, no bubble."""
    graph = GraphMaker(32).bidirectional(128).graph()
    design = hwrnn.build(graph, folding=folding, directions=directions, max_steps=40)
    assert sum(len(e.gates) * e.pe * e.simd for e in design.engines) == 1280
    est = hwrnn.estimate(design, steps=40)
    assert (est.cycles_per_step, est.interval_cycles) == (130, 130 * 40)


def test_shared_directions_need_two_directions() -> None:
    with pytest.raises(DesignError) as fault:
        hwrnn.build(lstm(3, 4), directions="shared")
    assert str(fault.value) == (
        'option directions: is "shared"; net has no bidirectional layer\n  hint: leave it at "two"'
    )


def test_ops_of_every_hand_over_are_counted_once() -> None:
    """r of a GRU that multiplies r * h is in the first datapath only, z in the last."""
    gated = hwrnn.build(gru(4, 6, reset_after=False), folding={"pe": 2, "simd": 3})
    engine = gated.engines[0]
    assert len(engine.hands) == 2
    ops = [{p.op.out.name for p in hand.datapath.ops} for hand in engine.hands]
    both = cell_area(engine, gated.board)
    parts = [datapath_area(hand.datapath, gated.board) for hand in engine.hands]
    assert ops[0] - ops[1]
    assert parts[1].luts < both.luts <= parts[0].luts + parts[1].luts
