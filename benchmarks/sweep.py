# SPDX-License-Identifier: Apache-2.0
"""Runs every random sweep (`make sweep`) and writes docs/sweeps.md; resumes where it stopped.

Each result is kept as soon as it is there, in build/sweep, by seed and by the code that was
swept: an interrupted sweep goes on with the next case, a change of the code starts anew (one of
the documents does not). A failure is printed with the
repr of its network, which is how it becomes a test in tests/test_exactness.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from sweeps import around, cells, engines, exactness, options, ports, resources, traces  # noqa: E402

SWEEPS = (exactness, cells, options, around, ports, engines, traces, resources)
PAGE = ROOT / "docs" / "sweeps.md"
BUILD = ROOT / "build" / "sweep"
HEADER = """\
# Random sweeps

Written by `make sweep`; all comparisons are `==`. Commit {commit}{changed}.

"""
Results = dict[str, dict[str, Any]]


def main() -> int:
    """Exit code 1 if a case failed, or if there were too few."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    options.add_argument("--only", default="", help="kinds of cases, with commas between them")
    chosen = options.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    commit, changes, code = state()
    print(f"commit {commit}{' and changes' if changes else ''}")
    missing: list[str] = []
    pages = [HEADER.format(commit=commit, changed=", with changes" if changes else "")]
    for sweep in SWEEPS:
        print(f"{sweep.NAME}: seeds {', '.join(map(str, sweep.SEEDS))}")
        store = Store(BUILD / f"{sweep.NAME}-{code}{changes}-{sweep.SEEDS[0]}.jsonl")
        run_sweep(sweep, store, chosen.jobs, {k for k in chosen.only.split(",") if k})
        missing += sweep.shortfalls(store.results)
        pages.append(sweep.page(store.results).rstrip() + "\n")
    if not chosen.only:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text("".join(pages), encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}")
    print("\n".join(missing) or "all passed")
    return int(bool(missing))


def state() -> tuple[str, str, str]:
    """The commit, a digest of what was changed since (empty if nothing was), and one of the code
    in that commit: all that a sweep may use.
    """

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout

    used = ("hwrnn", "boards", "benchmarks", "tests", ":(exclude,glob)tests/test_*.py")
    changes = git("diff", "HEAD", "--", *used)
    changes += git("ls-files", "--others", "--exclude-standard", "--", *used)
    files = git("ls-files", "--stage", "--", *used)
    commit = git("rev-parse", "--short=12", "HEAD").strip() or "unknown"
    return commit, f"-{digest(changes)[:8]}" if changes else "", digest(files)[:12]


def digest(text: str) -> str:
    """A hash."""
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """Results by the name of the case, kept in a file line by line."""

    def __init__(self, path: Path) -> None:
        self.path, self.results = path, dict[str, dict[str, Any]]()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self.results[entry["case"]] = entry["result"]

    def add(self, case: str, result: dict[str, Any]) -> None:
        """Keep one result."""
        self.results[case] = result
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"case": case, "result": result}) + "\n")


def run_sweep(sweep: Any, store: Store, jobs: int, only: set[str]) -> None:  # noqa: ANN401 - a module
    """All cases that have no result yet."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    context = multiprocessing.get_context("spawn")
    with (
        Progress(*columns, TimeElapsedColumn()) as progress,
        ProcessPoolExecutor(jobs, mp_context=context) as pool,
    ):
        bar = progress.add_task(sweep.NAME, total=None)
        running: dict[Future[dict[str, Any]], str] = {}
        while True:
            todo = chosen(sweep.wanted(store.results), set(running.values()), only)
            progress.update(bar, completed=len(store.results))
            progress.update(bar, total=len(store.results) + len(running) + len(todo))
            for case in todo[: 2 * jobs - len(running)]:
                running[pool.submit(run_case, sweep.__name__, case)] = str(case)
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                store.add(name, future.result())
                if "failed" in store.results[name]:
                    progress.print(f"{name}: {store.results[name]['failed']}", markup=False)


def chosen(cases: Iterable[Any], running: set[str], only: set[str]) -> list[Any]:
    """Those that do not run yet, of the kinds asked for."""
    return [c for c in cases if str(c) not in running and (not only or c.kind in only)]


def run_case(sweep: str, case: Any) -> dict[str, Any]:  # noqa: ANN401 - each sweep has its own
    """One case in a process of the pool; whatever goes wrong is its result."""
    import importlib

    with tempfile.TemporaryDirectory(prefix="hwrnn-sweep-") as folder:
        try:
            found: dict[str, Any] = importlib.import_module(sweep).run(case, Path(folder))
        except Exception as fault:  # a sweep goes on, and reports it
            kind = type(fault).__name__
            return {"failed": f"{fault}" if kind == "AssertionError" else f"{kind}: {fault}"}
        return found


if __name__ == "__main__":
    sys.exit(main())
