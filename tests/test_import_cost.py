# SPDX-License-Identifier: Apache-2.0
"""What importing costs: no torch, no ONNX, no numpy; counted in modules, not in seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "brevitas", "onnx", "onnxruntime", "qonnx", "numpy", "scipy", "jinja2", "mpmath")
LIST_MODULES = "import json, sys; {}; print(json.dumps(sorted(sys.modules)))"


def modules_after(statement: str) -> set[str]:
    """The modules that are loaded after a statement in a fresh interpreter."""
    run = subprocess.run(
        [sys.executable, "-c", LIST_MODULES.format(statement)],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statement",
    [
        "import hwrnn",
        "import hwrnn.nn",
        "import hwrnn.cli",
        "import hwrnn.board",
        "import hwrnn.sim.tools",
    ],
)
def test_these_load_nothing_heavy(statement: str) -> None:
    assert modules_after(statement).isdisjoint(HEAVY)


def test_help_loads_nothing_heavy() -> None:
    statement = "from hwrnn.cli import main; main(['--help'])"
    assert modules_after(statement).isdisjoint(HEAVY)


def test_the_compiler_does_without_torch() -> None:
    loaded = modules_after("import hwrnn; hwrnn.load, hwrnn.build, hwrnn.emit, hwrnn.simulate")
    assert loaded.isdisjoint({"torch", "brevitas"})


def test_an_unknown_attribute_is_named() -> None:
    import hwrnn

    with pytest.raises(AttributeError, match="module 'hwrnn' has no attribute 'lode'"):
        _ = hwrnn.lode
