# SPDX-License-Identifier: Apache-2.0
"""The walk over a lowered QONNX graph: finds, makes and names things, and refuses in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

import numpy as np
from onnx import GraphProto, NodeProto, helper, numpy_helper

from hwrnn.errors import ImportFault, shorten
from hwrnn.frontend.cell_nodes import QONNX_DOMAIN
from hwrnn.frontend.constants import FloatConst
from hwrnn.frontend.names import Namer, tensor_wish
from hwrnn.frontend.symbols import RawInput, Real, ShapeOf, Symbol, merged
from hwrnn.ir import AnyOp, IntType, Output, OutputGrid, Quantiser, Value

MAX_INT_BITS = 62  # what int64 arithmetic holds
OF_SHAPES = "(shape)"  # the handler of whatever is computed from shapes


@dataclass
class Walker:
    """The walk over one ONNX graph; a Scan's body has a walker of its own that sees the outer
    tensors.
    """

    file: str
    namer: Namer
    handlers: Mapping[str, Handler]
    hints: Mapping[str, str]
    outer: Walker | None = None
    example_steps: int | None = None
    symbols: dict[str, Symbol] = field(default_factory=dict)
    ops: list[AnyOp] = field(default_factory=list)
    quantisers: dict[str, Quantiser] = field(default_factory=dict)

    # -- reading -----------------------------------------------------------------------------

    def read_constants(self, graph: GraphProto) -> None:
        """Every initialiser as a float constant."""
        for tensor in graph.initializer:
            self.symbols[tensor.name] = FloatConst(numpy_helper.to_array(tensor).astype(np.float64))

    def read_inputs(self, graph: GraphProto) -> None:
        """Every graph input as real numbers with named axes."""
        for port in graph.input:
            dims = port.type.tensor_type.shape.dim
            if len(dims) != 3 or dims[2].dim_value < 1:
                self.fault(
                    f'input "{shown(port.name)}"',
                    f"has {len(dims)} dimensions; a sequence input has batch, steps and features",
                    "export with an example of three dimensions, features last",
                )
            axes = ("T", "B", "F") if time_axis(graph, port.name) == 0 else ("B", "T", "F")
            self.symbols[port.name] = RawInput(port.name, axes, axes, int(dims[2].dim_value))

    def finish(self, graph: GraphProto) -> None:
        """An Output op for every graph output."""
        for port in graph.output:
            real = self.symbols.get(port.name)
            if not isinstance(real, Real):
                self.fault(
                    f'output "{shown(port.name)}"',
                    "is no activation behind a quantiser",
                    "return what a quantised layer makes",
                )
            if real.function is not None:
                self.fault(
                    f'output "{shown(port.name)}"',
                    f"comes straight from a {real.function.value}, whose values are not integers",
                    "put a quantiser behind it, or leave the function to the host",
                )
            if "TF" in real.axes:
                self.fault(
                    f'output "{shown(port.name)}"',
                    "is a flattened sequence, whose length is that of the input",
                    "return the sequence itself, and flatten it on the host",
                )
            v = real.value
            out = replace(v, name=self.namer.fresh("y" if len(graph.output) == 1 else port.name))
            grid = OutputGrid(scale=merged(real.scale), offset=merged(real.offset))
            self.ops.append(Output(out=out, x=v.name, grid=grid, axes=real.axes))

    # -- looking up --------------------------------------------------------------------------

    def find(self, name: str) -> Symbol | None:
        """The tensor of that name, here or outside."""
        if name in self.symbols:
            return self.symbols[name]
        return self.outer.find(name) if self.outer else None

    def symbol(self, node: NodeProto, index: int) -> Symbol:
        """What stands behind input `index` of the node."""
        found = self.find(node.input[index]) if index < len(node.input) else None
        if found is None:
            self.fault_at(node, f"its input {index} is nothing that can be followed")
        if isinstance(found, RawInput | Real) and node.input[index] not in self.symbols:
            self.fault_at(
                node,
                f"its input {index} is an activation from outside of the scan",
                "make it an input of the scan",
            )
        return found

    def real(self, node: NodeProto, index: int) -> Real:
        """Input `index` as exact integers on a grid; anything else is refused in words."""
        found = self.symbol(node, index)
        if isinstance(found, RawInput):
            self.fault_at(
                node,
                "works on the input before it is quantised",
                "put a QuantIdentity in front of the first layer",
            )
        if not isinstance(found, Real):
            self.fault_at(node, f"its input {index} is a constant where an activation is expected")
        if found.function is not None:
            self.fault_at(
                node,
                f"works on a {found.function.value} that no quantiser follows",
                "give the activation an output quantiser",
            )
        return found

    def floats(self, node: NodeProto, index: int) -> np.ndarray:
        """Input `index` as a constant array of floats."""
        found = self.symbol(node, index)
        if not isinstance(found, FloatConst):
            self.fault_at(node, f"its input {index} is not a constant")
        return found.array

    def integers(self, node: NodeProto, index: int) -> list[int]:
        """Input `index` as a constant list of integers (axes, indices, a shape)."""
        return [int(v) for v in self.floats(node, index).reshape(-1)]

    def fault(self, place: str, fact: str, hint: str = "") -> NoReturn:
        """Refuse the model."""
        raise ImportFault(f"{self.file}: {place}", fact, hint)

    def fault_at(self, node: NodeProto, fact: str, hint: str = "") -> NoReturn:
        """Refuse the model because of one node."""
        name = node.name or (node.output[0] if node.output else "")
        self.fault(f'node "{shown(name)}" ({shown(node.op_type)})', fact, hint)

    # -- making ------------------------------------------------------------------------------

    def value(self, node: NodeProto, t: IntType, size: int, sequence: bool) -> Value:
        """A new value, named after the node, or after its output if the node has no name."""
        if t.bits > MAX_INT_BITS:
            self.fault_at(
                node,
                f"its integers need {t.bits} bits; {MAX_INT_BITS} are the most",
                "use scales that are equal or powers of two, or fewer bits",
            )
        name = self.namer.fresh(tensor_wish(node.name or node.output[0], node.op_type))
        return Value(name=name, type=t, size=size, sequence=sequence)

    def emit(self, node: NodeProto, real: Real, op: AnyOp) -> Real:
        """Append an op and make its result the node's output."""
        self.ops.append(op)
        self.symbols[node.output[0]] = real
        return real

    def visit(self, node: NodeProto) -> None:
        """Turn one node into ops, or refuse it by name."""
        if any(isinstance(self.find(name), ShapeOf) for name in node.input):
            self.handlers[OF_SHAPES](self, node)
            return
        handler = self.handlers.get(node.op_type)
        domain = QONNX_DOMAIN if node.op_type in ("Quant", "BipolarQuant") else ""
        if handler is None or node.domain.removeprefix("ai.onnx") != domain:
            self.fault_at(
                node,
                "is not an op that can be compiled",
                self.hints.get(node.op_type, "leave it out of the exported module"),
            )
        handler(self, node)


