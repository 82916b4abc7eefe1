# SPDX-License-Identifier: Apache-2.0
"""Names inside a model file never reach a path, Tcl, C++ or SystemVerilog as they are."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import onnx
import pytest

import hwrnn
from hwrnn.errors import ImportFault

pytestmark = pytest.mark.needs_train

HOSTILE = (
    'quote"; rm -rf $HOME #',
    "line\nbreak */ int main() {",
    "../../../etc/passwd",
    "$(touch /tmp/owned)",
    "[exec touch owned]",
    "`include `define \\",
    "while",
    "endmodule",
    "x" * 10_000,
    "\x00\x1b[31m\u202e",
    "{{ 7 * 7 }}{% raw %}",
    "",
)
MARKS = ("rm -rf", "(touch", "/passwd", "[exec", "x" * 100, "\x1b", "\u202e", "7 * 7", "`define \\")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exported network."""
    import torch
    from brevitas import nn as qnn

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.front = qnn.QuantIdentity(return_quant_tensor=True)
            self.lstm = qnn.QuantLSTM(3, 4, batch_first=True, bidirectional=True)
            self.head = qnn.QuantLinear(8, 2, bias=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.head(self.lstm(self.front(x))[0][:, -1])
            return y

    path = tmp_path_factory.mktemp("plain") / "plain.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        module = Module()
        module(torch.randn(4, 5, 3))
        hwrnn.export(module, torch.randn(2, 5, 3), path)
    return path


def poisoned(source: Path, target: Path) -> None:
    """The model with hostile names for all nodes, tensors, ports and itself."""
    model = onnx.load(source)
    names: dict[str, str] = {"": ""}

    def poison(name: str) -> str:
        if name not in names:
            names[name] = f"{HOSTILE[len(names) % len(HOSTILE)]}{len(names)}"
        return names[name]

    graph = model.graph
    for node in graph.node:
        node.name = poison(f"node {node.name}")
        node.input[:] = [poison(n) for n in node.input]
        node.output[:] = [poison(n) for n in node.output]
    for entry in (*graph.initializer, *graph.input, *graph.output):
        entry.name = poison(entry.name)
    del graph.value_info[:]
    graph.name = HOSTILE[0]
    onnx.save(model, target)


def test_hostile_names_reach_no_emitted_file(plain: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "a[exec touch owned] $(touch x); rm -rf.onnx"
    poisoned(plain, hostile)
    graph = hwrnn.load(hostile)
    files = hwrnn.emit(hwrnn.build(graph), backend="both")
    for path, content in files.items():
        assert re.fullmatch(r"[A-Za-z0-9_./]+", path), path
        assert ".." not in path
        assert len(path) < 160
        text = content if isinstance(content, str) else content.decode()
        found = [mark for mark in MARKS if mark in text]
        assert not found, (path, found)


def test_hostile_names_change_no_number(plain: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "m.onnx"
    poisoned(plain, hostile)
    first = hwrnn.verify(hwrnn.load(plain), engines=("reference", "cmodel"))
    second = hwrnn.verify(hwrnn.load(hostile), engines=("reference", "cmodel"))
    assert first.rows() == second.rows()
    assert first.ok
    assert second.ok


def test_a_hostile_name_in_an_error_is_short_and_printable(plain: Path, tmp_path: Path) -> None:
    model = onnx.load(plain)
    model.graph.node.append(
        onnx.helper.make_node("Tan", ["x"], ["z"], name="\n\x1b[31m" + "n" * 10_000)
    )
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ImportFault) as fault:
        hwrnn.load(tmp_path / "m.onnx")
    text = str(fault.value)
    assert len(text) < 400
    assert all(ch.isprintable() or ch == "\n" for ch in text)
    assert text.count("\n") == 1  # the hint's
