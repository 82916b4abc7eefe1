# SPDX-License-Identifier: Apache-2.0
"""The Python C-model beside the Brevitas module that it equals, and beside torch's float LSTM.

One thread each. The three take turns, so that whatever else the machine does meets them alike;
the figures are medians of the CPU time. `hwrnn.run` is the C-model from floats to floats.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

import hwrnn
from hwrnn.cmodel.data import take_batch
from hwrnn.cmodel.fast import compile_graph

INPUTS, HIDDEN, BATCH, STEPS = 6, 128, 256, 40
ROUNDS = 9
BARS = {"float": (5.0, 2.5), "power of two": (8.0, 1.5)}  # Brevitas at least, LSTM at most

Row = dict[str, object]


class Network(nn.Module):
    """A QuantLSTM of 8-bit weights and activations behind the input's quantiser."""

    def __init__(self, scales: str) -> None:
        import brevitas.nn as qnn

        super().__init__()
        chosen = fixed_point() if scales == "power of two" else {}
        first = {"act_quant": chosen["io_quant"]} if chosen else {}
        self.quant = qnn.QuantIdentity(**first, return_quant_tensor=True)
        self.lstm = qnn.QuantLSTM(INPUTS, HIDDEN, batch_first=True, **chosen)

    def forward(self, x: Tensor) -> Tensor:
        """The whole sequence of h."""
        y: Tensor = self.lstm(self.quant(x))[0]
        return y


def fixed_point() -> dict[str, Any]:
    """Brevitas' quantisers with power-of-two scales."""
    from brevitas.quant import fixed_point as q

    signed = ("io_quant", "gate_acc_quant", "tanh_quant", "cell_state_quant")
    return {
        "weight_quant": q.Int8WeightPerTensorFixedPoint,
        "sigmoid_quant": q.Uint8ActPerTensorFixedPoint,
        **dict.fromkeys(signed, q.Int8ActPerTensorFixedPoint),
    }


def rows() -> list[Row]:
    """One row for each kind of scales."""
    torch.set_num_threads(1)
    with threadpool_limits(1), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [row(scales) for scales in BARS]


def row(scales: str) -> Row:
    """Times in milliseconds, and the ratios with the bars that they are held to."""
    torch.manual_seed(0)
    module = calibrated(Network(scales))
    lstm = nn.LSTM(INPUTS, HIDDEN, batch_first=True).eval()
    x = torch.randn(BATCH, STEPS, INPUTS)
    graph = loaded(module)
    model, q = compile_graph(graph), take_batch(graph, x.numpy()).q
    found = medians(
        {
            "C-model": lambda: model.run({graph.inputs[0].out.name: q}),
            "torch.nn.LSTM": lambda: lstm(x),
            "Brevitas": lambda: module(x),
        }
    )
    # By itself: its float64 arrays make the allocator give pages back, which slows its neighbours.
    found |= medians({"hwrnn.run": lambda: hwrnn.run(graph, x.numpy())})
    least, most = BARS[scales]
    ours = found["C-model"]
    return {
        "scales": scales,
        **{f"{name} ms": round(1e3 * seconds, 1) for name, seconds in found.items()},
        "Brevitas / C-model": f"{found['Brevitas'] / ours:.1f} (bar {least})",
        "C-model / LSTM": f"{ours / found['torch.nn.LSTM']:.2f} (bar {most})",
    }


def calibrated(module: nn.Module) -> nn.Module:
    """In eval mode, after the quantisers have seen some data."""
    module.train()
    for _ in range(3):
        module(torch.randn(32, 10, INPUTS))
    return module.eval()


def loaded(module: nn.Module) -> hwrnn.Graph:
    """The integer graph of the module."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lstm.onnx"
        hwrnn.export(module, np.zeros((1, 2, INPUTS), np.float32), path)
        return hwrnn.load(path)


def medians(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of CPU time of each, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for call in work.values():
        call()
    for _ in range(ROUNDS):
        for name, call in work.items():
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    return {name: median(found) for name, found in times.items()}


def main() -> None:
    """Print the table."""
    from bench import show

    show(f"C-model ({INPUTS} -> {HIDDEN}, batch {BATCH}, {STEPS} steps, one thread)", rows())


if __name__ == "__main__":
    main()
