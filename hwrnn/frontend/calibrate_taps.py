# SPDX-License-Identifier: Apache-2.0
"""What every tensor of a float model holds on calibration data, inside of Scan bodies, too.

A tensor is (g, name): g is 0 in the outer graph, k in the body of the k-th Scan. The model runs
in `onnx.reference`; a copy of it gives every tensor of a body as one more output of its Scan.
Quantisers of activations are left out of that copy, those of constants are already numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from hwrnn.errors import DataError, ImportFault, shorten
from hwrnn.frontend.calibrate_data import Feed
from hwrnn.frontend.cell_nodes import QONNX_DOMAIN
from hwrnn.frontend.normalise import body_of, replace_nodes, states_of
from hwrnn.ir.exact import quantise
from hwrnn.ir.rounding import FROM_QONNX
from hwrnn.ir.types import of_bits

Key = tuple[int, str]
Floats = NDArray[np.float64]
MOST_SAMPLES = 200_000  # of a tensor; enough for any percentile that makes sense


def scans(graph: GraphProto) -> list[NodeProto]:
    """The Scans of the outer graph, in order."""
    return [node for node in graph.node if node.op_type == "Scan"]


def observe(model: ModelProto, data: Sequence[Feed]) -> dict[Key, Floats]:
    """The values of every floating tensor on all data, flattened. Raises DataError, ImportFault."""
    tapped = ModelProto.FromString(model.SerializeToString())
    without_quantisers(tapped.graph)
    where = add_taps(tapped.graph)
    try:
        engine = ReferenceEvaluator(tapped)
    except Exception as fault:
        raise ImportFault(
            "model",
            f"cannot be run for calibration: {said(fault)}",
            "check that onnx.reference runs it",
        ) from fault
    seen: dict[Key, list[Floats]] = {}
    for feed in data:
        try:
            found = engine.run(None, feed, intermediate=True)
        except Exception as fault:
            shapes = " and ".join(str(array.shape) for array in feed.values())
            fact = f"the model fails on {shapes}: {said(fault)}"
            hint = "pass what the model takes; onnx.reference has to run it"
            raise DataError("calibration", fact, hint) from fault
        for name, value in dict(found).items():
            key = where.get(name, (0, name))
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                seen.setdefault(key, []).append(thinned(value))
    return {key: np.concatenate(parts) for key, parts in seen.items()}


def said(fault: Exception) -> str:
    """What an engine says, shortened."""
    return f"{type(fault).__name__}: {shorten(str(fault), 120)}"


def thinned(value: NDArray[np.generic]) -> Floats:
    """Flattened; of very many numbers a regular selection, the extremes among them."""
    flat = value.reshape(-1).astype(np.float64)
    if flat.size <= MOST_SAMPLES:
        return flat
    step = -(-flat.size // MOST_SAMPLES)
    return np.concatenate([flat[::step], [flat.min(), flat.max()]])


def add_taps(graph: GraphProto) -> dict[str, Key]:
    """Make every tensor of a body an output of its Scan; the new names, and whose they are."""
    where: dict[str, Key] = {}
    for k, scan in enumerate(scans(graph), 1):
        body = body_of(scan)
        states = states_of(scan)
        made = [name for node in body.node for name in node.output if name]
        ports = [port.name for port in body.input[states:]]
        for name in [*made, *ports]:
            label = f"(tap){k}/{name}"
            inside = f"{label}/in"
            body.node.append(helper.make_node("Identity", [name], [inside], name=inside))
            body.output.append(helper.make_tensor_value_info(inside, TensorProto.FLOAT, None))
            scan.output.append(label)
            where[label] = (k, name)
    return where


def without_quantisers(graph: GraphProto) -> None:
    """Constants behind a Quant become their numbers, a Quant of anything else the identity."""
    known = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    bypass_quantisers(graph, known)


def bypass_quantisers(graph: GraphProto, outer: dict[str, NDArray[np.generic]]) -> None:
    """The same for a graph inside of one whose constants are `outer`."""
    known = outer | {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "Scan":
            bypass_quantisers(body_of(node), known)
        if node.domain != QONNX_DOMAIN or node.op_type != "Quant":
            nodes.append(node)
        elif node.input[0] in known:
            value = quantised(node, known)
            known[node.output[0]] = value
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        else:
            nodes.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
    replace_nodes(graph, nodes)


def quantised(node: NodeProto, known: dict[str, NDArray[np.generic]]) -> NDArray[np.float32]:
    """The numbers that a Quant makes of a constant."""
    value, scale, zero, bits = (known[name].astype(np.float64) for name in node.input)
    options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    t = of_bits(
        int(bits.reshape(-1)[0]),
        signed=bool(options.get("signed", 1)),
        narrow=bool(options.get("narrow", 0)),
    )
    mode = options.get("rounding_mode", b"ROUND").decode().upper()
    q = quantise(value, scale, t, FROM_QONNX[mode], zero) - zero
    return np.asarray(q * scale, np.float32)
