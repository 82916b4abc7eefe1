# SPDX-License-Identifier: Apache-2.0
"""A design behind a serial port: python examples/device.py MODEL.onnx [PORT].

Without a port the board is simulated behind a pseudo-terminal: the host library notices nothing.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

import numpy as np

import hwrnn
import hwrnn.device
from hwrnn.backends.shell import emit_shell
from hwrnn.sim.uart import Board, simulated


def main(path: str, port: str | None = None) -> None:
    """Runs eight random sequences and compares them with the C-model."""
    graph = hwrnn.load(path)
    design = hwrnn.build(graph, board="icebreaker", folding={"pe": 1, "simd": 2})
    there = simulated(emit_shell(design, 4)) if port is None else nullcontext(Board(port=port))
    source = graph.inputs[0]
    sizes = {"B": 8, "T": source.example_steps or 10, "F": source.out.size}
    shape = [sizes[axis] for axis in source.axes]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with there as board, hwrnn.device.connect(board.port, model=design) as dev:
        print(dev)
        y = dev.infer(x)
        print(dev.status(), dev.health, sep="\n")
    same = np.array_equal(y, hwrnn.run(graph, x))
    print("equal to the C-model" if same else "DIFFERENT from the C-model")


if __name__ == "__main__":
    main(*sys.argv[1:])
