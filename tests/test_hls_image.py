# SPDX-License-Identifier: Apache-2.0
"""HLS C++ with writable weights: images of other models are loaded between calls."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_engines import inputs, model, random_case
from rtl.bench import same
from rtl.graphs import Build
from test_hls_compile import STRICT
from test_hls_fragments import played
from test_writable import build, coupled, declaring, trained
from test_writable_engines import declared, retrained, writable

import hwrnn
from hwrnn.backends.hls import emit_hls
from hwrnn.backends.hls_golden import expected_fragments
from hwrnn.cmodel.plain import run_plain
from hwrnn.design.design import Design
from hwrnn.errors import DesignError, ToolError
from hwrnn.ir import Graph, MatVec
from hwrnn.ir.types import of_bits
from hwrnn.sim.csim import Ints, simulate_csim
from hwrnn.sim.gxx import compile_in, compiler_call
from hwrnn.sim.hls_dpi import simulate_hls_dpi

pytestmark = pytest.mark.needs_sim
Writes = list[tuple[int, int, int]]


def draw(graph: Graph, count: int, steps: int = 5) -> list[Ints]:
    rng = np.random.default_rng(7)
    x = graph.inputs[0].out
    return [rng.integers(x.type.lo, x.type.hi + 1, (steps, x.size)) for _ in range(count)]


def turns(design: Design, models: list[Graph]) -> tuple[list[Ints], Writes, list[Ints]]:
    """Two sequences for each model in turn, what is written between them, and the results."""
    xs = draw(models[0], 2 * len(models))
    writes = [
        (2 * k, address, word)
        for k, graph in enumerate(models)
        if k
        for address, word in hwrnn.weights(design, graph).words
    ]
    exact = [run_plain(models[k // 2], {"x": x[:, None]})["y"][:, 0] for k, x in enumerate(xs)]
    return xs, writes, exact


def check_swaps(design: Design, models: list[Graph]) -> None:
    xs, writes, exact = turns(design, models)
    same(simulate_csim(design, xs, writes=writes), exact)


def test_a_design_computes_one_model_after_the_other() -> None:
    """Float scales; the third model has powers of two."""
    first = trained(1)
    check_swaps(build(first), [first, trained(2), trained(3, power_of_two=True), first])


def test_a_design_that_shifts_takes_other_powers_of_two() -> None:
    first = trained(4, power_of_two=True)
    check_swaps(build(first, pipeline="latency"), [first, trained(5, power_of_two=True), first])


def test_constants_and_searched_thresholds_on_two_streams() -> None:
    first = coupled(3)
    check_swaps(build(first, streams=2), [first, coupled(4), first])


def wide(seed: int) -> Graph:
    """A dense layer whose requantiser has addends of more than 64 bits."""
    b = Build(seed)
    sums = b.dense(b.input(3, of_bits(16, signed=True)), 5)
    few = b.requant(b.ops, sums, of_bits(14, signed=True), channels=True)
    return b.graph(few).rewrite(MatVec, declaring)


def test_constants_beyond_64_bits() -> None:
    first = wide(1)
    design = build(first)
    assert "join(image.addendhigh_" in str(emit_hls(design, ([], []))["layer_m1.hpp"])
    check_swaps(design, [first, wide(2), first])


def test_a_random_engine_takes_other_numbers_and_its_own_again() -> None:
    """An RNN of which both directions share an engine."""
    seed = 13
    case = random_case(seed)
    case = replace(case, graph=case.graph.rewrite(MatVec, declared))
    design = writable(case)
    other = replace(case, graph=retrained(case.graph, seed))
    xs = inputs(case)
    writes = [
        (after * len(xs), address, word)
        for after, graph in ((1, other.graph), (2, case.graph))
        for address, word in hwrnn.weights(design, graph).words
    ]
    found = simulate_csim(design, [*xs, *xs, *xs], writes=writes)
    same(found, [*model(case, xs), *model(other, xs), *model(case, xs)])


def test_behind_an_axi_lite_slave_with_stalls() -> None:
    first = coupled(1)
    design = build(first)
    xs, writes, exact = turns(design, [first, coupled(2), first])
    same(simulate_hls_dpi(design, xs, writes=writes), exact)


def test_simulate_takes_an_image() -> None:
    first, second = coupled(1), coupled(2)
    design = build(first)
    x = np.random.default_rng(1).integers(-8, 8, (4, 6, 3))
    image = hwrnn.weights(design, second)
    for engine in ("csim", "hls_dpi"):
        found = hwrnn.simulate(design, x, engine=engine, image=image)
        assert np.array_equal(found.outputs, np.asarray(hwrnn.run(second, x, integers=True)))
    with pytest.raises(DesignError, match="is for layout"):
        hwrnn.simulate(build(trained(1)), x, engine="csim", image=image)


def test_fragments_go_on_while_the_weights_change() -> None:
    """States belong to the sequence, numbers to the image: each piece has those loaded last."""
    first = coupled(1)
    design = build(first, state="keep")
    xs = draw(first, 4)
    flags = [True, False, True, False]
    image = hwrnn.weights(design, coupled(2)).words
    found = simulate_csim(design, xs, first=flags, writes=[(2, *write) for write in image])
    exact = expected_fragments(design, xs[:2], flags[:2])
    other = build(coupled(2), state="keep")
    same(found, [*exact, *expected_fragments(other, xs[2:], flags[2:])])


def test_a_write_where_nothing_is_raises_the_image_error() -> None:
    first = coupled(1)
    design = build(first)
    xs = draw(first, 1)
    last = max(address for address, _ in hwrnn.weights(design, first).words)
    for address in (0, 0x20, 0x101, 4 * last):
        with pytest.raises(ToolError, match="has an address that nothing in the design has"):
            simulate_csim(design, xs, writes=[(0, address, 0)])


def test_the_testbench_loads_the_image_that_a_user_puts_there(tmp_path: Path) -> None:
    first, second = coupled(1), coupled(2)
    design = build(first)
    x = draw(first, 1)[0]
    exact = run_plain(second, {"x": x[:, None]})["y"][:, 0]
    folder = tmp_path / "p"
    emit_hls(design, golden=([x], [exact])).write(folder)
    compile_in(folder, [*compiler_call(), *STRICT, "top.cpp", "tb.cpp", "-o", "program"])
    assert "differing elements\nFAIL" in played(folder)
    hwrnn.weights(design, second).write(folder / "golden_image.txt")
    assert played(folder) == "1 sequences, 0 differing elements\nPASS\n"
    (folder / "golden_image.txt").write_text("{}\n00000100 0000000g\n")
    assert played(folder) == "FAIL golden_image.txt is missing or no image\n"


def test_a_project_says_where_its_memories_are() -> None:
    design = build(trained(1))
    files = hwrnn.emit(design, backend="both")
    assert files["hls_project/weights.json"] == files["rtl_project/weights.json"]
    layout = json.loads(str(files["hls_project/weights.json"]))["layout"]
    assert f"layout = 0x{layout};" in str(files["hls_project/design.hpp"])
    assert "| `s_image` | 64 bits" in str(files["hls_project/README.md"])
    for name, body in files.items():
        code = name.endswith((".hpp", ".cpp")) and "constants_" not in name
        if name.startswith("hls_project") and code:
            assert max(map(len, str(body).splitlines()), default=0) <= 100, name


def test_a_cell_that_needs_no_image_is_as_before() -> None:
    plain = hwrnn.emit(hwrnn.build(trained(1)), backend="hls")
    ours = (n for n in plain if not n.startswith("hwrnn/"))
    assert not any("image" in str(plain[name]) for name in ours)
