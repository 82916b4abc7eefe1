# SPDX-License-Identifier: Apache-2.0
"""From the lowered QONNX graph to the integer graph: every tensor becomes integers and a grid.

The walk keeps, for each tensor, the exact rationals scale and offset with real = scale * q +
offset. Sums and products change only those; a `Quant` becomes a Requant (or a table, behind a
sigmoid or tanh): the one place where something rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NoReturn

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from hwrnn.errors import ImportFault
from hwrnn.frontend.constants import FloatConst, QuantConst, quantise_constant, rationals
from hwrnn.frontend.names import Namer, identifier, tensor_wish
from hwrnn.frontend.symbols import (
    ZERO,
    Function,
    RawInput,
    Real,
    ShapeOf,
    Symbol,
    combined,
    merged,
    spread,
)
from hwrnn.frontend.tables import Table, entries
from hwrnn.ir import (
    Add,
    AnyOp,
    Body,
    Concat,
    Const,
    Flatten,
    Graph,
    Input,
    IntMatrix,
    IntType,
    Lut,
    MatVec,
    Mul,
    Output,
    OutputGrid,
    Quantiser,
    Requant,
    Reverse,
    Scan,
    ScanOutput,
    Select,
    State,
    Step,
    Sub,
    Value,
)
from hwrnn.ir.rounding import FROM_QONNX
from hwrnn.ir.types import of_bits

MAX_TABLE_BITS = 16
MAX_INT_BITS = 62  # what int64 arithmetic holds


def integerise(model: ModelProto, name: str, example_steps: int | None = None) -> Graph:
    """The integer graph of a lowered model. Raises ImportFault naming the first node that has no
    exact integer form. `example_steps`: T of the example with which the model was exported."""
    graph = model.graph
    walker = Walker(name, Namer(), example_steps=example_steps)
    walker.read_constants(graph)
    walker.read_inputs(graph)
    for node in graph.node:
        walker.visit(node)
    walker.finish(graph)
    return Graph(name=identifier(name), ops=tuple(walker.ops))


@dataclass
class Walker:
    """The walk over one ONNX graph; a Scan's body has a walker of its own that sees the outer
    tensors."""

    file: str
    namer: Namer
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
            names = {"batch": "B", "steps": "T"}
            axes = tuple(names.get(d.dim_param, "F") for d in dims)
            if sorted(axes) != ["B", "F", "T"] or axes[-1] != "F":
                self.fault(
                    f'input "{port.name}"',
                    f"has {len(dims)} dimensions; a sequence input has batch, steps and features",
                    "export with an example of three dimensions, features last",
                )
            self.symbols[port.name] = RawInput(port.name, axes, axes, int(dims[-1].dim_value))

    def finish(self, graph: GraphProto) -> None:
        """An Output op for every graph output."""
        for port in graph.output:
            real = self.symbols.get(port.name)
            if not isinstance(real, Real):
                self.fault(f'output "{port.name}"', "does not depend on the input")
            if real.function is not None:
                self.fault(
                    f'output "{port.name}"',
                    f"comes straight from a {real.function.value}, whose values are not integers",
                    "put a quantiser behind it, or leave the function to the host",
                )
            v = real.value
            out = replace(v, name=self.namer.fresh("y" if len(graph.output) == 1 else port.name))
            grid = OutputGrid(scale=merged(real.scale), offset=merged(real.offset))
            axes = tuple("F" if a == "TF" else a for a in real.axes)
            self.ops.append(Output(out=out, x=v.name, grid=grid, axes=axes))

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
        self.fault(f'node "{name}" ({node.op_type})', fact, hint)

    # -- making ------------------------------------------------------------------------------

    def value(self, node: NodeProto, t: IntType, size: int, sequence: bool) -> Value:
        """A new value, named after the node's output."""
        if t.bits > MAX_INT_BITS:
            self.fault_at(
                node,
                f"its integers need {t.bits} bits; {MAX_INT_BITS} are the most",
                "use scales that are equal or powers of two, or fewer bits",
            )
        name = self.namer.fresh(tensor_wish(node.output[0], node.op_type))
        return Value(name=name, type=t, size=size, sequence=sequence)

    def emit(self, node: NodeProto, real: Real, op: AnyOp) -> Real:
        """Append an op and make its result the node's output."""
        self.ops.append(op)
        self.symbols[node.output[0]] = real
        return real

    def visit(self, node: NodeProto) -> None:
        """Turn one node into ops, or refuse it by name."""
        handler = HANDLERS.get(node.op_type)
        if handler is None:
            self.fault_at(
                node,
                "is not an op that can be compiled",
                UNSUPPORTED.get(node.op_type, "leave it out of the exported module"),
            )
        if any(isinstance(self.find(name), ShapeOf) for name in node.input):
            handler = shape_arithmetic
        handler(self, node)


