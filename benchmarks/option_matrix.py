# SPDX-License-Identifier: Apache-2.0
"""Every combination of the options of QuantLSTM, QuantRNN and QuantGRU, to docs/options_matrix.md.

Resumes where it stopped: results are kept in build/option_matrix.jsonl. After a change of the
front end start anew, with `--fresh`. `make sweep` runs the same cases, for one commit.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests")]

from sweep import Store, run_sweep  # noqa: E402 - after the paths
from sweeps import options  # noqa: E402

STORE = ROOT / "build" / "option_matrix.jsonl"
PAGE = ROOT / "docs" / "options_matrix.md"


def main() -> int:
    """Exit code 1 if a combination is wrong, or did not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--only", default="", help="tables or engines, with commas between them")
    parser.add_argument("--page", action="store_true", help="only write the page")
    chosen = parser.parse_args()
    if chosen.fresh:
        STORE.unlink(missing_ok=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    store = Store(STORE)
    if not chosen.page:
        only = {kind for kind in chosen.only.split(",") if kind}
        run_sweep(options, store, chosen.jobs, only)
    PAGE.write_text(options.matrix(store.results), encoding="utf-8")
    missing = options.shortfalls(store.results)
    print("\n".join(missing) or f"all {len(store.results)} exact, or refused by name")
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