def shown(name: str) -> str:
    """A name of the file as a message may show it."""
    return shorten(name, 48)


def attributes(node: NodeProto) -> dict[str, object]:
    """The node's attributes as Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def int_attribute(node: NodeProto, name: str, default: int) -> int:
    """An integer attribute."""
    found = attributes(node).get(name, default)
    return int(found) if isinstance(found, int) else default


def time_axis(graph: GraphProto, port: str) -> int:
    """The dimension of a graph input along which the first Scan behind it goes; 1 if none does.

    Follows the tensor through ops that keep its dimensions, and through transpositions.
    """
    order: dict[str, tuple[int, ...]] = {port: (0, 1, 2)}
    for node in graph.node:
        held = next((order[name] for name in node.input if name in order), None)
        if held is None:
            continue
        if node.op_type == "Scan":
            return held[0]
        if node.op_type == "Transpose":
            perm = attributes(node).get("perm")
            held = tuple(held[int(p)] for p in perm) if isinstance(perm, list) else held[::-1]
        if node.op_type in KEEP_DIMENSIONS:
            order[node.output[0]] = held
    return 1


KEEP_DIMENSIONS = ("Quant", "Transpose", "Slice", "Relu", "MatMul", "Add", "Mul", "Identity", "Div")

Handler = Callable[[Walker, NodeProto], None]
