# SPDX-License-Identifier: Apache-2.0
"""Which value of the graph each call of a Brevitas module's quantisers is.

Each `Quant` of an activation in the lowered file is one point. Outside of a Scan points follow
the calls of the module's quantisers in order, and agree in scale and size; a call without a
point repeats the one before it (both directions of a layer quantise the same input) and is
skipped. The body of a Scan is one direction of one layer: its points are, in order, that layer's
calls of every step (of an LSTM: acc and activation of each gate, the cell state three times, its
tanh, the output). Step t of a reversed Scan is step t of the reversed sequence, in the module as
in the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

from hwrnn.errors import VerifyError
from hwrnn.frontend.integerise import integerise
from hwrnn.ir import AnyOp, Graph, Lut, Requant, Reverse, Rounding, Scan, walk
from hwrnn.ir.rounding import FROM_QONNX
from hwrnn.sim.module_record import Call, LayerCalls, Recording
from hwrnn.transforms.pipeline import run_pipeline
from hwrnn.transforms.realise import realise_requants

Ints = NDArray[np.int64]
Values = Mapping[str, Ints]
MOVES = {  # nodes that neither compute nor quantise
    "Cast",
    "Flatten",
    "Gather",
    "Identity",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """The sigmoid or tanh in front of a quantiser: the grids of its argument and its result."""

    function: str
    x_scale: Fraction
    scale: Fraction
    x_zero: int = 0
    zero: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """A value that a quantiser makes; `layer` is the Scan whose body it belongs to, or itself."""

    name: str
    layer: str
    scale: frozenset[float]
    rounding: Rounding
    curve: Curve | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One direction of one layer: the points of a step, in order."""

    scan: Scan
    points: tuple[Point, ...]
    reverse: bool


@dataclass(frozen=True, slots=True)
class Network:
    """A lowered file as integers, nothing moved or merged, and its points in order of time."""

    graph: Graph
    stages: tuple[Point | Cell, ...]

    def ops(self) -> dict[str, AnyOp]:
        """What makes each value, bodies included."""
        return {v.name: op for op in walk(self.graph.ops) for v in op.outputs()}


def follow(model: ModelProto, name: str) -> Network:
    """The points of a lowered file: each Quant of an activation is the Requant, Lut or Input at
    the same place of the graph; several that quantise the input are one Input.
    """
    graph = run_pipeline(integerise(model, name), passes=(realise_requants,))
    scans, ops = iter(graph.scans), iter(o for o in graph.ops if isinstance(o, Requant | Lut))
    reverses = {op.out.name for op in graph.ops if isinstance(op, Reverse)}
    nodes, ports = Nodes(model.graph), {port.name for port in model.graph.input}
    stages: list[Point | Cell] = []
    for node in model.graph.node:
        if node.op_type == "Scan":
            scan = next(scans)
            points = body_points(scan, Nodes(body_of(node), nodes))
            stages.append(Cell(scan, points, scan.xs[0] in reverses))
        elif nodes.quantises(node):
            first = nodes.unmoved(node.input[0]) in ports
            out = (graph.inputs[0] if first else next(ops)).out.name
            stages.append(nodes.point(node, out, out))
    return Network(graph, tuple(stages))


def body_points(scan: Scan, nodes: Nodes) -> tuple[Point, ...]:
    """The points of a step; each belongs to the Requant or Lut at the same place."""
    made = [n for n in nodes.graph.node if nodes.quantises(n)]
    ops = [op for op in scan.body.ops if isinstance(op, Requant | Lut)]
    return tuple(
        nodes.point(node, op.out.name, scan.out.name) for node, op in zip(made, ops, strict=True)
    )


class Nodes:
    """One ONNX graph: what makes each tensor, and which tensors are constant."""

    def __init__(self, graph: GraphProto, outer: Nodes | None = None) -> None:
        self.graph = graph
        self.tensors = {t.name: t for t in graph.initializer}
        self.makers = {name: node for node in graph.node for name in node.output}
        self.constant: set[str] = set(self.tensors) | (outer.constant if outer else set())
        for node in graph.node:
            if all(name in self.constant for name in node.input if name):
                self.constant.update(node.output)

    def quantises(self, node: NodeProto) -> bool:
        """Whether the node is the Quant of an activation."""
        return node.op_type == "Quant" and node.input[0] not in self.constant

    def unmoved(self, name: str) -> str:
        """The tensor of which `name` is a part, or another order."""
        node = self.makers.get(name)
        while node is not None and node.op_type in MOVES:
            name = node.input[0]
            node = self.makers.get(name)
        return name

    def scale(self, node: NodeProto) -> NDArray[np.float64]:
        """The scale of a Quant."""
        return self.tensor(node, 1)

    def tensor(self, node: NodeProto, index: int) -> NDArray[np.float64]:
        """A parameter of a Quant."""
        array = numpy_helper.to_array(self.tensors[node.input[index]])
        return np.asarray(array, np.float64).reshape(-1)

    def point(self, node: NodeProto, name: str, layer: str) -> Point:
        """The point of one Quant node."""
        scale = frozenset(self.scale(node).tolist())
        return Point(name, layer, scale, mode_of(node), self.curve(node))

    def curve(self, node: NodeProto) -> Curve | None:
        """The sigmoid or tanh in front of a Quant, if a Quant makes its argument."""
        source = self.makers.get(self.unmoved(node.input[0]))
        if source is None or source.op_type not in ("Sigmoid", "Tanh"):
            return None
        before = self.makers.get(self.unmoved(source.input[0]))
        if before is None or before.op_type != "Quant":
            return None
        x_scale, scale = (Fraction(float(self.scale(n)[0])) for n in (before, node))
        x_zero, zero = (int(self.tensor(n, 2)[0]) for n in (before, node))
        return Curve(source.op_type.lower(), x_scale, scale, x_zero, zero)