def attributes(node: NodeProto) -> dict[str, object]:
    """The node's attributes as Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def int_attribute(node: NodeProto, name: str, default: int) -> int:
    """An integer attribute."""
    found = attributes(node).get(name, default)
    return int(found) if isinstance(found, int) else default


# -- quantisers ----------------------------------------------------------------------------------


def quantiser_of(w: Walker, node: NodeProto) -> Quantiser:
    """The parameters of a Quant node, with zero point 0."""
    scale, zero, bits = (w.floats(node, k) for k in (1, 2, 3))
    if np.any(zero != 0):
        w.fault_at(node, "has a zero point other than 0", "use a symmetric quantiser")
    known = attributes(node)
    mode = known.get("rounding_mode", b"ROUND")
    name = mode.decode() if isinstance(mode, bytes) else str(mode)
    if name.upper() not in FROM_QONNX:
        w.fault_at(
            node, f'has the unknown rounding mode "{name}"', f"known: {', '.join(FROM_QONNX)}"
        )
    t = of_bits(
        int(bits.reshape(-1)[0]),
        signed=bool(int_attribute(node, "signed", 1)),
        narrow=bool(int_attribute(node, "narrow", 0)),
    )
    return Quantiser(scale=rationals(scale), type=t, rounding=FROM_QONNX[name.upper()])


def quant(w: Walker, node: NodeProto) -> None:
    """Quant: of a constant, of the input, of an activation, or of a function of one."""
    x, q = w.symbol(node, 0), quantiser_of(w, node)
    if isinstance(x, FloatConst):
        scale = w.floats(node, 1)
        w.symbols[node.output[0]] = quantise_constant(x.array, scale, q.type, q.rounding)
    elif isinstance(x, RawInput):
        quant_input(w, node, x, q)
    elif isinstance(x, Real) and x.function in (Function.SIGMOID, Function.TANH):
        quant_table(w, node, x, q)
    elif isinstance(x, Real):
        quant_activation(w, node, x, q)
    elif isinstance(x, QuantConst):
        w.fault_at(node, "quantises a constant that is quantised already")


def quant_input(w: Walker, node: NodeProto, x: RawInput, q: Quantiser) -> None:
    """The first Quant belongs to the host: it makes the Input op."""
    known = w.quantisers.setdefault(x.name, q)
    if known != q:
        w.fault_at(
            node,
            f'quantises the input "{x.name}" in another way than a node before it',
            "put one QuantIdentity in front of everything that reads the input",
        )
    name = f"__input_{x.name}"
    found = w.symbols.get(name)
    if not isinstance(found, Real):
        v = Value(name=w.namer.fresh(x.name), type=q.type, size=x.size, sequence="T" in x.axes)
        found = Real(v, x.own, q.scale)
        w.symbols[name] = found
        w.ops.append(Input(out=v, quantiser=q, axes=x.own, example_steps=w.example_steps))
    w.symbols[node.output[0]] = replace(found, axes=x.axes)


def quant_activation(w: Walker, node: NodeProto, x: Real, q: Quantiser) -> None:
    """ratio * x + offset, rounded once; a ReLU in front cuts the range at 0."""
    t = q.type
    if x.function is Function.RELU:
        t = IntType(max(t.lo, 0), max(t.hi, 0))
    inverse = tuple(1 / s for s in q.scale)
    size = x.value.size
    if len(inverse) not in (1, size):
        w.fault_at(node, f"has {len(inverse)} scales for {size} features")
    out = w.value(node, t, size, x.value.sequence)
    op = Requant(
        out=out,
        x=x.value.name,
        ratio=combined(x.scale, inverse, size, times=True),
        offset=combined(x.offset, inverse, size, times=True),
        rounding=q.rounding,
    )
    w.emit(node, Real(out, x.axes, q.scale), op)


def quant_table(w: Walker, node: NodeProto, x: Real, q: Quantiser) -> None:
    """A sigmoid or tanh and its quantiser become one table."""
    function = x.function
    assert function is not None
    if x.value.type.bits > MAX_TABLE_BITS:
        w.fault_at(
            node,
            f"would need a table with {x.value.type.bits} input bits; {MAX_TABLE_BITS} are the most",
            f"quantise the value in front of the {function.value}",
        )
    if len(merged(x.scale)) + len(merged(x.offset)) + len(q.scale) > 3:
        w.fault_at(node, "has a scale for each channel around a table", "use one scale")
    table = Table(
        function.value, x.value.type, x.scale[0], x.offset[0], q.type, q.scale[0], q.rounding
    )
    out = w.value(node, q.type, x.value.size, x.value.sequence)
    op = Lut(out=out, x=x.value.name, table=entries(table))
    w.emit(node, Real(out, x.axes, q.scale), op)


def function_node(w: Walker, node: NodeProto) -> None:
    """Relu, Sigmoid, Tanh: they wait for the Quant behind them."""
    x = w.real(node, 0)
    w.symbols[node.output[0]] = replace(x, function=Function(node.op_type.lower()))


# -- arithmetic ----------------------------------------------------------------------------------


def matmul(w: Walker, node: NodeProto) -> None:
    """MatMul(activation, weights)."""
    product(w, node, transposed=False)


def gemm(w: Walker, node: NodeProto) -> None:
    """Gemm(activation, weights, bias)."""
    known = attributes(node)
    if known.get("alpha", 1.0) != 1.0 or known.get("beta", 1.0) != 1.0 or known.get("transA", 0):
        w.fault_at(node, "has alpha, beta or transA set", "use a linear layer")
    product(w, node, transposed=bool(known.get("transB", 0)))
    if len(node.input) > 2 and node.input[2]:
        made = w.symbols[node.output[0]]
        assert isinstance(made, Real)
        w.symbols[node.output[0]] = shifted(w, node, made, w.symbol(node, 2))


def product(w: Walker, node: NodeProto, *, transposed: bool) -> None:
    """A MatVec; the weights are columns x rows, or rows x columns when `transposed`."""
    x, weights = w.real(node, 0), w.symbol(node, 1)
    if not isinstance(weights, QuantConst):
        w.fault_at(node, "its weights are not quantised", "give the layer a weight quantiser")
    if weights.q.ndim != 2 or x.axes[-1] not in ("F", "TF"):
        w.fault_at(node, "is no product of features and a matrix")
    rows = weights.q if transposed else weights.q.T
    scale = np.broadcast_to(weights.scale, weights.q.shape)
    scale = scale if transposed else scale.T
    if np.any(scale != scale[:, :1]):
        w.fault_at(node, "its weights have a scale for each input", "use a scale for each output")
    x = flattened(w, node, x, rows.shape[1]) if x.axes[-1] == "TF" else x
    if rows.shape[1] != x.value.size:
        w.fault_at(node, f"its weights take {rows.shape[1]} features, its input has {x.value.size}")
    if any(o != 0 for o in x.offset) or len(merged(x.scale)) > 1:
        x = aligned(w, node, x)
    matrix = IntMatrix(rows)
    out = w.value(node, matrix.range_of_product(x.value.type), rows.shape[0], x.value.sequence)
    s_w = rationals(scale[:, 0])
    real = Real(out, x.axes, combined(s_w, x.scale, out.size, times=True))
    w.emit(node, real, MatVec(out=out, x=x.value.name, weights=matrix))


def aligned(w: Walker, node: NodeProto, x: Real) -> Real:
    """The same activation with one scale and no offset, or a refusal."""
    if any(o != 0 for o in x.offset):
        w.fault_at(
            node,
            "multiplies an activation that has a bias but no quantiser",
            "put a quantiser between the two layers",
        )
    w.fault_at(node, "its input has a scale for each feature", "use one scale for the activation")


def flattened(w: Walker, node: NodeProto, x: Real, columns: int) -> Real:
    """A sequence as one long vector; the weights tell how many steps it has."""
    steps, rest = divmod(columns, x.value.size)
    if rest or not steps:
        w.fault_at(node, f"takes {columns} features, not a multiple of {x.value.size}")
    name = w.namer.fresh(f"{x.value.name}_flat")
    out = Value(name=name, type=x.value.type, size=columns)
    w.ops.append(Flatten(out=out, x=x.value.name, steps=steps))
    scale = x.scale if len(x.scale) == 1 else x.scale * steps
    offset = x.offset if len(x.offset) == 1 else x.offset * steps
    return Real(out, ("B", "F"), scale, offset)


def exact_constant(w: Walker, node: NodeProto, c: Symbol, size: int) -> tuple[Fraction, ...]:
    """A constant operand as exact rationals: one, or one a feature."""
    if isinstance(c, QuantConst):
        scale = np.broadcast_to(c.scale, c.q.shape).reshape(-1)
        pairs = zip(c.q.reshape(-1), scale, strict=True)
        values = merged(tuple(int(q) * Fraction(float(s)) for q, s in pairs))
    elif isinstance(c, FloatConst):
        values = rationals(c.array)
    else:
        w.fault_at(node, "its operands are of kinds that do not go together")
    if len(values) not in (1, size):
        w.fault_at(node, f"adds {len(values)} constants to {size} features")
    return values


def shifted(w: Walker, node: NodeProto, x: Real, c: Symbol, sign: int = 1) -> Real:
    """x + c: an exact shift of the grid."""
    values = tuple(sign * v for v in exact_constant(w, node, c, x.value.size))
    return replace(x, offset=combined(x.offset, values, x.value.size, times=False))


def add(w: Walker, node: NodeProto) -> None:
    """Add: of a constant, or of two activations."""
    a, b = w.symbol(node, 0), w.symbol(node, 1)
    if isinstance(b, FloatConst | QuantConst):
        w.symbols[node.output[0]] = shifted(w, node, w.real(node, 0), b)
    elif isinstance(a, FloatConst | QuantConst):
        w.symbols[node.output[0]] = shifted(w, node, w.real(node, 1), a)
    else:
        sum_of(w, node, w.real(node, 0), w.real(node, 1), Add)


def sub(w: Walker, node: NodeProto) -> None:
    """Sub: of two activations; a constant first operand becomes a Const."""
    a, b = w.symbol(node, 0), w.symbol(node, 1)
    if isinstance(b, FloatConst | QuantConst):
        w.symbols[node.output[0]] = shifted(w, node, w.real(node, 0), b, sign=-1)
    elif isinstance(a, QuantConst):
        y = w.real(node, 1)
        sum_of(w, node, constant(w, node, a, y), y, Sub)
    else:
        sum_of(w, node, w.real(node, 0), w.real(node, 1), Sub)


def constant(w: Walker, node: NodeProto, c: QuantConst, like: Real) -> Real:
    """A quantised constant as a vector beside the activation `like`."""
    size = like.value.size
    q = tuple(int(v) for v in np.broadcast_to(c.q.reshape(-1), (size,)))
    t = IntType(min(q), max(q))
    name = w.namer.fresh(tensor_wish(node.output[0], node.op_type) + "_const")
    out = Value(name=name, type=t, size=size, sequence=like.value.sequence)
    w.ops.append(Const(out=out, values=q))
    return Real(out, like.axes, rationals(np.broadcast_to(c.scale, c.q.shape)))


def sum_of(w: Walker, node: NodeProto, a: Real, b: Real, kind: type[Add | Sub]) -> None:
    """a + b or a - b on the finest grid that holds both."""
    if a.value.size != b.value.size or a.value.sequence != b.value.sequence:
        w.fault_at(node, f"adds {a.value.size} and {b.value.size} features")
    size = a.value.size
    scale = common_scale(a.scale, b.scale, size)
    a, b = on_grid(w, node, a, scale), on_grid(w, node, b, scale)
    sign = 1 if kind is Add else -1
    ends = (a.value.type, b.value.type)
    t = IntType(
        ends[0].lo + (ends[1].lo if sign > 0 else -ends[1].hi),
        ends[0].hi + (ends[1].hi if sign > 0 else -ends[1].lo),
    )
    out = w.value(node, t, size, a.value.sequence)
    offset = combined(a.offset, tuple(sign * o for o in b.offset), size, times=False)
    op = kind(out=out, a=a.value.name, b=b.value.name)
    w.emit(node, Real(out, a.axes, scale, offset), op)


def common_scale(
    a: tuple[Fraction, ...], b: tuple[Fraction, ...], size: int
) -> tuple[Fraction, ...]:
    """The greatest scale of which both are whole multiples, channel by channel."""
    if a == b:
        return a
    pairs = zip(spread(a, size), spread(b, size), strict=True)
    return merged(tuple(_gcd(x, y) for x, y in pairs))


def _gcd(a: Fraction, b: Fraction) -> Fraction:
    while b:
        a, b = b, a % b
    return a


def on_grid(w: Walker, node: NodeProto, x: Real, scale: tuple[Fraction, ...]) -> Real:
    """x on a finer grid: its integers times a whole constant."""
    if x.scale == scale:
        return x
    size = x.value.size
    pairs = zip(spread(x.scale, size), spread(scale, size), strict=True)
    factor = tuple(int(a / b) for a, b in pairs)
    v, t = x.value, IntType(min(factor), max(factor))
    const = Value(name=w.namer.fresh(v.name + "_factor"), type=t, size=size, sequence=v.sequence)
    ends = [p * q for p in (v.type.lo, v.type.hi) for q in (t.lo, t.hi)]
    out = w.value(node, IntType(min(ends), max(ends)), size, v.sequence)
    w.ops += [Const(out=const, values=factor), Mul(out=out, a=v.name, b=const.name)]
    return replace(x, value=out, scale=scale)


def mul(w: Walker, node: NodeProto) -> None:
    """Mul: of two activations without an offset."""
    a, b = w.real(node, 0), w.real(node, 1)
    if any(o != 0 for o in (*a.offset, *b.offset)):
        w.fault_at(node, "multiplies a value that has a bias but no quantiser")
    if a.value.size != b.value.size:
        w.fault_at(node, f"multiplies {a.value.size} and {b.value.size} features")
    ends = [
        p * q
        for p in (a.value.type.lo, a.value.type.hi)
        for q in (b.value.type.lo, b.value.type.hi)
    ]
    out = w.value(node, IntType(min(ends), max(ends)), a.value.size, a.value.sequence)
    scale = combined(a.scale, b.scale, out.size, times=True)
    w.emit(node, Real(out, a.axes, scale), Mul(out=out, a=a.value.name, b=b.value.name))


# -- shapes --------------------------------------------------------------------------------------


def identity(w: Walker, node: NodeProto) -> None:
    """Identity, Dropout, Cast: the same tensor."""
    w.symbols[node.output[0]] = w.symbol(node, 0)


def shape_arithmetic(w: Walker, node: NodeProto) -> None:
    """Anything computed from shapes; an Expand of a constant to such a shape is the constant."""
    first = w.symbol(node, 0)
    if node.op_type == "Expand" and isinstance(first, FloatConst | QuantConst):
        w.symbols[node.output[0]] = first
    elif node.op_type == "Reshape" and isinstance(first, Real):
        reshape(w, node)
    else:
        w.symbols[node.output[0]] = ShapeOf()


def shape_of(w: Walker, node: NodeProto) -> None:
    """Shape."""
    w.symbols[node.output[0]] = ShapeOf()


def transpose(w: Walker, node: NodeProto) -> None:
    """Transpose: of a constant, or a new order of the axes."""
    x = w.symbol(node, 0)
    found = attributes(node).get("perm")
    perm = [int(p) for p in found] if isinstance(found, list) else None
    if isinstance(x, FloatConst):
        w.symbols[node.output[0]] = FloatConst(np.transpose(x.array, perm))
    elif isinstance(x, QuantConst):
        scale = np.broadcast_to(x.scale, x.q.shape)
        w.symbols[node.output[0]] = replace(
            x, q=np.transpose(x.q, perm), scale=np.transpose(scale, perm)
        )
    elif isinstance(x, RawInput | Real):
        order = perm or list(range(len(x.axes)))[::-1]
        w.symbols[node.output[0]] = replace(x, axes=tuple(x.axes[p] for p in order))
    else:
        w.symbols[node.output[0]] = ShapeOf()


def squeeze(w: Walker, node: NodeProto) -> None:
    """Squeeze: drops axes of length one."""
    x = w.real(node, 0)
    rank = len(x.axes)
    drop = axes_argument(w, node, rank) or [k for k, a in enumerate(x.axes) if a == "1"]
    if any(x.axes[k] != "1" for k in drop):
        w.fault_at(node, "squeezes an axis that is not of length one")
    kept = tuple(a for k, a in enumerate(x.axes) if k not in drop)
    w.symbols[node.output[0]] = replace(x, axes=kept)


def unsqueeze(w: Walker, node: NodeProto) -> None:
    """Unsqueeze: adds axes of length one."""
    x = w.real(node, 0)
    axes = list(x.axes)
    for k in sorted(axes_argument(w, node, len(axes) + 1)):
        axes.insert(k, "1")
    w.symbols[node.output[0]] = replace(x, axes=tuple(axes))


def axes_argument(w: Walker, node: NodeProto, rank: int) -> list[int]:
    """The `axes` of a node, as an input or an attribute, counted from the front."""
    if len(node.input) > 1 and node.input[1]:
        axes = w.integers(node, 1)
    else:
        found = attributes(node).get("axes", [])
        axes = [int(a) for a in found] if isinstance(found, list) else []
    return [a % rank for a in axes]


def gather(w: Walker, node: NodeProto) -> None:
    """Gather: the first or the last step."""
    x = w.real(node, 0)
    axis = int_attribute(node, "axis", 0) % len(x.axes)
    index = w.floats(node, 1)
    if index.ndim > 1 or index.size != 1:
        w.fault_at(node, "gathers more than one index", "select one step, or keep all")
    kept = () if index.ndim == 0 else ("1",)
    axes = x.axes[:axis] + kept + x.axes[axis + 1 :]
    if x.axes[axis] == "1" and int(index.reshape(-1)[0]) in (0, -1):
        w.symbols[node.output[0]] = replace(x, axes=axes)
        return
    step(w, node, x, axis, int(index.reshape(-1)[0]), axes)


def step(w: Walker, node: NodeProto, x: Real, axis: int, index: int, axes: tuple[str, ...]) -> None:
    """One step of a sequence: index 0 or -1, whatever the number of steps."""
    if x.axes[axis] != "T":
        w.fault_at(node, f"selects along the {AXIS_NAMES[x.axes[axis]]}", "select a time step")
    if index not in (0, -1):
        w.fault_at(
            node,
            f"takes step {index}, which fixes the number of steps",
            "take the first step [0] or the last [-1]",
        )
    v = x.value
    out = w.value(node, v.type, v.size, False)
    op = Select(out=out, x=v.name, step=Step.LAST if index else Step.FIRST)
    w.emit(node, Real(out, axes, x.scale, x.offset), op)


AXIS_NAMES = {"B": "batch", "T": "steps", "F": "features", "TF": "flattened steps", "1": "axis"}


def slice_node(w: Walker, node: NodeProto) -> None:
    """Slice: time reversed, the first or last step kept as an axis of one, or everything."""
    x = w.symbol(node, 0)
    if not isinstance(x, Real | RawInput):
        w.fault_at(node, "slices a constant")
    rank = len(x.axes)
    starts, ends = w.integers(node, 1), w.integers(node, 2)
    axes = w.integers(node, 3) if len(node.input) > 3 else list(range(len(starts)))
    steps = w.integers(node, 4) if len(node.input) > 4 else [1] * len(starts)
    moves = [
        m
        for m in zip(starts, ends, axes, steps, strict=True)
        if (m[0], m[3]) != (0, 1) or m[1] < BIG
    ]
    if not moves:
        w.symbols[node.output[0]] = x
        return
    (start, end, axis, stride), *more = moves
    where = axis % rank
    if more or x.axes[where] != "T":
        w.fault_at(node, "slices features or batch", "select a time step, or keep all")
    x = w.real(node, 0)
    if (start, stride) == (-1, -1) and end < -BIG:
        out = w.value(node, x.value.type, x.value.size, True)
        w.emit(node, replace(x, value=out), Reverse(out=out, x=x.value.name))
        return
    kept = x.axes[:where] + ("1",) + x.axes[where + 1 :]
    if stride == 1 and start == -1 and end >= BIG:
        step(w, node, x, where, -1, kept)
    elif stride == 1 and (start, end) == (0, 1):
        step(w, node, x, where, 0, kept)
    else:
        w.fault_at(node, f"takes steps {start} to {end}", "take the first, the last or all steps")


BIG = 2**31 - 1


def flatten(w: Walker, node: NodeProto) -> None:
    """Flatten: steps and features of each sequence become one vector."""
    x = w.real(node, 0)
    axis = int_attribute(node, "axis", 1)
    if x.axes == ("B", "F") and axis in (1, -1):
        w.symbols[node.output[0]] = x
        return
    if x.axes != ("B", "T", "F") or axis != 1:
        w.fault_at(node, "flattens other axes than steps and features of each sequence")
    w.symbols[node.output[0]] = replace(x, axes=("B", "TF"))


def reshape(w: Walker, node: NodeProto) -> None:
    """Reshape to (batch, everything else): a Flatten; anything else is refused."""
    x, target = w.real(node, 0), w.find(node.input[1])
    two = isinstance(target, ShapeOf) or (isinstance(target, FloatConst) and target.array.size == 2)
    if two and x.axes == ("B", "T", "F"):
        w.symbols[node.output[0]] = replace(x, axes=("B", "TF"))
    elif two and x.axes == ("B", "F"):
        w.symbols[node.output[0]] = x
    else:
        w.fault_at(
            node,
            f"reshapes the axes {', '.join(AXIS_NAMES[a] for a in x.axes)}",
            "flatten a batch-first sequence with flatten(1)",
        )


def concat(w: Walker, node: NodeProto) -> None:
    """Concat along the features: the two directions of a layer, or two branches."""
    reals = [w.real(node, k) for k in range(len(node.input))]
    first = reals[0]
    axis = int_attribute(node, "axis", 0) % len(first.axes)
    if first.axes[axis] != "F" or any(r.axes != first.axes for r in reals):
        w.fault_at(
            node,
            f"concatenates along the {AXIS_NAMES[first.axes[axis]]}",
            "concatenate features; for the last states use the last step of the sequence",
        )
    size = sum(r.value.size for r in reals)
    t = first.value.type
    for r in reals:
        t = t.hull(r.value.type)
    out = w.value(node, t, size, first.value.sequence)
    scale = merged(tuple(s for r in reals for s in spread(r.scale, r.value.size)))
    offset = merged(tuple(o for r in reals for o in spread(r.offset, r.value.size)))
    op = Concat(out=out, xs=tuple(r.value.name for r in reals))
    w.emit(node, Real(out, first.axes, scale, offset), op)


# -- the recurrence ------------------------------------------------------------------------------


def scan(w: Walker, node: NodeProto) -> None:
    """Scan: its body is walked once; every state lives on the grid of its next value."""
    known = attributes(node)
    body = known["body"]
    assert isinstance(body, GraphProto)
    n_scan = int_attribute(node, "num_scan_inputs", 1)
    n_states = len(node.input) - n_scan
    check_scan(w, node, known)
    inner = Walker(w.file, w.namer, outer=w)
    inner.read_constants(body)
    producers = {o: n for n in body.node for o in n.output}
    states = [state_port(inner, node, body, k, producers) for k in range(n_states)]
    xs = [scan_input(w, inner, node, body, n_states + k) for k in range(n_scan)]
    for inside in body.node:
        inner.visit(inside)
    made = [body_output(inner, node, body, k) for k in range(len(body.output))]
    finals = tuple(
        State(
            value=s.value,
            initial=initial_state(w, node, k, s),
            next=made[k].value.name,
        )
        for k, s in enumerate(states)
    )
    outs = scan_outputs(w, node, made, n_states, xs[0].axes)
    ports = tuple(
        inner_port.value
        for inner_port in (inner.symbols[p.name] for p in body.input[n_states:])
        if isinstance(inner_port, Real)
    )
    w.ops.append(
        Scan(
            xs=tuple(x.value.name for x in xs),
            body=Body(inputs=ports, states=finals, ops=tuple(inner.ops)),
            outs=tuple(o for o, _ in outs),
        )
    )
    final_states(w, node, made, outs, n_states)


def check_scan(w: Walker, node: NodeProto, known: dict[str, object]) -> None:
    """Only the plain form: axis 0, forwards. Reversal is a Slice around it."""
    for key, value in known.items():
        if key not in ("body", "num_scan_inputs") and isinstance(value, list) and any(value):
            w.fault_at(node, f"has {key} set", "scan axis 0 forwards; reverse with a Slice")


def state_port(
    inner: Walker, node: NodeProto, body: GraphProto, k: int, producers: dict[str, NodeProto]
) -> Real:
    """A state as the body reads it: on the grid of the Quant that makes its next value."""
    name = body.output[k].name
    while name in producers and producers[name].op_type == "Identity":
        name = producers[name].input[0]
    if name not in producers or producers[name].op_type != "Quant":
        inner.fault_at(node, f'its state "{body.input[k].name}" is not quantised')
    q = quantiser_of(inner, producers[name])
    size = state_size(inner, node, k)
    wish = tensor_wish(body.input[k].name, "state")
    v = Value(name=inner.namer.fresh(wish), type=q.type, size=size)
    real = Real(v, ("B", "F"), q.scale)
    inner.symbols[body.input[k].name] = real
    return real


def state_size(inner: Walker, node: NodeProto, k: int) -> int:
    """Elements of a state, from its initial value."""
    assert inner.outer is not None
    start = inner.outer.symbol(node, k)
    if isinstance(start, FloatConst | QuantConst):
        array = start.array if isinstance(start, FloatConst) else start.q
        return int(array.shape[-1])
    inner.fault_at(
        node,
        f"its initial state {k} is not a constant",
        "leave the initial states out; they are then zero",
    )


def initial_state(w: Walker, node: NodeProto, k: int, state: Real) -> tuple[int, ...]:
    """The initial value on the state's grid; it has to lie on it exactly."""
    size = state.value.size
    real = exact_constant(w, node, w.symbol(node, k), size)
    q = [v / s for v, s in zip(spread(real, size), spread(state.scale, size), strict=True)]
    t = state.value.type
    if any(v.denominator != 1 or not t.lo <= v <= t.hi for v in q):
        w.fault_at(node, f"its initial state {k} is not a number of the state's quantiser")
    return tuple(int(v) for v in q)


