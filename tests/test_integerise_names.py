# SPDX-License-Identifier: Apache-2.0
"""Names in a model file never reach a path or a source file as they are."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwrnn.errors import ImportFault
from hwrnn.frontend.names import Namer, identifier, tensor_wish
from hwrnn.frontend.reserved import RESERVED
from hwrnn.ir.graph import NAME

PATHOLOGICAL = {
    "": "v",
    "x": "x",
    "a b": "a_b",
    'say "hi"': "say_hi",
    "two\nlines": "two_lines",
    "../../etc/passwd": "etc_passwd",
    "$(rm -rf /)": "rm_rf",
    "[exec reboot]": "exec_reboot",
    "`define x": "define_x",
    "*/ int main() {}": "int_main",
    "int": "int_v",
    "Module": "Module_v",
    "always_ff": "always_ff_v",
    "linux": "linux_v",
    "7seas": "v7seas",
    "_hidden": "hidden",
    "__reserved__x": "reserved_x",
    "ends_2": "ends2",
    "größe": "gr_e",
    "日本": "v",
    "\u202eesrever": "esrever",
    "\0": "v",
    "onnx::LSTM_123": "onnx_LSTM123",
    "a" * 10_000: "a" * 40,
    "a" * 39 + "_b": "a" * 39,
}


@pytest.mark.parametrize("name", PATHOLOGICAL, ids=lambda n: repr(n[:20]))
def test_pathological_names_become_identifiers(name: str) -> None:
    assert identifier(name) == PATHOLOGICAL[name]


SAFE = set(string.ascii_letters + string.digits + "_")


@given(st.lists(st.one_of(st.text(), st.sampled_from(sorted(RESERVED))), max_size=30))
def test_any_names_become_safe_and_unique(names: list[str]) -> None:
    namer = Namer()
    made = [namer.fresh(name) for name in names * 2]
    for name in made:
        assert set(name) <= SAFE
        assert NAME.fullmatch(name)
        assert name.lower() not in RESERVED
        assert "__" not in name
        assert not re.search(r"_\d|_$", name)
    assert len({name.lower() for name in made}) == len(made)


def test_a_thousand_equal_wishes() -> None:
    namer = Namer()
    made = [namer.fresh("A" * 99) for _ in range(1000)]
    assert made[:2] == ["A" * 40, "A" * 40 + "x2"]
    assert len(set(made)) == 1000
    assert max(map(len, made)) <= 64


def test_a_number_behind_a_name_cannot_make_it_reserved() -> None:
    namer = Namer()
    assert [namer.fresh("wait") for _ in range(2)] == ["wait_v", "wait_vx2"]


WISHES = {
    ("/fc/Gemm_output_0", "Gemm"): "fc",
    ("/lstm/layers.1.0/cell/Scan_output_2", "Scan"): "lstm_l1d0_cell",
    ("/quant_in/act_quant/export_handler/Quant_output_0", "Quant"): "quant_in",
    ("", "Add"): "add",
}


@pytest.mark.parametrize(("tensor", "op"), WISHES)
def test_what_a_tensor_is_called_by_an_exporter(tensor: str, op: str) -> None:
    assert tensor_wish(tensor, op) == WISHES[tensor, op]


def test_messages_show_names_on_one_short_line() -> None:
    fault = ImportFault('m.onnx: node "' + "evil\n\x1b[31m" * 1000 + '"', "is wrong", "mend it")
    first, hint = str(fault).split("\n")
    assert first.isprintable()
    assert first.startswith('m.onnx: node "evil\\x0a\\x1b[31m')
    assert first.endswith("...: is wrong")
    assert len(first) < 140
    assert hint == "  hint: mend it"
