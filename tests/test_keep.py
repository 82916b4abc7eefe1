# SPDX-License-Identifier: Apache-2.0
"""States that go on from fragment to fragment: hardware, schedule, C-model, refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from rtl.bench import BOARD, STALLS, lower, raw, reference, same
from rtl.cells import cell_graph
from rtl.graphs import Build
from test_rtl_lint import silent

import hwrnn
from hwrnn.backends.rtl_fragments import most_fragments
from hwrnn.backends.shell import emit_shell
from hwrnn.cmodel.fast import compile_graph
from hwrnn.design.design import Design
from hwrnn.design.latency import Pipeline
from hwrnn.design.lower import build_design
from hwrnn.design.options import Options, StateRule
from hwrnn.design.timing import schedule
from hwrnn.errors import DataError, DesignError
from hwrnn.ir import Graph, Step
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import Stalls, simulate_rtl
from hwrnn.sim.rtl_beats import Ints, PortShape, from_beats, to_beats

S6 = of_bits(6, signed=True)
KEEP = Options(state=StateRule.KEEP)
needs_sim = pytest.mark.needs_sim


def small(*, last: bool = False, layers: int = 1) -> Graph:
    """LSTMs 2 -> 4, then a dense layer where only the last step counts."""
    b = Build(3)
    x = b.input(2, S6)
    for _ in range(layers):
        x = b.lstm(x, 4)
    return b.graph(b.dense(b.select(x), 3) if last else x)


def pieces(design: Design, lengths: Sequence[int], seed: int = 0) -> list[Ints]:
    rng = np.random.default_rng(seed)
    t = design.source.out.type
    return [rng.integers(t.lo, t.hi + 1, (n, design.source.out.features)) for n in lengths]


def expected(graph: Graph, fragments: Sequence[Ints], first: Sequence[bool]) -> list[Ints]:
    """What the plain C-model says of all that a sequence is so far, behind each fragment."""
    found: list[Ints] = []
    past = fragments[0][:0]
    for x, flag in zip(fragments, first, strict=True):
        past = x if flag else np.concatenate([past, x])
        made = reference(graph, [past])[0]
        found.append(made[-len(x) :] if graph.outputs[0].out.sequence else made)
    return found


def check_keep(
    graph: Graph, design: Design, lengths: Sequence[int], first: Sequence[bool], stall: Stalls
) -> None:
    """Outputs are those of the C-model, and every handshake is where the schedule says."""
    fragments = pieces(design, lengths, seed=stall.seed)
    run = simulate_rtl(design, fragments, stalls=stall, first=first)
    same(run.outputs, expected(graph, fragments, [True, *first[1:]]))
    assert not run.error
    made = schedule(
        design,
        lengths,
        offered=lambda k: run.offered_times[k],
        taken=lambda k: run.out_times[k],
        fresh=first,
    )
    assert made.accepted == run.in_times
    assert made.delivered == run.out_times


def flags(seed: int, count: int) -> list[bool]:
    return [bool(f) for f in np.random.default_rng(seed).random(count) < 0.4]


ENDLESS = 100_000  # steps
LENGTHS = (3, 1, 1, 5, 2, 4, 1, 1, 1, 6, 2, 3)
CASES: dict[str, tuple[Callable[[], Graph], int, int, Options]] = {
    "unrolled": (small, 4, 6, KEEP),
    "folded": (lambda: small(layers=2), 2, 1, KEEP),
    "last": (
        lambda: small(last=True),
        3,
        2,
        Options(state=StateRule.KEEP, pipeline=Pipeline.LATENCY),
    ),
    "levels": (lambda: cell_graph("two_levels", 5), 2, 3, KEEP),
    "by_group": (lambda: cell_graph("level_by_group", 6), 2, 2, KEEP),
}


@needs_sim
@pytest.mark.parametrize("case", CASES)
def test_fragments_under_stalls(case: str) -> None:
    make, pe, simd, options = CASES[case]
    graph = make()
    design = lower(graph, pe, simd, options=options)
    for k, stall in enumerate(STALLS):
        check_keep(graph, design, LENGTHS, flags(k, len(LENGTHS)), stall)


@needs_sim
@pytest.mark.parametrize("case", CASES)
def test_a_design_full_of_fragments_counts_them_all(case: str) -> None:
    make, pe, simd, options = CASES[case]
    graph = make()
    design = lower(graph, pe, simd, options=options)
    count = 3 * most_fragments(design)
    first = [k == count - 1 for k in range(count)]
    check_keep(graph, design, [1] * count, first, Stalls(output_pause=(0, 60 * count)))


@needs_sim
def test_an_endless_signal_in_pieces() -> None:
    graph = small()
    design = lower(graph, 4, 6, options=KEEP)
    rng = np.random.default_rng(11)
    drawn = rng.integers(1, 51, 8_000)
    ends = np.cumsum(drawn)
    lengths = [*drawn[ends < ENDLESS].tolist(), int(ENDLESS - ends[ends < ENDLESS][-1])]
    signal = pieces(design, [ENDLESS], seed=1)[0]
    fragments = np.split(signal, np.cumsum(lengths)[:-1])
    first = [k == 0 for k in range(len(fragments))]
    run = simulate_rtl(design, fragments, first=first)
    assert [len(y) for y in run.outputs] == list(lengths)
    port, out = graph.inputs[0].out.name, graph.outputs[0].out.name
    whole = compile_graph(graph).run({port: signal[:, None]})[out][:, 0]
    np.testing.assert_array_equal(np.concatenate(run.outputs), whole)
    assert not run.error


@needs_sim
def test_cocotb_drives_the_same_cycles() -> None:
    design = lower(small(), 4, 6, options=KEEP)
    stall = Stalls(input_idle=0.3, output_stall=0.3, seed=5)
    fragments, first = pieces(design, (2, 3, 1, 2)), [False, False, True, False]
    found = [
        simulate_rtl(design, fragments, stalls=stall, first=first, driver=driver)
        for driver in ("harness", "cocotb")
    ]
    same(found[0].outputs, found[1].outputs)
    assert found[0].in_times == found[1].in_times
    assert found[0].out_times == found[1].out_times


@needs_sim
def test_only_the_first_beat_of_a_fragment_tells() -> None:
    design = lower(small(layers=2), 2, 1, options=KEEP)
    fragments = pieces(design, (3, 4, 2))
    port = PortShape.of(design.source.out)
    marked = to_beats(port, fragments, [True, False, True])
    starts = np.array([0, 3, 7]) * port.beats
    noisy = marked.copy()
    noisy[:, -1] |= 2
    noisy[starts, -1] = marked[starts, -1]
    first, second = (raw(design, beats, 3) for beats in (marked, noisy))
    assert port.beats > 1
    np.testing.assert_array_equal(first.beats, second.beats)
    assert first.accepted.tolist() == second.accepted.tolist()


@needs_sim
def test_a_fragment_that_ends_in_mid_step_does_not_hinder_the_next_sequence() -> None:
    graph = small(layers=2)
    design = lower(graph, 2, 1, options=KEEP)
    fragments = pieces(design, (2, 3, 2))
    port = PortShape.of(design.source.out)
    beats = to_beats(port, fragments, [True, False, True])
    broken = np.delete(beats, 5 * port.beats - 1, axis=0)
    broken[5 * port.beats - 2, -1] |= 1
    report = raw(design, broken, 3)
    assert report.error
    assert not report.deadlock
    found = from_beats(PortShape.of(design.sink.x), report.beats)
    same([found[0], found[2]], reference(graph, [fragments[0], fragments[2]]))


@needs_sim
def test_emitted_designs_are_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for k, (make, pe, simd, options) in enumerate(CASES.values()):
        silent(lower(make(), pe, simd, options=options), tmp_path / str(k), capfd)


def test_the_project_tells_of_tuser() -> None:
    files = hwrnn.emit(build_design(small(), BOARD, options=KEEP), "rtl")
    assert "| `s_axis_tuser` | 1 |" in str(files["README.md"])
    reset = hwrnn.emit(build_design(small(), BOARD), "rtl")
    assert not any("tuser" in str(text) for path, text in reset.items() if path != "rtl/files.f")


@needs_sim
@pytest.mark.parametrize("last", [False, True])
def test_simulate_and_run_take_flags(last: bool) -> None:
    graph = small(last=last)
    folding = {"pe": 3, "simd": 2} if last else {"pe": 4, "simd": 6}
    design = hwrnn.build(
        graph, folding=folding, state="keep", pipeline="latency" if last else "clock"
    )
    x = np.random.default_rng(2).integers(-32, 32, (5, 7, 2))
    lengths, first = (7, 1, 3, 1, 2), [True, False, False, True, False]
    found = hwrnn.simulate(design, x, lengths=lengths, first=first)
    exact = hwrnn.run(graph, x, lengths=lengths, first=first, integers=True)
    np.testing.assert_array_equal(found.outputs, exact)
    whole = hwrnn.simulate(design, x, lengths=lengths)
    assert whole.cycles == hwrnn.estimate(design).cycles(lengths)
    one = [True, False, False, False, False]
    again = hwrnn.run(graph, x, lengths=lengths, first=one, integers=True)
    np.testing.assert_array_equal(whole.outputs, again)
    assert (np.asarray(again) != np.asarray(exact)).any()


def test_run_in_fragments_is_the_plain_model_of_what_came_so_far() -> None:
    for graph in (small(last=True), small(layers=2)):
        rng = np.random.default_rng(4)
        x, first = rng.integers(-32, 32, (6, 3, 2)), [False, False, True, False, True, False]
        found = hwrnn.run(graph, x, first=first, integers=True)
        exact = expected(graph, list(x), [True, *first[1:]])
        same([np.atleast_2d(y) for y in found], exact)
        real = hwrnn.run(graph, x, first=first)
        scale = np.array([float(s) for s in graph.outputs[0].grid.scale])
        np.testing.assert_array_equal(real, (found * scale).astype(np.float32))


@needs_sim
def test_verify_starts_every_sequence_anew() -> None:
    graph = small()
    design = hwrnn.build(graph, folding={"pe": 4, "simd": 6}, state="keep")
    assert hwrnn.verify(graph, engines=("rtl",), design=design).ok


def test_steady_figures_are_those_of_fragments_that_go_on() -> None:
    graph = small()
    kept, reset = (
        hwrnn.estimate(hwrnn.build(graph, folding={"pe": 4, "simd": 6}, state=state), steps=8)
        for state in ("keep", "reset")
    )
    assert kept.cycles_per_step == reset.cycles_per_step
    assert kept.latency_cycles == reset.latency_cycles
    assert kept.interval_cycles == 8 * kept.cycles_per_step


def bidirectional() -> Graph:
    b = Build(1)
    return b.graph(b.bidirectional(b.input(2, S6), 4))


def flat() -> Graph:
    b = Build(1)
    return b.graph(b.dense(b.flatten(b.lstm(b.input(2, S6), 4), 5), 3))


def first_step() -> Graph:
    b = Build(1)
    return b.graph(b.select(b.lstm(b.input(2, S6), 4), Step.FIRST))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (bidirectional, "reverses sequences"),
        (flat, "flattens sequences"),
        (first_step, "takes the first steps of sequences"),
    ],
)
def test_what_needs_whole_sequences_is_refused(make: Callable[[], Graph], what: str) -> None:
    graph = make()
    with pytest.raises(DesignError) as fault:
        build_design(graph, BOARD, options=KEEP, max_steps=5)
    assert str(fault.value) == (
        f"option state: is keep; net {what}, which a fragment does not tell\n"
        '  hint: use state="reset"'
    )
    with pytest.raises(DataError) as data:
        hwrnn.run(graph, np.zeros((2, 5, 2), dtype=np.int64), first=[True, False])
    assert str(data.value) == f"first: has no meaning: net {what}\n  hint: leave it out"


def test_several_streams_keep_no_states() -> None:
    with pytest.raises(DesignError, match="option state: is keep, and streams is 2; "):
        hwrnn.build(small(), state="keep", streams=2)


def test_the_serial_line_sends_no_fragments() -> None:
    with pytest.raises(DesignError, match="the UART shell: sends whole sequences, no fragments"):
        emit_shell(hwrnn.build(small(), state="keep"))


def test_flags_are_checked() -> None:
    graph, x = small(), np.zeros((2, 3, 2), dtype=np.int64)
    with pytest.raises(DataError, match="first: has 1 entries for 2 fragments"):
        hwrnn.run(graph, x, first=[True])
    with pytest.raises(DataError, match="first: holds 1\n  hint: each entry is True or False"):
        hwrnn.simulate(hwrnn.build(graph, state="keep"), x, first=[True, 1])  # type: ignore[list-item]
    with pytest.raises(DesignError) as fault:
        hwrnn.simulate(hwrnn.build(graph), x, first=[True, False])
    assert str(fault.value) == (
        "option first: has no meaning: this design starts anew with every sequence\n"
        '  hint: build it with state="keep"'
    )
