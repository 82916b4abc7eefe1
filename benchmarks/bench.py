# SPDX-License-Identifier: Apache-2.0
"""All benchmarks, as tables: `make bench`. Figures are medians; compare ratios, not seconds."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import bench_cmodel
import bench_csim
import bench_density
import bench_engine
import bench_rtl
import bench_start

import hwrnn

Row = dict[str, object]


def main() -> None:
    """Run each benchmark and print its table as soon as it is there."""
    with tempfile.TemporaryDirectory() as folder:
        show("Start-up", bench_start.rows(digits_model(Path(folder))))
    show("C-model beside torch (6 -> 128, batch 256, 40 steps, one thread)", bench_cmodel.rows())
    show("C simulation beside hls4ml (LSTM 6 -> 20, 20 steps, one thread)", bench_csim.rows())
    show("The engine and its bars", list(bench_engine.rows()))
    show("MAC array after yosys synth_xilinx -family xcup", list(bench_density.rows()))
    show("RTL simulation, LSTM 64 -> 128, pe 4, simd 16 (processor time)", bench_rtl.rows())
    show("RTL simulation of a published network", bench_rtl.quickdraw_rows())


def digits_model(folder: Path) -> Path:
    """The demo's network, untrained: its size is what counts here."""
    import torch

    from hwrnn.demo.training import QuantDigits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        network = QuantDigits()
        network(torch.rand(16, 8, 8))
        hwrnn.export(network, torch.rand(1, 8, 8), folder / "digits.onnx")
    return folder / "digits.onnx"


def show(title: str, rows: Sequence[Row]) -> None:
    """A markdown table."""
    names = list(rows[0])
    print(f"\n## {title}\n")
    print("| " + " | ".join(names) + " |")
    print("|" + " --- |" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[n]) for n in names) + " |")


if __name__ == "__main__":
    main()
