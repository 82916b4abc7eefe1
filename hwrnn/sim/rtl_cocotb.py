# SPDX-License-Identifier: Apache-2.0
"""Runs the cocotb testbench on a compiled top; a program of its own, started by rtl_run."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

TESTBENCH = "hwrnn.sim.cocotb_tb.axis_tb"


def main(settings: dict[str, str]) -> int:
    """Exit code 0 if the testbench passed."""
    binary, work = Path(settings["binary"]), Path(settings["work"])
    run = work / "run"
    shutil.copytree(settings["run"], run, ignore=shutil.ignore_patterns(binary.name))
    results = get_runner("verilator").test(
        hdl_toplevel=binary.name,
        hdl_toplevel_lang="verilog",
        test_module=settings.get("testbench", TESTBENCH),
        build_dir=binary.parent,
        test_dir=run,
        results_xml=str(work / "results.xml"),
        waves=bool(settings["trace"]),
        test_args=["--trace-file", settings["trace"]] if settings["trace"] else [],
    )
    _, failed = get_results(Path(results))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
