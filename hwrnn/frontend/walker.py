# SPDX-License-Identifier: Apache-2.0
"""The walk over a lowered QONNX graph: finds, makes and names things, and refuses in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NoReturn

import numpy as np
from onnx import GraphProto, NodeProto, ValueInfoProto, helper, numpy_helper

from hwrnn.errors import ImportFault, shorten
from hwrnn.frontend.cell_nodes import QONNX_DOMAIN
from hwrnn.frontend.constants import FloatConst
from hwrnn.frontend.names import Namer, tensor_wish
from hwrnn.frontend.ports import features, input_axes, state_axes
from hwrnn.frontend.symbols import (
    ZERO,
    Function,
    Levels,
    RawInput,
    RawState,
    Real,
    ShapeOf,
    Stacked,
    Symbol,
    merged,
    spread,
)
from hwrnn.ir import (
    AnyOp,
    Concat,
    Input,
    IntType,
    Output,
    OutputGrid,
    Quantiser,
    Rationals,
    Requant,
    Slice,
    Value,
)

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

    def read_constants(self, graph: GraphProto) -> None:
        """Every initialiser as a float constant."""
        for tensor in graph.initializer:
            found = numpy_helper.to_array(tensor)
            self.symbols[tensor.name] = FloatConst(found.astype(np.float64), found.dtype.name)

    def read_inputs(self, graph: GraphProto) -> None:
        """Every graph input as real numbers with named axes."""
        for port in graph.input:
            if leads_to_state(graph, port.name):
                self.read_state(graph, port)
                continue
            axes = input_axes(graph, port)
            if not axes:
                dims = port.type.tensor_type.shape.dim
                self.fault(
                    f'input "{shown(port.name)}"',
                    f"has {len(dims)} dimensions; a sequence input has batch, steps and features",
                    "export with an example of three dimensions, features last",
                )
            if any(isinstance(found, RawInput) for found in self.symbols.values()):
                self.fault(
                    f'input "{shown(port.name)}"',
                    "is a second sequence",
                    "make one input of both, their features side by side",
                )
            size = features(port, axes)
            self.symbols[port.name] = RawInput(port.name, axes, axes, size)

    def read_state(self, graph: GraphProto, port: ValueInfoProto) -> None:
        """A graph input that is an initial state: (batch, features), or one for each layer."""
        dims = [d.dim_value for d in port.type.tensor_type.shape.dim]
        place = f'input "{shown(port.name)}"'
        axes = state_axes(graph, port)
        sizes = [n for n, axis in zip(dims, axes, strict=False) if axis != "B"]
        if len(dims) not in (2, 3) or min(sizes) < 1:
            self.fault(
                place,
                f"is an initial state with {len(dims)} dimensions",
                "a state is (batch, units), or (layers * directions, batch, units)",
            )
        count = dims[axes.index("S")] if "S" in axes else 1
        found = state_quantisers(self, graph, port.name, count)
        known = next((q for q in found if q is not None), None)
        if known is None:
            self.fault(
                place,
                "is an initial state that no quantiser follows",
                "give the layer an io_quant and, if it is an LSTM, a cell_state_quant",
            )
        if any(
            q is not None and (q.type, q.rounding) != (known.type, known.rounding) for q in found
        ):
            self.fault(
                place,
                "holds states with quantisers of different bit widths",
                "give the layers one shared quantiser, or an input for each state",
            )
        q = stacked_quantiser([q or known for q in found], dims[-1])
        name = self.namer.fresh(port.name)
        v = Value(name=name, type=q.type, size=count * dims[-1])
        self.ops.append(Input(out=v, quantiser=q, axes=axes, stacked=count))
        states = []
        for k, own in enumerate(q or known for q in found):
            part = Value(name=self.namer.fresh(f"{name}_{k}"), type=q.type, size=dims[-1])
            if count > 1:
                self.ops.append(Slice(out=part, x=name, start=k * dims[-1]))
            states.append(Real(part if count > 1 else v, ("B", "F"), own.scale, own.offset))
        self.symbols[port.name] = RawState(port.name, axes, tuple(states))

    def finish(self, graph: GraphProto) -> None:
        """An Output op for every graph output."""
        for port in graph.output:
            real = found = self.symbols.get(port.name)
            stacked = 1
            if isinstance(found, Stacked):
                stacked = len(found.parts)
                real = self.joined(found, port.name)
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
            axes = real.axes
            if isinstance(found, Stacked) and stacked > 1:
                axes = (*axes[: found.axis], "S", *axes[found.axis + 1 :])
            op = Output(out=out, x=v.name, grid=grid, axes=axes, stacked=stacked)
            self.ops.append(op)

    def joined(self, stack: Stacked, wish: str) -> Real:
        """Stacked states as one vector, the features of one after those of the other."""
        parts = stack.parts
        t = parts[0].value.type
        for part in parts:
            t = t.hull(part.value.type)
        sizes = [part.value.size for part in parts]
        name, sequence = self.namer.fresh(f"{wish}_stacked"), parts[0].value.sequence
        v = Value(name=name, type=t, size=sum(sizes), sequence=sequence)
        self.ops.append(Concat(out=v, xs=tuple(part.value.name for part in parts)))
        scale, offset = (
            tuple(r for part, n in zip(parts, sizes, strict=True) for r in spread(values(part), n))
            for values in (scale_of, offset_of)
        )
        return Real(v, parts[0].axes, merged(scale), merged(offset))

    def find(self, name: str) -> Symbol | None:
        """The tensor of that name, here or outside."""
        if name in self.symbols:
            return self.symbols[name]
        return self.outer.find(name) if self.outer else None

    def symbol(self, node: NodeProto, index: int) -> Symbol:
        """What stands behind input `index` of the node."""
        found = self.find(node.input[index]) if index < len(node.input) else None
        if found is None:
            self.fault_at(
                node,
                f"its input {index} is nothing that can be followed",
                "export the module again with hwrnn.export",
            )
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
        if isinstance(found, RawInput | RawState):
            self.fault_at(
                node,
                "works on the input before it is quantised",
                "put a QuantIdentity in front of the first layer",
            )
        if isinstance(found, Stacked):
            self.fault_at(
                node,
                "works on several directions or layers at once",
                "take one of them, or merge them into the features",
            )
        if isinstance(found, Levels):
            self.fault_at(node, "works on integers", "put a DequantizeLinear in front of it")
        if not isinstance(found, Real):
            self.fault_at(
                node,
                f"its input {index} is a constant where an activation is expected",
                "compute constants before the export",
            )
        if found.function is Function.RELU:
            found = self.settled(found)
            self.symbols[node.input[index]] = found
        if found.function is not None:
            self.fault_at(
                node,
                f"works on a {found.function.value} that no quantiser follows",
                "give the activation an output quantiser",
            )
        return found

    def settled(self, x: Real) -> Real:
        """A ReLU without a quantiser stays on the grid of its operand, if that holds 0."""
        size = x.value.size
        pairs = zip(spread(x.offset, size), spread(x.scale, size), strict=True)
        offset = merged(tuple(o / s for o, s in pairs))
        if any(n.denominator != 1 for n in offset):
            return x
        high = max(x.value.type.hi + int(max(offset)), 0)
        name = self.namer.fresh(f"{x.value.name}_relu")
        out = replace(x.value, name=name, type=IntType(0, high))
        ratio = (Fraction(1),)
        self.ops.append(Requant(out=out, x=x.value.name, ratio=ratio, offset=offset))
        return replace(x, value=out, offset=ZERO, function=None)

    def floats(self, node: NodeProto, index: int) -> np.ndarray:
        """Input `index` as a constant array of floats."""
        found = self.symbol(node, index)
        if not isinstance(found, FloatConst):
            self.fault_at(
                node,
                f"its input {index} is not a constant",
                "make it a constant (an initialiser) of the file",
            )
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


def scale_of(x: Real) -> Rationals:
    """The scale of an activation."""
    return x.scale


def offset_of(x: Real) -> Rationals:
    """The offset of an activation."""
    return x.offset


def leads_to_state(graph: GraphProto, port: str) -> bool:
    """Whether a graph input becomes the initial state of a Scan, not a sequence."""
    held = {port}
    for node in graph.node:
        at = [k for k, name in enumerate(node.input) if name in held]
        if not at:
            continue
        if node.op_type == "Scan":
            return at[0] < len(node.input) - int_attribute(node, "num_scan_inputs", 1)
        if node.op_type in (*MOVES, "Quant") and at == [0]:
            held.update(node.output)
    return False


def state_quantisers(w: Walker, graph: GraphProto, port: str, count: int) -> list[Quantiser | None]:
    """The quantiser of each of the states that are stacked in a graph input."""
    from hwrnn.frontend.nodes_quant import quantiser_of  # which needs Walker

    found: list[Quantiser | None] = [None] * count
    held: dict[str, list[int]] = {port: list(range(count))}
    for node in graph.node:
        if not node.input or node.input[0] not in held:
            continue
        parts = held[node.input[0]]
        if node.op_type == "Gather" and len(parts) > 1:
            index = w.integers(node, 1)
            parts = [parts[k] for k in index if -count <= k < count]
        if node.op_type == "Quant":
            for k in parts:
                found[k] = quantiser_of(w, node)
        elif node.op_type in MOVES:
            held[node.output[0]] = parts
    return found


def stacked_quantiser(parts: Sequence[Quantiser], size: int) -> Quantiser:
    """One quantiser of those of several states, with a scale for each feature if they differ."""
    if len(set(parts)) == 1:
        return parts[0]
    scale = tuple(s for q in parts for s in spread(q.scale, size))
    zero = tuple(z for q in parts for z in (q.zero_point * size)[:size])
    return replace(parts[0], scale=scale, zero_point=zero)


MOVES = ("Gather", "Squeeze", "Unsqueeze", "Identity", "Slice")

Handler = Callable[[Walker, NodeProto], None]
