# SPDX-License-Identifier: Apache-2.0
"""Builds that are kept: dropped when old, whatever other processes do meanwhile."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from hwrnn.sim import cache


def test_the_builds_not_used_for_longest_go(tmp_path: Path) -> None:
    for age, name in enumerate(("old", ".new-old", "newer", "newest")):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.lock").touch()
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    cache.forget_old(tmp_path, keep=2)
    assert {p.name for p in tmp_path.iterdir() if p.is_dir()} == {".new-old", "newer", "newest"}
    assert not (tmp_path / "old.lock").exists()


def test_a_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWRNN_CACHE", str(tmp_path))

    def fail(_: Path) -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the one above
        cache.cached_build("kind", "key", fail)
    assert [p.name for p in (tmp_path / "kind").iterdir()] == ["key.lock"]


def many_builds(maker: int) -> str:
    """Builds of its own and builds that others make as well; what went wrong, as text."""
    for k in range(60):
        key = f"{maker}-{k}" if k % 3 else f"common-{k}"
        try:
            cache.cached_build("kind", key, lambda folder: (folder / "file").touch())
        except Exception as fault:
            return str(fault)
    return ""


def test_makers_do_not_disturb_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HWRNN_CACHE", str(tmp_path))
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(many_builds, range(4)) == [""] * 4