def body_of(node: NodeProto) -> GraphProto:
    """The body of a Scan node."""
    body: GraphProto = next(a.g for a in node.attribute if a.name == "body")
    return body


def mode_of(node: NodeProto) -> Rounding:
    """The rounding mode of a Quant."""
    modes = (a.s.decode() for a in node.attribute if a.name == "rounding_mode")
    return FROM_QONNX[next(modes, "ROUND").upper()]


def module_values(network: Network, recording: Recording, exact: Values) -> dict[str, Ints]:
    """The module's integers of each point, in the shape of the exact ones.

    Raises VerifyError for a module that is not the one of the file.
    """
    events = iter(unfolded(network, recording))
    found: dict[str, Ints] = {}
    for stage in network.stages:
        if isinstance(stage, Cell):
            layer = next(e for e in events if isinstance(e, LayerCalls))
            found |= cell_values(stage, layer)
        else:
            found[stage.name] = next_match(stage, exact[stage.name], events)
    return found


def unfolded(network: Network, recording: Recording) -> list[Call | LayerCalls]:
    """The events in order, what a layer quantises before its first step taken out of the layer."""
    cells = [s for s in network.stages if isinstance(s, Cell)]
    layers = [e for e in recording.events if isinstance(e, LayerCalls)]
    if len(cells) != len(layers):
        stranger(f"it has {len(layers)} recurrent layers and directions, the file {len(cells)}")
    waiting = iter(cells)
    events: list[Call | LayerCalls] = []
    for event in recording.events:
        if isinstance(event, LayerCalls):
            inside = event.steps * len(next(waiting).points)
            events += event.calls[:-inside]
            events.append(LayerCalls(event.steps, event.calls[-inside:]))
        else:
            events.append(event)
    return events


def cell_values(cell: Cell, layer: LayerCalls) -> dict[str, Ints]:
    """The calls of all steps, point by point."""
    n = len(cell.points)
    if len(layer.calls) != n * layer.steps:
        stranger(f"layer {cell.scan.out.name} makes {len(layer.calls)} values in all steps")
    for point, call in zip(cell.points, layer.calls, strict=False):
        if not same_scale(point, call):
            stranger(f"its scale of {point.name} is {call.scale.reshape(-1)[0]}")
    return {
        point.name: np.stack([call.integers for call in layer.calls[k::n]])
        for k, point in enumerate(cell.points)
    }


def next_match(point: Point, exact: Ints, events: Iterator[Call | LayerCalls]) -> Ints:
    """The next call with the point's scale and size, in the graph's order of axes."""
    for event in events:
        if isinstance(event, LayerCalls):
            break
        if same_scale(point, event) and event.value.size == exact.size:
            return like(event.integers, exact)
    return stranger(f"it has no quantiser for {point.name}")


def like(q: Ints, exact: Ints) -> Ints:
    """A tensor of the module in the shape of the exact values: (steps, batch, features), or
    (batch, features).

    The module has batch or steps first, or has flattened both. With as many steps as sequences
    its shape does not tell; then it is the order in which fewer values differ.
    """
    if exact.ndim == 2:
        return q.reshape(exact.shape)
    steps, batch, features = exact.shape
    steps_first = q.reshape(exact.shape)
    batch_first = q.reshape(batch, steps, features).transpose(1, 0, 2)
    if q.ndim == 3 and steps != batch:
        return steps_first if q.shape[0] == steps else batch_first
    if q.ndim == 2:
        return batch_first
    return min(batch_first, steps_first, key=lambda made: int((made != exact).sum()))


def same_scale(point: Point, call: Call) -> bool:
    """Whether the module's quantiser has the scale of the file's."""
    return frozenset(call.scale.reshape(-1).tolist()) == point.scale


def stranger(fact: str) -> NoReturn:
    """Refuse a module that is not the one of the file."""
    raise VerifyError("module", f"is not the one that was exported: {fact}", "export it again")
