# SPDX-License-Identifier: Apache-2.0
"""C simulation: sequences per second of the emitted HLS C++ beside hls4ml's, in one run.

Both simulate one LSTM layer, 6 inputs, 20 units, 20 steps, on one thread. Ours: the emitted
sources, unchanged, with `ap_int`, at g++ -O2, process start and files included. hls4ml 1.3: its
own `compile` (g++ -O3) and `predict`, ap_fixed<16,6>.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import hwrnn
from hwrnn.design.design import Design
from hwrnn.sim.csim import simulate_csim

INPUTS, UNITS, STEPS = 6, 20, 20
REPEATS = 5
FOLDINGS = ({"pe": 1, "simd": 4}, {"pe": 4, "simd": 10}, {"pe": 20, "simd": 20})


def rows() -> list[dict[str, object]]:
    """One row an engine: sequences per second, and the ratio to hls4ml."""
    peer = hls4ml_model()
    designs = [(f"{kind}, {fold}", d) for kind in ("float", "pot") for fold, d in ours(kind)]
    speeds: dict[str, list[float]] = {"hls4ml 1.3": []} | {name: [] for name, _ in designs}
    for _ in range(REPEATS):
        speeds["hls4ml 1.3"].append(speed_of_peer(peer))
        for name, design in designs:
            speeds[name].append(speed_of_ours(design))
    base = statistics.median(speeds["hls4ml 1.3"])
    return [
        {
            "csim of": name,
            "sequences/s": round(statistics.median(found)),
            "ratio to hls4ml": round(statistics.median(found) / base, 1),
        }
        for name, found in speeds.items()
    ]


def ours(kind: str) -> list[tuple[str, Design]]:
    """The layer with float or power-of-two scales, in each folding."""
    import torch
    from brevitas import nn as qnn
    from brevitas.quant import fixed_point as fixed

    options: dict[str, Any] = {}
    if kind == "pot":
        act, sigmoid = fixed.Int8ActPerTensorFixedPoint, fixed.Uint8ActPerTensorFixedPoint
        names = ("io_quant", "gate_acc_quant", "tanh_quant", "cell_state_quant")
        options = dict.fromkeys(names, act) | {"sigmoid_quant": sigmoid}
        options["weight_quant"] = fixed.Int8WeightPerTensorFixedPoint

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = qnn.QuantLSTM(INPUTS, UNITS, batch_first=True, **options)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.lstm(x)[0]
            return y

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        layer = Layer()
        for _ in range(3):
            layer(torch.randn(16, STEPS, INPUTS))
        path = Path(folder) / "layer.onnx"
        hwrnn.export(layer, torch.randn(1, STEPS, INPUTS), path)
        graph = hwrnn.load(path)
    return [(f"pe {f['pe']} simd {f['simd']}", hwrnn.build(graph, folding=f)) for f in FOLDINGS]


def speed_of_ours(design: Design, count: int = 4000) -> float:
    """Sequences per second of one run."""
    rng = np.random.default_rng(0)
    sequences = [rng.integers(-128, 128, (STEPS, INPUTS)) for _ in range(count)]
    simulate_csim(design, sequences[:1])  # builds, the first time
    start = time.perf_counter()
    simulate_csim(design, sequences)
    return count / (time.perf_counter() - start)


def hls4ml_model() -> Any:  # noqa: ANN401 - hls4ml has no types
    """The same layer as hls4ml compiles it."""
    import hls4ml
    import torch

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(INPUTS, UNITS, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.lstm(x)[0]
            return y

    layer = Layer().eval()
    folder = tempfile.mkdtemp(prefix="hls4ml-")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        config = hls4ml.utils.config_from_pytorch_model(
            layer,
            (STEPS, INPUTS),
            granularity="name",
            default_precision="ap_fixed<16,6>",
            default_reuse_factor=1,
            channels_last_conversion="off",
            backend="Vitis",
        )
        model = hls4ml.converters.convert_from_pytorch_model(
            layer,
            hls_config=config,
            output_dir=os.fspath(Path(folder) / "project"),
            backend="Vitis",
            io_type="io_parallel",
        )
        model.compile()
    return model


def speed_of_peer(model: Any, count: int = 500) -> float:  # noqa: ANN401 - hls4ml has no types
    """Sequences per second of one `predict`."""
    x = np.random.default_rng(0).random((count, STEPS, INPUTS), dtype=np.float32)
    start = time.perf_counter()
    model.predict(x)
    return count / (time.perf_counter() - start)
