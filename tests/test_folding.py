# SPDX-License-Identifier: Apache-2.0
"""Foldings: what a table means, what is refused in which words, and files that are read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from graphs import GraphMaker

import hwrnn
from hwrnn.design.design import ceil_div
from hwrnn.design.folding import DEFAULTS, KEYS, WEIGHTS, Fold, LayerShape, folding_text, resolve
from hwrnn.design.folding_file import folding_of
from hwrnn.design.goal import Aim
from hwrnn.errors import DesignError
from hwrnn.ir import Graph

LSTM = LayerShape(name="lstm", units=12, columns=18, h=12)
HEAD = LayerShape(name="fc", units=5, columns=12)
BOTH = (LSTM, HEAD)


def stack() -> Graph:
    return GraphMaker(6).lstm(12).select().dense(5).graph()


def fold(pe: int, simd: int, weights: str = "auto") -> Fold:
    return Fold(pe=pe, simd=simd, weights=weights)


GOOD: list[tuple[object, Fold, Fold]] = [
    (None, fold(1, 8), fold(1, 8)),
    ({}, fold(1, 8), fold(1, 8)),
    ({"pe": 4}, fold(4, 8), fold(4, 8)),
    ({"pe": 7, "simd": 12}, fold(7, 12), fold(5, 12)),  # cut to the five units of fc
    ({"weights": "bram"}, fold(1, 8, "bram"), fold(1, 8, "bram")),
    ({"lstm": {"pe": 3, "simd": 5}}, fold(3, 5), fold(1, 8)),
    ({"lstm": {"pe": 3, "weights": "lut"}, "fc": {}}, fold(3, 8, "lut"), fold(1, 8)),
    ({"defaults": {"pe": 7, "simd": 2}}, fold(7, 2), fold(5, 2)),
    (
        {"defaults": {"pe": 2, "weights": "uram"}, "fc": {"simd": 3}},
        fold(2, 8, "uram"),
        fold(2, 3, "uram"),
    ),
    ({"defaults": {"pe": 9}, "lstm": {"pe": 1, "weights": "auto"}}, fold(1, 8), fold(5, 8)),
]


@pytest.mark.parametrize(("spec", "lstm", "head"), GOOD, ids=lambda v: str(v)[:40])
def test_what_a_table_means(spec: object, lstm: Fold, head: Fold) -> None:
    assert resolve(spec, BOTH) == {"lstm": lstm, "fc": head}  # type: ignore[arg-type]


COLUMNS = "18 columns (6 of x + 12 of h)"
BAD: list[tuple[object, str]] = [
    (
        {"lstm": {"pe": 13}},
        'folding "lstm": pe 13 is more than the 12 units\n  hint: use pe 12 or less',
    ),
    (
        {"lstm": {"simd": 40}},
        f'folding "lstm": simd 40 is more than the {COLUMNS}\n  hint: use simd 18 or less',
    ),
    (
        {"fc": {"simd": 13}},
        'folding "fc": simd 13 is more than the 12 columns\n  hint: use simd 12 or less',
    ),
    (
        {"pe": 13},
        'folding "every layer": pe 13 is more than the 12 units\n  hint: use pe 12 or less',
    ),
    (
        {"defaults": {"simd": 19}},
        f'folding "defaults": simd 19 is more than the {COLUMNS}\n  hint: use simd 18 or less',
    ),
    *(
        (
            {"lstm": {"pe": value}},
            f'folding "lstm": pe is {value!r}\n  hint: pe is a whole number from 1 to 12',
        )
        for value in (0, -1, 1.0, True, "4", None, [4])
    ),
    (
        {"simd": False},
        'folding "every layer": simd is False\n  hint: simd is a whole number from 1 to 18',
    ),
    (
        {"lstm": {"weights": "rom"}},
        "folding \"lstm\": weights is 'rom'\n  hint: weights is one of auto, lut, bram, uram",
    ),
    (
        {"fc": {"weights": ["lut"]}},
        "folding \"fc\": weights is ['lut']\n  hint: weights is one of auto, lut, bram, uram",
    ),
    (
        {"lstn": {"pe": 1}},
        'folding "lstn": is not a layer\n  hint: did you mean lstm? the layers are lstm, fc',
    ),
    (
        {"pe": 4, "lstm": {"pe": 1}},
        'folding "pe": is not a layer\n  hint: the layers are lstm, fc',
    ),
    (
        {"lstm": {"PE": 1}},
        'folding "lstm": has the unknown key "PE"\n  hint: the keys are pe, simd and weights',
    ),
    (
        {"defaults": {"mem": 1}},
        'folding "defaults": has the unknown key "mem"\n  hint: the keys are pe, simd and weights',
    ),
    ({"lstm": 4}, 'folding "lstm": is not a table\n  hint: write {"pe": 4, "simd": 16}'),
    ({"defaults": []}, 'folding "defaults": is not a table\n  hint: write {"pe": 4, "simd": 16}'),
    ([4, 16], 'folding: is not a table\n  hint: write {"pe": 4, "simd": 16}'),
]


@pytest.mark.parametrize(("spec", "message"), BAD, ids=lambda v: str(v)[:40])
def test_a_bad_folding_is_refused_in_words(spec: object, message: str) -> None:
    with pytest.raises(DesignError) as fault:
        resolve(spec, BOTH)  # type: ignore[arg-type]
    assert str(fault.value) == message


def test_the_table_of_a_single_layer_is_not_cut() -> None:
    with pytest.raises(DesignError, match='folding "fc": pe 6 is more than the 5 units'):
        resolve({"pe": 6}, (HEAD,))


def test_a_layer_may_be_called_like_a_key() -> None:
    layers = (
        LayerShape(name="pe", units=3, columns=2),
        LayerShape(name="defaults", units=3, columns=2),
    )
    found = resolve({"pe": {"pe": 2}, "defaults": {"simd": 1}}, layers)
    assert found == {"pe": fold(2, 2), "defaults": fold(1, 1)}


def test_a_design_is_folded_as_the_graph_has_layers() -> None:
    with pytest.raises(DesignError, match="the layers are lstm, fc"):
        hwrnn.build(stack(), folding={"gru": {"pe": 1}})
    with pytest.raises(DesignError, match="pe 13 is more than the 12 units"):
        hwrnn.build(stack(), folding={"pe": 13})


def test_a_file_is_read_as_the_table_that_it_holds(tmp_path: Path) -> None:
    table = {"defaults": {"pe": 2, "simd": 4}, "lstm": {"pe": 3, "simd": 5}}
    path = tmp_path / "folding.json"
    path.write_text(folding_text(table))
    assert json.loads(path.read_text()) == table
    assert resolve(path, BOTH) == resolve(str(path), BOTH) == resolve(table, BOTH)


@pytest.mark.parametrize("backend", ["hls", "rtl", "both"])
def test_a_project_holds_the_folding_that_builds_it_again(backend: str, tmp_path: Path) -> None:
    folding = {"lstm": {"pe": 5, "simd": 18, "weights": "bram"}, "fc": {"pe": 1, "simd": 7}}
    design = hwrnn.build(stack(), folding=folding)
    files = hwrnn.emit(design, backend)
    path = tmp_path / "folding.json"
    path.write_text(str(files["folding.json"]))
    assert json.loads(path.read_text()) == folding == folding_of(design)
    assert hwrnn.build(stack(), folding=path) == design


def test_a_default_folding_can_be_read_and_built_again() -> None:
    design = hwrnn.build(stack())
    assert folding_of(design) == {"lstm": {"pe": 1, "simd": 8}, "fc": {"pe": 1, "simd": 8}}
    assert hwrnn.build(stack(), folding=folding_of(design)) == design


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{'pe': 4}", "is not JSON: Expecting property name enclosed in double quotes"),
        (b"\xff\xfe", "is not JSON: 'utf-8' codec can't decode byte 0xff"),
        (b"[" * 200_000, "is not JSON: maximum recursion depth exceeded"),
    ],
    ids=["empty", "quotes", "bytes", "deep"],
)
def test_files_that_hold_no_table(tmp_path: Path, content: bytes, fact: str) -> None:
    path = tmp_path / "folding.json"
    path.write_bytes(content)
    with pytest.raises(DesignError) as fault:
        resolve(path, BOTH)
    assert fault.value.fact.startswith(fact)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match=r"no\.json: cannot be read: No such file"):
        resolve(tmp_path / "no.json", BOTH)


def test_the_page_about_folding_is_right() -> None:
    page = (Path(__file__).parent.parent / "docs" / "folding.md").read_text(encoding="utf-8")
    table = json.loads(page.split("```json\n")[1].split("```")[0])
    found = resolve(table, (LayerShape(name="lstm", units=12, columns=18, h=12), HEAD))
    assert found == {"lstm": fold(4, 16, "bram"), "fc": fold(1, 4)}
    for key in (*KEYS, DEFAULTS, *WEIGHTS, *(aim.value for aim in Aim)):
        assert f"`{key}`" in page
    assert [pe for pe in range(1, 33) if ceil_div(32, pe) == 3] == list(range(11, 16))


def test_whole_numbers_of_numpy_are_cut_as_well() -> None:
    """A head with fewer units than pe takes what it has."""
    found = resolve({"pe": np.int64(8), "simd": np.int32(14)}, BOTH)
    assert found == {"lstm": fold(8, 14), "fc": fold(5, 12)}