def scan_input(w: Walker, inner: Walker, node: NodeProto, body: GraphProto, k: int) -> Real:
    """A scanned sequence, and the port by which the body reads a step of it."""
    x = w.real(node, k)
    if x.axes != ("T", "B", "F"):
        w.fault_at(node, f"scans the axes {', '.join(AXIS_NAMES[a] for a in x.axes)}")
    port = body.input[k].name
    v = replace(x.value, name=w.namer.fresh(tensor_wish(port, "x")), sequence=False)
    inner.symbols[port] = replace(x, value=v, axes=("B", "F"))
    return x


def body_output(inner: Walker, node: NodeProto, body: GraphProto, k: int) -> Real:
    """What the body makes at output k."""
    found = inner.find(body.output[k].name)
    if not isinstance(found, Real) or found.function is not None:
        inner.fault_at(node, f'its body output "{body.output[k].name}" is not quantised')
    return found


Outs = list[tuple[ScanOutput, Real]]


def scan_outputs(
    w: Walker, node: NodeProto, made: list[Real], n_states: int, axes: tuple[str, ...]
) -> Outs:
    """A sequence for each scan output, and for each final state that has none yet."""
    outs: Outs = []
    for k, real in enumerate(made[n_states:]):
        name = node.output[n_states + k]
        outs.append(scan_output(w, tensor_wish(name, "Scan"), real, axes))
        w.symbols[name] = outs[-1][1]
    for k, real in enumerate(made[:n_states]):
        if node.output[k] and all(o.body_value != real.value.name for o, _ in outs):
            outs.append(scan_output(w, tensor_wish(node.output[k], "Scan"), real, axes))
    return outs


