# SPDX-License-Identifier: Apache-2.0
"""A float ONNX file, whoever wrote it: python examples/onnx_in.py [folder].

Writes a GRU node by hand, as another framework would, and quantises it with data: every weight,
sum and state gets a scale. From a shell: hwrnn verify gru.onnx --calibration x.npy
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import hwrnn

FEATURES, UNITS = 4, 8


def write(path: Path) -> None:
    """A GRU with random weights; its sequence is (steps, batch, features)."""
    rng = np.random.default_rng(0)
    shapes = {"W": (1, 3 * UNITS, FEATURES), "R": (1, 3 * UNITS, UNITS), "B": (1, 6 * UNITS)}
    weights = [
        numpy_helper.from_array(rng.uniform(-0.5, 0.5, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    node = helper.make_node("GRU", ["x", *shapes], ["y"], hidden_size=UNITS, linear_before_reset=1)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["steps", "batch", FEATURES])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["steps", 1, "batch", UNITS])
    graph = helper.make_graph([node], "gru", [x], [y], weights)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def main(folder: str = "build/onnx_in", engines: str = "reference,cmodel,csim,rtl") -> None:
    """Quantise with more and more bits, compare with ONNX Runtime, prove the hardware."""
    path = Path(folder, "gru.onnx")
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    x = np.random.default_rng(1).uniform(-1, 1, (12, 16, FEATURES)).astype(np.float32)
    np.save(path.with_name("x.npy"), x)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (exact,) = session.run(None, {"x": x})
    for bits in (4, 6, 8, 12):
        graph = hwrnn.load(path, calibration=x, weight_bits=bits, act_bits=bits)
        print(f"{bits:2} bits: {abs(hwrnn.run(graph, x) - exact).max():.5f} from float")
    graph = hwrnn.load(path, calibration=x, weight_bits=6, act_bits=8)
    hwrnn.verify(graph, x, engines=engines.split(",")).check()
    print(f"equal, bit for bit: {engines}")


if __name__ == "__main__":
    main(*sys.argv[1:])
