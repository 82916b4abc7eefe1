# SPDX-License-Identifier: Apache-2.0
"""The text of an HLS project: same bytes every time, safe names, numbers that fit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import hls_designs as h
import numpy as np
import pytest
from conftest import Golden

from hwrnn.backends.cpp_literals import cpp_array, cpp_int, cpp_type, machine_type
from hwrnn.backends.hls import LIBRARY, emit_hls
from hwrnn.errors import DesignError
from hwrnn.ir import Graph, IntType, Requant
from hwrnn.ir.types import of_bits

S64 = of_bits(64, signed=True)


def test_same_design_same_bytes() -> None:
    first, second = (emit_hls(h.design(h.lstm_graph(3, 4))) for _ in range(2))
    assert list(first.items()) == list(second.items())


def test_same_bytes_in_another_process_with_another_hash_seed() -> None:
    program = (
        "import hls_designs as h; from hwrnn.backends.hls import emit_hls;"
        "print(emit_hls(h.design(h.lstm_graph(3, 4))).digest())"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert digests == {emit_hls(h.design(h.lstm_graph(3, 4))).digest() + "\n"}


def test_what_is_generated_reads_like_this(golden: Golden) -> None:
    files = emit_hls(h.design(h.lstm_graph(3, 4, channels=True), pe=2))
    shown = ("top.cpp", "design.hpp", "layer_cell.hpp", "run_hls.tcl", "hls_config.cfg")
    golden("".join(f"==== {name}\n{files.data(name).decode()}" for name in shown))


def test_files_of_a_project() -> None:
    files = emit_hls(h.design(h.lstm_graph(3, 4)))
    ours = [name for name in files if not name.startswith("hwrnn/")]
    assert ours == [
        "README.md",
        "design.hpp",
        "top.hpp",
        "top.cpp",
        "tb.cpp",
        "hls_config.cfg",
        "run_hls.tcl",
        "layer_cell.hpp",
        "constants_cell.hpp",
        "golden_in.txt",
        "golden_out.txt",
    ]
    assert {f"hwrnn/{p.name}" for p in LIBRARY.glob("*.hpp")} == set(files) - set(ours)


def test_no_line_is_wider_than_the_page() -> None:
    files = emit_hls(h.design(h.lstm_graph(3, 4)))
    for name, body in files.items():
        wide = [line for line in str(body).splitlines() if len(line) > 100]
        assert name.endswith((".md", ".txt")) or not wide, (name, wide)


def test_no_date_path_or_host_gets_in() -> None:
    files = emit_hls(h.design(h.lstm_graph(3, 4)))
    text = "".join(body for _, body in files.items() if isinstance(body, str))
    assert not re.search(r"20\d\d-\d\d|/home|/root|/work|/tmp", text.replace("2023.2", ""))


def test_golden_vectors_that_are_given_are_written() -> None:
    inputs = [np.array([[1, -2, 3]]), np.array([[4, 5, 6], [7, 8, 9]])]
    outputs = [np.array([[1, 2, 3, 4]]), np.array([[0, 0, 0, 0], [5, 6, 7, -8]])]
    files = emit_hls(h.design(h.lstm_graph(3, 4)), golden=(inputs, outputs))
    assert files["golden_in.txt"] == "2\n1\n1 -2 3\n2\n4 5 6\n7 8 9\n"
    assert files["golden_out.txt"] == "2\n1\n1 2 3 4\n2\n0 0 0 0\n5 6 7 -8\n"


def test_a_requantiser_that_is_not_realised_is_refused() -> None:
    def unrealised(op: Requant, scope: object) -> Requant:  # noqa: ARG001 - a Rewrite
        return replace(op, realised=None) if op.out.name == "h_new" else op

    g = h.lstm_graph(3, 4)
    design = h.design(g)
    engine = design.engines[0]
    ops = tuple(
        replace(p, op=unrealised(p.op, None)) if isinstance(p.op, Requant) else p
        for p in engine.datapath.ops
    )
    hand = replace(engine.hands[-1], datapath=replace(engine.datapath, ops=ops))
    broken = replace(engine, cells=(replace(engine.cell, hands=(hand,)),))
    kernels = tuple(broken if k is engine else k for k in design.kernels)
    with pytest.raises(DesignError) as caught:
        emit_hls(replace(design, kernels=kernels))
    assert str(caught.value) == "layer cell: %h_new has no realised requantiser yet"


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [
        (0, IntType(0, 0), "0"),
        (-128, of_bits(8, signed=True), "-128"),
        (2**31 - 1, S64, "2147483647"),
        (2**31, S64, "2147483648LL"),
        (-(2**31), S64, "-2147483648LL"),
        (-(2**63), S64, "(-9223372036854775807LL - 1)"),
        (2**64 - 1, of_bits(64, signed=False), "18446744073709551615ULL"),
    ],
)
def test_literals(value: int, type_: IntType, text: str) -> None:
    assert cpp_int(value, type_) == text


@pytest.mark.parametrize(
    ("value", "type_", "message"),
    [
        (128, of_bits(8, signed=True), "128 does not fit -128..127"),
        (-1, IntType(0, 3), "-1 does not fit 0..3"),
        (2**64, IntType(0, 2**70), "18446744073709551616 needs more than 64 bits"),
    ],
)
def test_a_number_that_does_not_fit_is_refused(value: int, type_: IntType, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        cpp_int(value, type_)


def test_an_array_with_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("-3..9 does not fit -8..7")):
        cpp_array([1, -3, 9], IntType(-8, 7))


def test_arrays_are_wrapped_and_nested() -> None:
    assert cpp_array([1, -2], IntType(-2, 1)) == "{1, -2}"
    assert cpp_array(np.array([[1, 2], [3, 4]]), IntType(0, 4)) == "{{1, 2}, {3, 4}}"
    lines = cpp_array(range(60), IntType(0, 59)).splitlines()
    assert [lines[0], lines[-1]] == ["{", "}"]
    assert max(map(len, lines)) < 100


@pytest.mark.parametrize(
    ("t", "exact", "machine"),
    [
        (IntType(0, 1), "ap_uint<1>", "std::int8_t"),
        (IntType(-8, 7), "ap_int<4>", "std::int8_t"),
        (IntType(0, 255), "ap_uint<8>", "std::int16_t"),
        (IntType(-1, 2**31), "ap_int<33>", "std::int64_t"),
    ],
)
def test_types(t: IntType, exact: str, machine: str) -> None:
    assert (cpp_type(t), machine_type(t)) == (exact, machine)


def without_comments(header: Path) -> str:
    return re.sub(r"//.*", "", header.read_text(encoding="utf-8"))


def test_a_constant_beyond_64_bits_is_made_of_two_words() -> None:
    x = h.source(2)
    offset = (Fraction(9**29, 2**96), Fraction(-(9**28), 2**96))
    op = replace(h.requant("q", x.out, h.S8, Fraction(1, 16)), offset=offset)
    files = emit_hls(h.design(h.graph(x, op, h.sink(op.out)), pe=1, simd=1))
    cell, constants = files["layer_q_map.hpp"], files["constants_q_map.hpp"]
    assert "join(addendhigh_q[group][lane], addendlow_q[group][lane])" in str(cell)
    assert "constexpr std::uint64_t addendlow_q[" in str(constants)


@pytest.mark.parametrize("header", sorted(LIBRARY.glob("*.hpp")), ids=lambda p: p.name)
def test_the_library_keeps_its_rules(header: Path) -> None:
    code = without_comments(header)
    assert header.read_text(encoding="utf-8").startswith("// SPDX-License-Identifier: Apache-2.0\n")
    assert "#pragma once" in code
    assert not re.search(r"\b(float|double|ap_fixed|__SYNTHESIS__)\b", code)
    assert not re.search(r"^\s+static\s+(?!constexpr|_)\w+[^()]*[=;]", code, re.MULTILINE)
    for parameters in re.findall(r"template <([^<>]*)>", code):
        assert parameters.count(",") < 6


def keyword_graph() -> Graph:
    """Layers and values that are called what a language keeps for itself."""
    g = h.lstm_graph(2, 3)
    words = {"x": "class", "cell": "int", "y": "return", "h_new": "module", "i_acc": "for"}
    words |= {"cell_xt": "x_t", "fc": "t_x", "fc_q": "v_x", "c_sum": "table_x", "oc": "State"}
    from hwrnn.ir.text import parse_graph, print_graph

    text = print_graph(g)
    for old, new in words.items():
        text = re.sub(rf"%{old}\b", f"%{new}", text)
    return parse_graph(text)


@pytest.mark.needs_sim
def test_names_that_are_keywords_somewhere() -> None:
    from hwrnn.backends.hls_golden import expected, random_inputs
    from hwrnn.sim.csim import simulate_csim

    design = h.design(keyword_graph())
    xs = random_inputs(design, [4])
    np.testing.assert_array_equal(simulate_csim(design, xs)[0], expected(design, xs[0]))
