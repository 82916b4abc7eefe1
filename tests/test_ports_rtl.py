# SPDX-License-Identifier: Apache-2.0
"""Several inputs and outputs in hardware: initial states in, h and c out, equal and on time."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import permutations

import numpy as np
import pytest
from random_ports import all_states, random_ports
from rtl.bench import BOARD, STALLS
from rtl.cells import cell_graph
from rtl.graphs import ONE, Build
from rtl.ports import (
    Data,
    check_ports,
    draw_ports,
    on_time,
    reference_ports,
    same_ports,
)

import hwrnn
from hwrnn.backends.rtl import emit_rtl
from hwrnn.backends.shell import emit_shell
from hwrnn.design.builder_ports import port_names
from hwrnn.design.design import AxisIn, Crop, Design, Engine
from hwrnn.design.latency import Pipeline
from hwrnn.design.lower import build_design
from hwrnn.design.options import Directions, Options, StateRule
from hwrnn.design.timing import schedule
from hwrnn.errors import DesignError
from hwrnn.ir import (
    AnyOp,
    Graph,
    Input,
    Output,
    OutputGrid,
    Quantiser,
    Repeat,
    Scan,
    ScanOutput,
    Step,
    Value,
)
from hwrnn.ir.types import of_bits
from hwrnn.report.graph_svg import draw_graph
from hwrnn.report.schedule_text import schedule_text
from hwrnn.sim.rtl import RtlResult, Stalls, job_of, rtl_source, simulate_rtl
from hwrnn.sim.rtl_run import run_job
from hwrnn.sim.verilate import Variant, compile_rtl
from hwrnn.transforms.realise import realise_requants

SEEDS = range(25)
BUILT = (1,)  # five streams
LENGTHS = (5, 1, 1, 2, 7, 1, 3)
LENGTHS_KEPT = (4, 1, 3, 2, 4, 1)
HELD = 12  # steps of a sequence that every output holds


@cache
def lstm(
    pe: int = 2, simd: int = 3, options: Options | None = None, kind: str = "four_gates"
) -> Design:
    """h and c in and out, beside the sequences."""
    graph = all_states(cell_graph(kind, 1, inputs=3, units=5))
    return build_design(graph, BOARD, {"pe": pe, "simd": simd}, HELD, options)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_ports_are_scheduled_and_emitted(seed: int) -> None:
    case, design = random_ports(seed)
    made = schedule(design, case.lengths)  # and no deadlock
    assert list(made.inputs) == [port.out.name for port in case.graph.inputs]
    assert list(made.outputs) == [port.out.name for port in case.graph.outputs]
    assert all(len(made.inputs[k.name]) == k.out.beats * len(case.lengths) for k in vectors(design))
    assert f"rtl/hwrnn_{design.name}.sv" in emit_rtl(design)
    assert hwrnn.estimate(design).cycles(list(case.lengths)) == made.cycles


def vectors(design: Design) -> tuple[AxisIn, ...]:
    return design.sources[1:]


def test_what_is_built_has_all_kinds() -> None:
    both = build_design(bidirectional(), BOARD, {"pe": 2, "simd": 2}, HELD)
    designs = [lstm(), both, *(random_ports(seed)[1] for seed in BUILT)]
    assert any(isinstance(k, Crop) for d in designs for k in d.kernels)
    engines = [e for d in designs for e in d.engines]
    assert {e.shared for e in engines if e.starts and e.more} == {True, False}
    assert any(d.streams > 1 and e.starts for d in designs for e in d.engines)


@pytest.mark.needs_sim
@pytest.mark.parametrize("seed", BUILT)
def test_rtl_equals_the_c_model_cycle_by_cycle_under_stalls(seed: int) -> None:
    case, design = random_ports(seed)
    check_ports(design, draw_ports(design, case.lengths, seed))


@pytest.mark.needs_sim
def test_states_in_and_out_cycle_by_cycle_under_stalls() -> None:
    design = lstm()
    assert design.engines[0].units % design.engines[0].pe
    check_ports(design, draw_ports(design, LENGTHS))


@pytest.mark.needs_sim
def test_outputs_that_are_drained_at_any_pace_lose_nothing() -> None:
    design = lstm()
    stalls = [Stalls(output_stall=0.95, seed=4), Stalls(drain=(1, 0, 0)), Stalls(drain=(0, 1, 1))]
    check_ports(design, draw_ports(design, (1,) * 150), stalls[:1])
    check_ports(design, draw_ports(design, (1, HELD - 1)), stalls[1:])


def bidirectional() -> Graph:
    b = Build(3)
    return all_states(b.graph(b.bidirectional(b.input(2, of_bits(4, signed=True)), 3)))


@pytest.mark.needs_sim
@pytest.mark.parametrize("directions", list(Directions))
def test_states_of_two_directions(directions: Directions) -> None:
    graph, options = bidirectional(), Options(directions=directions)
    assert [port.stacked for port in graph.inputs] == [1, 2, 2]
    assert [port.stacked for port in graph.outputs] == [1, 2, 2]
    design = build_design(graph, BOARD, {"pe": 2, "simd": 2}, HELD, options)
    assert len(design.engines) == (1 if directions is Directions.SHARED else 2)
    check_ports(design, draw_ports(design, LENGTHS), STALLS[:2])


def ending(b: Build, *values: Value) -> Graph:
    """Several outputs: y0, y1, ..."""
    for k, v in enumerate(values):
        axes = ("B", "T", "F") if v.sequence else ("B", "F")
        out = replace(v, name=f"y{k}")
        b.ops.append(Output(out=out, x=v.name, grid=OutputGrid(scale=ONE), axes=axes))
    return realise_requants(Graph(name="net", ops=tuple(b.ops))).verify()


@pytest.mark.needs_sim
def test_a_sequence_its_first_step_and_what_a_head_makes_of_its_last_in_any_order() -> None:
    b = Build(5)
    y = b.rnn(b.input(3, of_bits(6, signed=True)), 5)
    last = b.dense(b.select(y), 9, 4, of_bits(5, signed=True))
    graph = ending(b, y, last, b.select(y, Step.FIRST), last)
    design = build_design(graph, BOARD, {"pe": 2, "simd": 3}, HELD)
    check_ports(design, draw_ports(design, LENGTHS), STALLS[:2])
    orders = list(permutations((1, 2, 3, 4)))
    stalls = [Stalls(drain=order) for order in orders[:: len(orders) // 6]]
    check_ports(design, draw_ports(design, (HELD,)), stalls)


@pytest.mark.needs_sim
def test_a_layer_starts_with_the_last_states_of_another() -> None:
    b = Build(6)
    encoder = b.lstm(b.input(3, of_bits(4, signed=True)), 3, a=4)
    scan = b.ops.pop()
    assert isinstance(scan, Scan)
    c = scan.body.states[1].next
    cells = replace(scan.body.scope()[c], name="cells", sequence=True)
    b.ops.append(replace(scan, outs=(*scan.outs, ScanOutput(out=cells, body_value=c))))
    starts = [b.select(encoder), b.select(cells)]
    again = Value(name="again", type=starts[0].type, size=3, sequence=True)
    b.ops.append(Repeat(out=again, x=starts[0].name, steps=4))
    y = b.lstm(again, 3, a=4)
    scan = b.ops.pop()
    assert isinstance(scan, Scan)
    states = zip(scan.body.states, starts, strict=True)
    body = replace(scan.body, states=tuple(replace(s, start=v.name) for s, v in states))
    b.ops.append(replace(scan, body=body))
    design = build_design(ending(b, y), BOARD, {"pe": 2, "simd": 3}, HELD)
    assert (design.source.port, design.sink.port) == ("s_axis", "m_axis")
    check_ports(design, draw_ports(design, LENGTHS), STALLS[:2])


@pytest.mark.needs_sim
def test_the_testbench_sees_what_the_harness_sees() -> None:
    design = lstm(kind="plain")
    data = draw_ports(design, (3, 1, 2))
    check_ports(design, data, [Stalls(input_idle=0.4, output_stall=0.4, seed=3)], "cocotb")


@pytest.mark.needs_sim
def test_a_host_may_feed_and_drain_one_sequence_port_by_port() -> None:
    design = lstm()
    data = draw_ports(design, (HELD,))
    expected = reference_ports(design.graph, data)
    for feed in ((1, 0, 0), (2, 1, 0), (2, 0, 1)):  # x last
        for drain in permutations((1, 2, 3)):
            stalls = Stalls(feed=feed, drain=drain)
            run = simulate_rtl(design, data.sequences, states=data.states, stalls=stalls)
            same_ports(run.every, expected)
            on_time(design, data, run)
            order = [name for _, name in sorted(zip(drain, run.delivered, strict=True))]
            times = [run.delivered[name] for name in order]
            assert max(run.accepted["x"]) < min(times[0])
            assert max(times[0]) < min(times[1])
            assert max(times[1]) < min(times[2])


@pytest.mark.needs_sim
def test_all_of_x_before_the_states_waits_for_them() -> None:
    design = lstm()
    data = draw_ports(design, (HELD,))
    with pytest.raises(hwrnn.errors.ToolError, match="deadlock"):
        simulate_rtl(design, data.sequences, states=data.states, stalls=Stalls(feed=(0, 1, 1)))


@pytest.mark.needs_sim
@pytest.mark.parametrize("last", [0, 2])  # too early (of 3 beats), too late
def test_a_vector_of_another_length_sets_the_error_bit_and_nothing_else_is_wrong(last: int) -> None:
    design = lstm()
    data = draw_ports(design, (2, 3, 1))
    run, states = broken(design, data, at=1, last=last)
    assert run.error
    expected = reference_ports(design.graph, Data(data.sequences, states))
    same_ports(run.every, expected)


def broken(
    design: Design, data: Data, at: int, last: int
) -> tuple[RtlResult, dict[str, list[np.ndarray]]]:
    """A run in which vector `at` of h0 has its TLAST on beat 0, or one beat too late."""
    from hwrnn.sim.rtl import every_result

    job = job_of(design, data.sequences, Stalls(input_idle=0.2, seed=5), (), states=data.states)
    h0, c0 = job.more_inputs
    beats = design.sources[1].out.beats
    states = {name: list(rows) for name, rows in data.states.items()}
    rows = h0.beats.copy()
    if last:  # another beat with TLAST behind the one that should have it
        rows[at * beats + last, -1] = 0
        rows = np.insert(rows, at * beats + last + 1, rows[0], axis=0)
        rows[at * beats + last + 1, -1] = 1
    else:
        rows = np.delete(rows, [at * beats + 1, at * beats + 2], axis=0)
        rows[at * beats, -1] = 1
        lanes = design.sources[1].out.lanes
        kept = np.arange(len(states["h0"][at])) < lanes
        states["h0"][at] = np.where(kept, states["h0"][at], 0)
    changed = replace(job, more_inputs=(replace(h0, beats=rows), c0))
    report = run_job(compile_rtl(rtl_source(design, Variant()), Variant()), changed)
    return every_result(design, report, len(data.sequences)), states


@pytest.mark.parametrize("kind", ["four_gates", "plain", "reset_after", "reset_before", "diagonal"])
@pytest.mark.parametrize("fold", [(1, 2), (2, 3), (5, 8)])
@pytest.mark.parametrize("pipeline", list(Pipeline))
def test_sequences_of_one_step_do_not_wait_for_their_states(
    kind: str, fold: tuple[int, int], pipeline: Pipeline
) -> None:
    pe, simd = fold
    simd = min(simd, 3) if kind == "diagonal" else simd
    design = lstm(pe, simd, Options(pipeline=pipeline), kind)
    engine = design.engines[0]
    starts = schedule(design, [1] * 40).engine_steps[engine.name]
    within = sum(
        max(0, engine.hand_latencies[k] + first_groups(engine) - 1 - engine.groups)
        for k in range(len(engine.hands) - 1)
    )
    work = engine.groups * len(engine.blocks) + within
    taken = max(k.out.beats for k in design.sources)
    given = max(k.x.beats for k in design.sinks)  # what keeps last steps takes, then gives
    assert starts[-1] - starts[-11] <= 10 * max(work, taken, 2 * given)


def first_groups(engine: Engine) -> int:
    return -(-min(engine.simd, engine.units) // engine.pe)


def test_long_sequences_are_as_far_apart_as_without_states_from_outside() -> None:
    graph = cell_graph("four_gates", 1, inputs=3, units=5)
    for fold in ({"pe": 1, "simd": 2}, {"pe": 2, "simd": 3}, {"pe": 5, "simd": 8}):
        plain = hwrnn.estimate(build_design(graph, BOARD, fold), 12)
        ports = hwrnn.estimate(build_design(all_states(graph), BOARD, fold, 12), 12)
        assert ports.interval_cycles == plain.interval_cycles
        assert ports.cycles_per_step == plain.cycles_per_step


@pytest.mark.needs_sim
def test_weights_are_written_beside_states() -> None:
    design = lstm(options=Options(writable=True))
    other = all_states(cell_graph("four_gates", 3, inputs=3, units=5))
    data = draw_ports(design, (2, 1, 3))
    image = hwrnn.weights(design, other)
    assert str(image.header()["more_inputs"]).count("input {") == 2
    for graph, writes in ((design.graph, []), (other, [(0, *w) for w in image.words])):
        stalls = Stalls(output_stall=0.3, seed=2)
        run = simulate_rtl(design, data.sequences, states=data.states, stalls=stalls, writes=writes)
        same_ports(run.every, reference_ports(graph, data))


def test_pictures_show_every_kernel() -> None:
    for design in (lstm(), random_ports(BUILT[0])[1]):
        text = str(draw_graph(design))
        assert text.count("AXI4-Stream in") == len(design.sources)
        assert text.count("AXI4-Stream out") == len(design.sinks)
        assert "output y beats" in schedule_text(design, 2) or len(design.sinks) == 1


@pytest.mark.needs_sim
def test_fragments_give_their_states() -> None:
    graph = returned(cell_graph("four_gates", 1, inputs=3, units=5))
    design = hwrnn.build(graph, BOARD, folding={"pe": 2, "simd": 3}, state="keep")
    x = np.random.default_rng(3).integers(-32, 32, (6, 4, 3))
    for first in ([True, False, False, True, False, True], None):
        found = hwrnn.simulate(design, x, lengths=LENGTHS_KEPT, first=first).outputs
        flags = first or [True] + [False] * 5
        exact = hwrnn.run(graph, x, integers=True, lengths=LENGTHS_KEPT, first=flags)
        assert isinstance(exact, dict)
        same_ports({k: [v] for k, v in found.items()}, {k: [v] for k, v in exact.items()})


def returned(graph: Graph) -> Graph:
    """All states as outputs, none as an input."""
    opened = all_states(graph)
    ops: list[AnyOp] = []
    for op in opened.ops:
        if isinstance(op, Scan):
            states = tuple(replace(s, start=None) for s in op.body.states)
            ops.append(replace(op, body=replace(op.body, states=states)))
        elif not isinstance(op, Input) or op.out.sequence:
            ops.append(op)
    return replace(opened, ops=tuple(ops)).verify()


@pytest.mark.needs_sim
def test_simulate_and_verify_take_all_ports_by_name() -> None:
    design = lstm()
    rng = np.random.default_rng(1)
    shapes = {"x": (3, 4, 3), "h0": (3, 5), "c0": (3, 5)}
    given = {name: rng.integers(-3, 4, shape) for name, shape in shapes.items()}
    found = hwrnn.simulate(design, given, lengths=[4, 1, 2])
    exact = hwrnn.run(design.graph, given, integers=True, lengths=[4, 1, 2])
    assert isinstance(exact, dict)
    assert list(found.outputs) == ["y", "hn", "cn"]
    assert all(np.array_equal(found.outputs[name], exact[name]) for name in exact)
    assert found.cycles == hwrnn.estimate(design).cycles([4, 1, 2])
    given["x"] = rng.integers(-3, 4, (3, HELD, 3))  # so that the design is the same
    report = hwrnn.verify(design.graph, given, engines=("cmodel", "rtl"), design=design)
    assert report.ok
    assert {e.values for e in report.engines} == {report.engines[0].values}


def test_names_of_ports() -> None:
    assert port_names(["anything"], "s_axis") == {"anything": "s_axis"}
    assert port_names(["x", "h__0", "H_0", "h_0_", "c"], "s_axis") == {
        "x": "s_axis_x",
        "h__0": "s_axis_h_0",
        "H_0": "s_axis_H_02",
        "h_0_": "s_axis_h_03",
        "c": "s_axis_c",
    }


def test_the_readme_describes_all_ports() -> None:
    text = str(emit_rtl(lstm())["README.md"])
    for port in ("s_axis_x", "s_axis_h0", "s_axis_c0", "m_axis_y", "m_axis_hn", "m_axis_cn"):
        assert f"| `{port}_tdata/tvalid/tready/tlast` |" in text
        assert f"| `{port}` |" in text
    assert f"a sequence of {HELD} steps" in text


def refusal(graph: Graph, options: Options | None = None) -> str:
    with pytest.raises(DesignError) as caught:
        build_design(graph, BOARD, {"pe": 1, "simd": 1}, HELD, options)
    return str(caught.value)


def with_input(sequence: bool) -> Graph:
    b = Build(1)
    x = b.input(3, cell_graph("plain", 1).inputs[0].out.type)
    more = replace(x, name="z", sequence=sequence)
    axes = ("B", "T", "F") if sequence else ("B", "F")
    b.ops.append(Input(out=more, quantiser=Quantiser(scale=ONE, type=x.type), axes=axes))
    return b.graph(b.concat(b.rnn(x, 4), more) if sequence else b.rnn(x, 4))


def test_refusals() -> None:
    assert refusal(with_input(sequence=True)) == (
        'input "z": is a second sequence; hardware takes one sequence, and a vector for each '
        "further input\n  hint: put both sequences side by side, as features of one"
    )
    assert refusal(with_input(sequence=False)) == (
        'input "z": is read by nothing\n  hint: export the model without it'
    )
    graph = lstm().graph
    assert refusal(graph, Options(state=StateRule.KEEP)) == (
        "option state: is keep; net has 3 inputs, and a fragment starts where the one before it "
        'ended\n  hint: use state="reset", and feed the returned states back'
    )
    assert refusal(with_start()) == (
        "layer layer17: starts with %pick9, which is there when the sequence has ended that it "
        "reads; hardware does not hold that sequence\n"
        "  hint: give the initial state as an input; or let the layer read a repeated vector"
    )


def with_start() -> Graph:
    """A layer that starts with the last step of another one."""
    b = Build(2)
    x = b.input(3, cell_graph("plain", 1).inputs[0].out.type)
    last = b.select(b.rnn(x, 4))
    graph = b.graph(b.rnn(x, 4))
    *ops, second, end = graph.ops
    assert isinstance(second, Scan)
    states = tuple(replace(s, start=last.name) for s in second.body.states)
    second = replace(second, body=replace(second.body, states=states))
    return replace(graph, ops=(*ops, second, end)).verify()


def test_the_shell_behind_a_serial_line_refuses() -> None:
    with pytest.raises(DesignError) as caught:
        emit_shell(lstm(), 10)
    assert str(caught.value) == (
        "the UART shell: sends one packet and takes one; net has 3 inputs and 3 outputs\n"
        "  hint: export a module that takes the sequence alone and returns one tensor; or use the "
        "AXI4-Stream ports of the RTL"
    )
