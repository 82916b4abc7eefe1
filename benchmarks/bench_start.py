# SPDX-License-Identifier: Apache-2.0
"""Start-up: seconds to import hwrnn, and to load, build and emit the digits model."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

REPEATS = 5
FLOW = """
import sys, hwrnn
graph = hwrnn.load(sys.argv[1])
hwrnn.emit(hwrnn.build(graph), backend="both")
assert "torch" not in sys.modules
"""


def rows(model: Path) -> list[dict[str, object]]:
    """Medians of whole processes."""
    work = {
        "python alone": ["-c", "pass"],
        "import hwrnn": ["-c", "import hwrnn"],
        "load + build + emit (digits)": ["-c", FLOW, str(model)],
    }
    return [
        {"process": name, "seconds": round(median_seconds([sys.executable, *arguments]), 2)}
        for name, arguments in work.items()
    ]


def median_seconds(command: list[str]) -> float:
    """The median of some runs."""
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, check=True)
        found.append(time.perf_counter() - start)
    return statistics.median(found)
