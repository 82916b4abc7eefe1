# SPDX-License-Identifier: Apache-2.0
"""Time against area: python examples/folding.py model.onnx [board].

Prints the smallest design for every 30 % less latency, until nothing faster fits the board.
"""

from __future__ import annotations

import sys

import hwrnn
from hwrnn.errors import DesignError


def main(model: str, board: str = "pynq_z2") -> None:
    """From the slowest design to the fastest."""
    graph = hwrnn.load(model)
    target = 1e9
    print("latency (us)   DSP     LUT  folding (pe x simd)")
    while True:
        try:
            design = hwrnn.build(graph, board=board, target_latency_us=target)
        except DesignError as refusal:
            print(f"{refusal.fact}\n  {refusal.hint}", file=sys.stderr)
            return
        est = hwrnn.estimate(design)
        folding = ", ".join(f"{name} {fold.pe} x {fold.simd}" for name, fold in design.folds)
        print(f"{est.latency_us:12.2f} {est.dsps:5} {est.luts:7}  {folding}")
        target = 0.7 * est.latency_us


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
