# SPDX-License-Identifier: Apache-2.0
"""The scripts in examples/ run, and what they say of themselves is true."""

from __future__ import annotations

import runpy
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs_train, pytest.mark.needs_sim]
torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
SCRIPTS: dict[str, tuple[str, list[str]]] = {
    "rnn": ("reference,cmodel,csim", ["right: 100%"]),
    "states": ("reference,cmodel,csim", ["in two parts the same: True", "y1 (2, 4, 6)"]),
    "streaming": ("csim,rtl", ["pieces give what the whole signal gives: True", "rtl: equal"]),
    "float_model": ("reference,cmodel,csim", ["hwrnn.quantize:", "calibrated ONNX:"]),
    "onnx_in": ("reference,cmodel,csim", [" 4 bits:", "12 bits: 0.00"]),
    "convolution": ("reference,cmodel,csim", ["from float"]),
    "autoencoder": ("reference,cmodel,csim", ["waves", "glitches"]),
    "words": ("reference,cmodel,rtl", ["the class of the float network: 9"]),
    "lengths": ("csim,rtl", ["together as alone: True", "rtl: equal, bit for bit; cycles: "]),
}
ELSEWHERE = {"gru", "folding", "device", "icebreaker_digits"}
"""Run by other tests: tests/test_rnn_gru.py, test_readme.py, test_uart_shell.py; or too long."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks wait for a second thread longer than it works for them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_proves_itself(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engines, said = SCRIPTS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](str(tmp_path / "out"), engines)
    told = capsys.readouterr().out
    assert "equal, bit for bit" in told
    assert [text for text in said if text not in told] == []


def test_the_page_lists_every_script() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    scripts = {path.stem for path in EXAMPLES.glob("*.py")}
    assert {name for name in scripts if f"]({name}.py)" not in page} == set()
    assert scripts == {*SCRIPTS, *ELSEWHERE}
    assert all(f"](../{path})" in page for path in ("docs/onnx.md", "docs/ptq.md"))
