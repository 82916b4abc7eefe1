# SPDX-License-Identifier: Apache-2.0
"""Cycles against multipliers: python examples/folding.py model.onnx [board].

Prints one line for each folding of the whole network that is better than all before it.
"""

from __future__ import annotations

import sys

import hwrnn
from hwrnn.errors import HwrnnError

PES, SIMDS = (1, 2, 4, 8, 16, 32), (1, 2, 4, 8, 16)


def main(model: str, board: str = "pynq_z2") -> None:
    """Try all foldings, cheapest first."""
    graph = hwrnn.load(model)
    found = []
    for pe in PES:
        for simd in SIMDS:
            try:
                design = hwrnn.build(graph, board=board, folding={"pe": pe, "simd": simd})
            except HwrnnError as refusal:  # more than any layer has
                print(f"pe {pe}, simd {simd}: {refusal.fact}", file=sys.stderr)
                continue
            found.append((hwrnn.estimate(design), pe, simd))
    fastest = None
    print("   pe simd    DSP  cycles a step  latency (us)")
    for est, pe, simd in sorted(found, key=lambda f: (f[0].multipliers, f[0].latency_cycles)):
        if fastest is not None and est.latency_cycles >= fastest:
            continue
        fastest = est.latency_cycles
        over = "  more than the board has" if est.dsps > est.design.board.dsps else ""
        row = f"{pe:5} {simd:4} {est.dsps:6} {est.cycles_per_step:14} {est.latency_us:13.2f}"
        print(row + over)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