def scan_output(w: Walker, wish: str, real: Real, axes: tuple[str, ...]) -> tuple[ScanOutput, Real]:
    """The sequence of a body value."""
    v = replace(real.value, name=w.namer.fresh(wish), sequence=True)
    return ScanOutput(out=v, body_value=real.value.name), replace(real, value=v, axes=axes)


def final_states(w: Walker, node: NodeProto, made: list[Real], outs: Outs, n_states: int) -> None:
    """A final state is the last step of its sequence."""
    for k in range(n_states):
        if not node.output[k]:
            continue
        sequence = next(r for o, r in outs if o.body_value == made[k].value.name)
        v = replace(
            sequence.value, name=w.namer.fresh(f"{sequence.value.name}_last"), sequence=False
        )
        w.ops.append(Select(out=v, x=sequence.value.name, step=Step.LAST))
        w.symbols[node.output[k]] = replace(sequence, value=v, axes=("B", "F"))


Handler = Callable[[Walker, NodeProto], None]

HANDLERS: dict[str, Handler] = {
    "Add": add,
    "Cast": identity,
    "Concat": concat,
    "Dropout": identity,
    "Expand": shape_arithmetic,
    "Flatten": flatten,
    "Gather": gather,
    "Gemm": gemm,
    "Identity": identity,
    "MatMul": matmul,
    "Mul": mul,
    "Quant": quant,
    "Relu": function_node,
    "Reshape": reshape,
    "Scan": scan,
    "Shape": shape_of,
    "Sigmoid": function_node,
    "Slice": slice_node,
    "Squeeze": squeeze,
    "Sub": sub,
    "Tanh": function_node,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}

UNSUPPORTED = {
    "ArgMax": "export the network up to its last linear layer; hwrnn.run gives its real outputs",
    "LogSoftmax": "leave it to the host: it does not change the largest output",
    "Softmax": "leave it to the host: it does not change the largest output",
    "BatchNormalization": "fold it into the layer before it, then export again",
    "LayerNormalization": "it has no exact integer form; train without it",
    "Div": "multiply by a constant, or quantise",
}
