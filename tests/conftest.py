# SPDX-License-Identifier: Apache-2.0
"""What every test may use: marks of needed tools, golden files, Hypothesis profiles."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, Phase, settings

from hwrnn.errors import ToolError
from hwrnn.sim.tools import Extra, missing

MARKS = {
    "needs_sim": Extra.SIM,
    "needs_train": Extra.TRAIN,
    "needs_synth": Extra.SYNTH,
    "needs_device": Extra.DEVICE,
}

# "fixed": the same draws on every run, so that a green run stays green; "explore" looks further.
settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "explore",
    deadline=None,
    max_examples=1000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink],
)
settings.load_profile(os.environ.get("HWRNN_HYPOTHESIS", "fixed"))


class Golden(Protocol):
    """Compares a text with the golden file of the running test."""

    def __call__(self, text: str, suffix: str = ".txt") -> None:
        """Fail if `text` is not what tests/golden/<file>/<test><suffix> holds."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """--update-golden rewrites golden files."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")


def pytest_configure(config: pytest.Config) -> None:
    """With HWRNN_REQUIRE=sim,train,... a missing tool is an error: a run that skips proves nothing.

    Before collection, because an error inside a worker of pytest-xdist shows as a traceback.
    """
    if hasattr(config, "workerinput"):
        return
    for name in filter(None, os.environ.get("HWRNN_REQUIRE", "").split(",")):
        errors = _missing(_extra(name.strip()))
        if errors:
            lines = "\n".join(str(e) for e in errors)
            raise pytest.UsageError(f"HWRNN_REQUIRE={name}, but these are missing:\n{lines}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what the machine has no tools for."""
    for item in items:
        for mark, extra in MARKS.items():
            errors = _missing(extra) if item.get_closest_marker(mark) else ()
            if errors:
                item.add_marker(pytest.mark.skip(reason=str(errors[0])))


@cache
def _missing(extra: Extra) -> tuple[ToolError, ...]:
    return missing(extra)


def _extra(name: str) -> Extra:
    known = [str(e) for e in MARKS.values()]
    if name not in known:
        raise pytest.UsageError(f'HWRNN_REQUIRE: there is no "{name}"; known: {", ".join(known)}')
    return Extra(name)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with tests/golden/<file>/<test><suffix>; --update-golden rewrites it."""
    folder = Path(__file__).parent / "golden" / request.path.stem
    name = re.sub(r"[^\w.=-]+", "_", request.node.name).strip("_")
    update = bool(request.config.getoption("--update-golden"))

    def check(text: str, suffix: str = ".txt") -> None:
        path = folder / f"{name}{suffix}"
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        if not path.is_file():
            shown = path.relative_to(Path(__file__).parent.parent)
            pytest.fail(f"no golden file {shown}; look at the text, then run with --update-golden")
        with path.open(encoding="utf-8", newline="") as file:
            assert file.read() == text

    return check
