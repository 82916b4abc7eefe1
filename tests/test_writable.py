# SPDX-License-Identifier: Apache-2.0
"""Writable weights: a design takes other models of its shape while it runs, and refuses others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from rtl.graphs import Build
from test_rtl_lint import slang, verilator

import hwrnn
from hwrnn.backends.image import read_writes, sources
from hwrnn.backends.rtl import top_name
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import Design
from hwrnn.design.writable import constant_memories
from hwrnn.errors import DataError, DesignError
from hwrnn.ir import Add, AnyOp, Graph, IntMatrix, MatVec, Output, Requant, ScaleShift, Scan
from hwrnn.ir.text import parse_graph
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import simulate_rtl
from hwrnn.transforms.realise import realise_requants
from hwrnn.transforms.widen import widen

S4 = of_bits(4, signed=True)
FOLD = {"pe": 2, "simd": 3}


def trained(seed: int, *, power_of_two: bool = False, name: str = "net") -> Graph:
    """An LSTM with a dense layer: seeds differ in weights, scales, biases and tables only."""
    b = Build(seed, power_of_two=power_of_two)
    h = b.lstm(b.input(3, of_bits(6, signed=True)), 5, channels=True)
    few = b.requant(b.ops, b.dense(h, 4), of_bits(2, signed=True), channels=True)
    graph = b.graph(b.dense(few, 3), name)
    return same_start(graph.rewrite(MatVec, declaring))


def declaring(op: AnyOp, _: object) -> AnyOp:
    """A product whose weights have 4 bits."""
    assert isinstance(op, MatVec)
    return replace(op, declared=S4)


def same_start(graph: Graph) -> Graph:
    """The graph with its states starting from 1, 2, ..."""

    def started(op: AnyOp) -> AnyOp:
        if not isinstance(op, Scan):
            return op
        states = (replace(s, initial=tuple(range(1, s.value.size + 1))) for s in op.body.states)
        return replace(op, body=replace(op.body, states=tuple(states)))

    return replace(graph, ops=tuple(started(op) for op in graph.ops))


def coupled(seed: int, name: str = "net") -> Graph:
    """A cell with a Const and rounding away from zero, which takes thresholds that are searched."""
    rng = np.random.default_rng(seed)
    w, u = (rng.integers(-8, 8, shape).tolist() for shape in ((4, 3), (4, 4)))
    ratio = [f"{n}/2^14" for n in rng.integers(300, 500, 4)]
    offset = [f"{n}/64" for n in rng.integers(-99, 99, 4)]
    text = f"""graph {name} {{
      %x: -8..7 x 3 seq = input {{quantiser = {{scale = 1}}, axes = [B, T, F]}}
      %h_all: -16..15 x 4 seq = scan %x {{
        input %x_t: -8..7 x 3
        state %h: -16..15 x 4 = initial [1, 2, 3, 4] -> %h_new
        %a: -2000..2000 x 4 = matvec %x_t {{weights = {w}, declared = -8..7}}
        %b: -2000..2000 x 4 = matvec %h {{weights = {u}, declared = -8..7}}
        %sum: -4000..4000 x 4 = add %a, %b
        %q: -16..15 x 4 = requant %sum {{ratio = [{", ".join(ratio)}],
          offset = [{", ".join(offset)}], rounding = half_up}}
        %one: -8..7 x 4 = const {{values = {rng.integers(-8, 8, 4).tolist()}, declared = -8..7}}
        %less: -23..23 x 4 = sub %one, %q
        %h_new: -16..15 x 4 = requant %less {{ratio = {rng.integers(3, 9)}/13, offset = 0,
          rounding = half_up}}
        yield %h_new
      }}
      %y: -16..15 x 4 seq = output %h_all {{grid = {{scale = 1}}, axes = [B, T, F]}}
    }}"""
    return realise_requants(parse_graph(text)).verify()


def build(graph: Graph, **options: object) -> Design:
    return hwrnn.build(graph, folding=FOLD, writable_weights=True, **options)  # type: ignore[arg-type]


def check_swaps(design: Design, models: list[Graph], driver: str = "harness") -> None:
    """Two sequences of each model in turn, the images loaded in between without a reset."""
    rng = np.random.default_rng(7)
    t = models[0].inputs[0].out.type
    xs = [rng.integers(t.lo, t.hi + 1, (5, 3)) for _ in range(2 * len(models))]
    writes = [
        (2 * k, address, word)
        for k, model in enumerate(models)
        if k
        for address, word in hwrnn.weights(design, model).words
    ]
    found = simulate_rtl(design, xs, writes=writes, driver=driver)  # type: ignore[arg-type]
    assert not found.error
    for k, (x, got) in enumerate(zip(xs, found.outputs, strict=True)):
        want = run_plain(models[k // 2], {"x": x[:, None]})["y"][:, 0]
        assert np.array_equal(got, want), f"sequence {k}"


@pytest.mark.needs_sim
@pytest.mark.parametrize("driver", ["harness", "cocotb"])
def test_a_design_computes_one_model_after_the_other(driver: str) -> None:
    """Float scales; the third model has powers of two."""
    first, second = trained(1), trained(2)
    third = trained(3, power_of_two=True)
    check_swaps(build(first), [first, second, third, first], driver)


@pytest.mark.needs_sim
def test_a_design_that_shifts_takes_other_powers_of_two() -> None:
    first = trained(4, power_of_two=True)
    design = build(first, pipeline="latency")
    assert any(
        isinstance(how := p.op.realised, ScaleShift) and how.kind == "shift"
        for engine in design.engines
        for p in engine.datapath.ops
        if isinstance(p.op, Requant)
    )
    check_swaps(design, [first, trained(5, power_of_two=True), first])


@pytest.mark.needs_sim
def test_constants_and_searched_thresholds_are_written() -> None:
    first = coupled(1)
    design = build(first)
    check_swaps(design, [first, coupled(2), first])


def both_ways(seed: int) -> Graph:
    """Two directions and a dense layer."""
    b = Build(seed)
    both = b.bidirectional(b.input(3, of_bits(5, signed=True)), 4)
    return same_start(b.graph(b.dense(both, 3)).rewrite(MatVec, declaring))


@pytest.mark.needs_sim
def test_streams_see_the_model_that_was_loaded() -> None:
    first = coupled(3)
    check_swaps(build(first, streams=2), [first, coupled(4), first])


@pytest.mark.needs_sim
def test_directions_that_share_an_engine_are_written() -> None:
    first = both_ways(1)
    design = build(first, directions="shared", max_steps=5)
    assert any(len(e.cells) == 2 for e in design.engines)
    check_swaps(design, [first, both_ways(2), first])


@pytest.mark.needs_sim
def test_cycles_are_those_of_the_estimate() -> None:
    first, second = trained(1), trained(2)
    design = build(first)
    x = np.random.default_rng(1).integers(-32, 32, (4, 6, 3))
    image = hwrnn.weights(design, second)
    found = hwrnn.simulate(design, x, image=image)
    assert np.array_equal(found.outputs, np.asarray(hwrnn.run(second, x, integers=True)))
    assert found.cycles == hwrnn.estimate(design, 6).cycles(4)
    with pytest.raises(DesignError, match="is for layout"):
        hwrnn.simulate(build(coupled(1)), x // 4, image=image)


@pytest.mark.needs_sim
@pytest.mark.parametrize("make", [trained, coupled])
def test_linters_are_silent(
    make: Callable[[int], Graph], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    design = build(make(1), pipeline="latency")
    folder = hwrnn.emit(design, backend="rtl").write(tmp_path / "out") / "rtl"
    top = top_name(design)
    assert verilator(folder, ["--top-module", top, "-f", "files.f"]) == ""
    assert slang(folder, f"--top {top} -f files.f", capfd) == ""


@pytest.mark.parametrize("make", [trained, coupled])
def test_the_estimate_counts_every_memory_of_the_rtl(make: Callable[[int], Graph]) -> None:
    design = build(make(1))
    config = sources(design)[1].memories.config
    assert config is not None
    made = [(r.depth, r.width) for r in config.regions if not r.name.endswith("_weights")]
    known = [m for found in constant_memories(design).values() for m in found]
    assert sorted(made) == sorted((m.depth, m.width) for m in known)
    plain, writable = (hwrnn.estimate(d) for d in (hwrnn.build(make(1), folding=FOLD), design))
    assert writable.luts > plain.luts


def test_regions_do_not_overlap_and_images_cover_them() -> None:
    design = build(trained(1))
    image = hwrnn.weights(design, trained(2))
    addresses = [address for address, _ in image.words]
    assert len(set(addresses)) == len(addresses)
    assert all(address % 4 == 0 and address >= 0x100 for address in addresses[:-2])
    assert addresses[-2:] == [0x18, 0x1C]
    slices = sum(r.depth * -(-r.width // 32) for r in image.regions)
    assert len(addresses) == slices + 2


def test_the_file_of_an_image_is_read_back(tmp_path: Path) -> None:
    image = hwrnn.weights(build(trained(1)), trained(2, name="other"))
    header, writes = read_writes(image.write(tmp_path / "image.txt"))
    assert writes == image.words
    assert header["model"] == "other"
    assert header["layout"] == f"{image.layout:08x}"
    lines = (tmp_path / "image.txt").read_text().splitlines()
    (tmp_path / "short.txt").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(DataError, match="is no whole image"):
        read_writes(tmp_path / "short.txt")


def test_a_project_says_where_its_memories_are() -> None:
    files = dict(hwrnn.emit(build(trained(1)), backend="rtl").items())
    told = json.loads(files["weights.json"])
    assert told["layout"] == f"{hwrnn.weights(build(trained(1)), trained(1)).layout:08x}"
    assert {"name", "address", "words", "bits", "bytes_from_word_to_word"} == set(
        told["memories"][0]
    )
    assert "Writable weights" in files["README.md"]
    plain = hwrnn.emit(hwrnn.build(trained(1)), backend="rtl")
    assert not any("config_i" in str(text) or "s_axi_" in str(text) for _, text in plain.items())


def test_widening_changes_no_result() -> None:
    for graph in (trained(1), trained(2, power_of_two=True), coupled(3)):
        t = graph.inputs[0].out.type
        x = {"x": np.random.default_rng(0).integers(t.lo, t.hi + 1, (6, 50, 3))}
        plain, wide = run_plain(graph, x), run_plain(widen(graph), x)
        assert all(np.array_equal(plain[name], wide[name]) for name in plain)


def first_of(graph: Graph, kind: type, **changes: object) -> Graph:
    """The graph with the first op of a kind changed."""
    seen: list[AnyOp] = []

    def change(op: AnyOp, _: object) -> AnyOp:
        seen.append(op)
        return replace(op, **changes) if len(seen) == 1 else op  # type: ignore[arg-type]

    return graph.rewrite(kind, change)


NAME = trained(1).scans[0].out.name
LAYER = f"model net, layer {NAME}"
SHAPE = (
    "\n  hint: only weights, biases, scales, tables and constants may differ; "
    "build a design of its own"
)


def in_cell(graph: Graph, **changes: object) -> Graph:
    """The graph with a changed body."""
    ops = (
        replace(op, body=replace(op.body, **changes)) if isinstance(op, Scan) else op  # type: ignore[arg-type]
        for op in graph.ops
    )
    return replace(graph, ops=tuple(ops))


def too_heavy() -> Graph:
    graph = trained(2)
    first = next(op for op in graph.scans[0].body.ops if isinstance(op, MatVec))
    weights = first.weights.array.copy()
    weights[0, 0] = 9
    wide = replace(first.out, type=of_bits(14, signed=True))
    graph = first_of(graph, MatVec, weights=IntMatrix(weights), declared=None, out=wide)
    more = of_bits(16, signed=True)
    return graph.rewrite(
        Add,
        lambda op, _: replace(op, out=replace(op.out, type=more)),  # type: ignore[arg-type]
    )


def too_many_levels() -> Graph:
    graph = trained(2)
    few = next(op for op in graph.ops if isinstance(op, Requant))
    out = replace(few.out, type=of_bits(3, signed=True))
    wide = of_bits(9, signed=True)
    ops = (
        replace(op, out=out, realised=None)
        if op is few
        else replace(op, out=replace(op.out, type=wide))
        if isinstance(op, MatVec | Output) and op.out.name in ("m36", "y")
        else op
        for op in graph.ops
    )
    return realise_requants(replace(graph, ops=tuple(ops)))


def another_start() -> Graph:
    graph = trained(2)
    first, *rest = graph.scans[0].body.states
    return in_cell(graph, states=(replace(first, initial=(0,) * 5), *rest))


def another_cell() -> Graph:
    b = Build(2)
    return b.graph(b.dense(b.rnn(b.input(3, of_bits(6, signed=True)), 5), 3))


def larger() -> Graph:
    b = Build(2)
    h = b.lstm(b.input(3, of_bits(6, signed=True)), 6, channels=True)
    few = b.requant(b.ops, b.dense(h, 4), of_bits(2, signed=True), channels=True)
    return b.graph(b.dense(few, 3))


REFUSED: dict[str, tuple[Callable[[], Graph], str]] = {
    "weights": (
        too_heavy,
        f"{LAYER}, %m4 (MatVec): has weights -7..9; those of the design are -8..7{SHAPE}",
    ),
    "levels": (
        too_many_levels,
        "model net, %q35 (Requant): is -4..3 x 4 in this model, and -2..1 x 4 in the design"
        + SHAPE,
    ),
    "start": (
        another_start,
        f"{LAYER}, state %h2: starts from another value than in the design, where it is not "
        "writable\n  hint: build a design of its own",
    ),
    "cell": (
        another_cell,
        "model net: has also %layer8, %m9 and lacks %layer33, %m34, %m36, %q35" + SHAPE,
    ),
    "units": (larger, f"{LAYER}, state %h2: is -32..31 x 6, and -32..31 x 5 in the design{SHAPE}"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_design_cannot_hold_is_refused_by_name(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(DesignError) as refused:
        hwrnn.weights(build(trained(1)), make())
    assert str(refused.value) == message


def test_floats_do_not_fit_a_design_that_shifts() -> None:
    with pytest.raises(DesignError, match=r"^model net, layer layer33, %q7 \(Requant\), channel 0"):
        hwrnn.weights(build(trained(1, power_of_two=True)), trained(2))


def test_a_requantiser_that_one_model_does_without() -> None:
    """Between equal grids none is needed: the image fills that of the design with ratio 1."""
    first, second = trained(1), trained(2)
    made = first.scans[0].out
    out = replace(made, name="again")
    again = Requant(out=out, x=made.name, ratio=(Fraction(3, 4),), offset=(Fraction(0),))
    at = first.ops.index(first.scans[0]) + 1
    dense = replace(first.ops[at], x="again")  # type: ignore[call-arg]
    ops = (*first.ops[:at], again, dense, *first.ops[at + 1 :])
    first = realise_requants(replace(first, ops=ops)).verify()
    wide = widen(second, widen(first))
    x = {"x": np.random.default_rng(0).integers(-32, 32, (6, 9, 3))}
    assert np.array_equal(run_plain(wide, x)["y"], run_plain(second, x)["y"])
    assert len(hwrnn.weights(build(first), second).words) > 0


def test_designs_that_cannot_be_written_are_refused() -> None:
    plain = hwrnn.build(trained(1), folding=FOLD)
    with pytest.raises(DesignError, match="has its weights in the hardware"):
        hwrnn.weights(plain, trained(2))
    with pytest.raises(DesignError, match="option writable_weights: is 'yes'"):
        hwrnn.build(trained(1), writable_weights="yes")  # type: ignore[arg-type]
