# SPDX-License-Identifier: Apache-2.0
"""Cells of every kind, written as text: the emitted HLS C++ equals the C-model, on any folding."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import hwrnn
from hwrnn.backends.hls import emit_hls
from hwrnn.ir import Graph
from hwrnn.ir.text import parse_graph
from hwrnn.transforms.pipeline import run_pipeline

pytestmark = pytest.mark.needs_sim
UNITS = 5
LENGTHS = (4, 1, 6, 2, 3, 3)
BYTE = f"-128..127 x {UNITS}"


class Text:
    """The lines of a body; values are quantised to a byte behind every product and sum."""

    def __init__(self, inputs: int = 3) -> None:
        self.rng = np.random.default_rng(11)
        self.inputs = inputs
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(f"    {text}")

    def product(self, name: str, *sources: str) -> None:
        """The sum of a product of each source with a matrix of its own."""
        for k, x in enumerate(sources):
            w = self.rng.integers(-7, 8, (UNITS, self.inputs if x == "xt" else UNITS)).tolist()
            part = name if len(sources) == 1 else f"{name}_{k}"
            self.line(f"%{part}: -6000..6000 x {UNITS} = matvec %{x} {{weights = {w}}}")
        for k in range(1, len(sources)):
            before = f"{name}_0" if k == 1 else f"{name}_upto{k - 1}"
            made = name if k == len(sources) - 1 else f"{name}_upto{k}"
            reach = 6000 * (k + 1)
            self.line(f"%{made}: {-reach}..{reach} x {UNITS} = add %{before}, %{name}_{k}")

    def round(self, name: str, x: str, ratio: str) -> None:
        self.line(f"%{name}: {BYTE} = requant %{x} {{ratio = {ratio}, offset = 3/8}}")

    def bend(self, name: str, x: str, low: int = -128, high: int = 127) -> None:
        """A table, steep in the middle."""
        rise = np.tanh(np.linspace(-2.5, 2.5, 256))
        table = np.rint((rise + 1) / 2 * (high - low) + low).astype(int).tolist()
        self.line(f"%{name}: {low}..{high} x {UNITS} = lut %{x} {{table = {table}}}")

    def gate(self, name: str, *sources: str, low: int = 0) -> None:
        """A bent sum of products."""
        self.product(f"{name}_sum", *sources)
        self.round(f"{name}_q", f"{name}_sum", "3/100")
        self.bend(name, f"{name}_q", low, 127)

    def times(self, name: str, a: str, b: str) -> None:
        self.line(f"%{name}_wide: -16384..16384 x {UNITS} = mul %{a}, %{b}")
        self.round(name, f"{name}_wide", "2^-7")

    def plus(self, name: str, a: str, b: str) -> None:
        self.line(f"%{name}_wide: -256..254 x {UNITS} = add %{a}, %{b}")
        self.round(name, f"{name}_wide", "7/8")

    def graph(self, result: str, states: dict[str, str]) -> Graph:
        """`states`: each with the value that it becomes."""
        starts = {name: list(range(k, k + UNITS)) for k, name in enumerate(states)}
        declared = [
            f"    state %{s}: {BYTE} = initial {starts[s]} -> %{after}"
            for s, after in states.items()
        ]
        quantiser = "input {quantiser = {scale = 2^-7}, axes = [B, T, F]}"
        text = [
            "graph cell {",
            f"  %x: -128..127 x {self.inputs} seq = {quantiser}",
            f"  %y: {BYTE} seq = scan %x {{",
            f"    input %xt: -128..127 x {self.inputs}",
            *declared,
            *self.lines,
            f"    yield %{result}",
            "  }",
            f"  %out: {BYTE} seq = output %y {{grid = {{scale = 2^-7}}, axes = [B, T, F]}}",
            "}",
        ]
        return run_pipeline(parse_graph("\n".join(text) + "\n"))


def lstm(*, coupled: bool = False, peephole: bool = False) -> Graph:
    t = Text()
    for name in ("i", "o") if coupled else ("i", "f", "o"):
        t.product(f"{name}_sum", "xt", "h")
        t.round(f"{name}_q", f"{name}_sum", "3/100")
        if peephole:
            t.line(f"%{name}_peep: -16384..16384 x {UNITS} = mul %{name}_q, %c")
            t.round(f"{name}_p", f"{name}_peep", "2^-6")
        t.bend(name, f"{name}_{'p' if peephole else 'q'}", 0, 127)
    if coupled:
        t.line(f"%one: 127..127 x {UNITS} = const {{values = {[127] * UNITS}}}")
        t.line(f"%f: 0..127 x {UNITS} = sub %one, %i")
    t.gate("g", "xt", "h", low=-128)
    t.times("fc", "f", "c")
    t.times("ig", "i", "g")
    t.plus("c_next", "fc", "ig")
    t.bend("c_tanh", "c_next")
    t.times("h_next", "o", "c_tanh")
    return t.graph("h_next", {"h": "h_next", "c": "c_next"})


def gru(*, after: bool) -> Graph:
    t = Text()
    t.gate("z", "xt", "h")
    t.gate("r", "xt", "h")
    if after:
        t.product("n_x", "xt")
        t.product("n_h", "h")
        t.round("n_xq", "n_x", "3/100")
        t.round("n_hq", "n_h", "3/100")
        t.times("gated", "r", "n_hq")
        t.plus("n_q", "n_xq", "gated")
        t.bend("n", "n_q")
    else:
        t.times("rh", "r", "h")
        t.gate("n", "xt", "rh", low=-128)
    t.times("zh", "z", "h")
    t.plus("h_next", "zh", "n")
    return t.graph("h_next", {"h": "h_next"})


def rnn() -> Graph:
    t = Text()
    t.gate("h_next", "xt", "h", low=-128)
    return t.graph("h_next", {"h": "h_next"})


def diagonal() -> Graph:
    t = Text()
    t.gate("a", "xt", low=-128)
    t.plus("h_next", "a", "h")
    return t.graph("h_next", {"h": "h_next"})


def two_recurrent_states() -> Graph:
    t = Text()
    t.gate("h_next", "xt", "h", "g", low=-128)
    t.gate("k", "g")
    t.times("g_next", "k", "h")
    return t.graph("g_next", {"h": "h_next", "g": "g_next"})


def x_unit_by_unit() -> Graph:
    t = Text(inputs=UNITS)
    t.gate("a", "xt", "h", low=-128)
    t.times("h_next", "a", "xt")
    return t.graph("h_next", {"h": "h_next"})


def product_of_a_product() -> Graph:
    """What is multiplied within the step is the sum of a gate itself; then a level more."""
    t = Text()
    t.product("low", "xt", "h")
    w = t.rng.integers(-7, 8, (UNITS, UNITS)).tolist()
    reach = 12000 * 7 * UNITS
    t.line(f"%high: {-reach}..{reach} x {UNITS} = matvec %low {{weights = {w}}}")
    t.round("a", "high", "1/200")
    t.gate("h_next", "a", low=-128)
    return t.graph("h_next", {"h": "h_next"})


def diagonal_of_levels() -> Graph:
    """No matrix multiplies a state, but one multiplies what the step makes of it."""
    t = Text()
    t.gate("a", "xt", low=-128)
    t.times("ah", "a", "h")
    t.gate("b", "ah", low=-128)
    t.plus("h_next", "b", "h")
    return t.graph("h_next", {"h": "h_next"})


CELLS: dict[str, Callable[[], Graph]] = {
    "lstm": lstm,
    "cifg": lambda: lstm(coupled=True),
    "peephole": lambda: lstm(peephole=True),
    "gru, reset after": lambda: gru(after=True),
    "gru, reset before": lambda: gru(after=False),
    "rnn": rnn,
    "diagonal": diagonal,
    "two recurrent states": two_recurrent_states,
    "x unit by unit": x_unit_by_unit,
    "product of a product": product_of_a_product,
    "diagonal of levels": diagonal_of_levels,
}
# A folding that divides nothing; everything at once, on three streams.
FOLDS = {"small": ((2, 2), 1), "whole": ((UNITS, None), 3)}
WHOLE = (
    "lstm",
    "gru, reset before",
    "two recurrent states",
    "x unit by unit",
    "diagonal of levels",
)
CASES = [(cell, "small") for cell in CELLS] + [(cell, "whole") for cell in WHOLE]


@pytest.mark.parametrize(("cell", "fold"), CASES)
def test_the_hls_code_equals_the_model(cell: str, fold: str) -> None:
    graph = CELLS[cell]()
    (pe, simd), streams = FOLDS[fold]
    features = graph.inputs[0].out.size
    states = sum(s.recurrent for s in hwrnn.build(graph).engines[0].states)
    design = hwrnn.build(
        graph,
        folding={"pe": pe, "simd": simd or features + states * UNITS},
        streams=streams,
        pipeline="clock" if fold == "small" else "latency",
    )
    x = np.random.default_rng(3).integers(-128, 128, (len(LENGTHS), max(LENGTHS), features))
    want = hwrnn.run(graph, x, integers=True, lengths=LENGTHS)
    assert isinstance(want, np.ndarray)
    assert len(np.unique(want)) > 12  # the numbers are lively
    got = hwrnn.simulate(design, x, engine="csim", lengths=LENGTHS)
    assert np.array_equal(got.outputs, want)


def distances(graph: Graph, **options: object) -> dict[str, int]:
    """What is said of the memories of a layer, in turns."""
    files = emit_hls(hwrnn.build(graph, **options), golden=([], []))  # type: ignore[arg-type]
    found = re.findall(r"variable=memory\.(\w+) .*distance=(\d+)", str(files["layer_y.hpp"]))
    return {name: int(n) for name, n in found}


def test_distances_are_those_of_the_schedule() -> None:
    design = hwrnn.build(gru(after=False), folding={"pe": 2, "simd": 2})
    engine = design.engines[0]
    inner, last = engine.hand_latencies
    assert distances(gru(after=False), folding={"pe": 2, "simd": 2}) == {
        "acc": engine.groups,
        "m_h": last,
        "m_rh": inner,
        "v_h": last,
    }


def test_a_single_block_keeps_no_sums() -> None:
    assert set(distances(lstm(), folding={"pe": UNITS, "simd": 8})) == {"m_h", "v_c"}
