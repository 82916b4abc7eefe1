# SPDX-License-Identifier: Apache-2.0
"""Matrix products: sums of them that share their operands become one BLAS call a step.

All partial sums of a row, in whatever order BLAS forms them, are at most the sum of |w| * |x|.
Below 2**24 (2**53) float32 (float64) is exact. Where there is room left, constants of the
requantiser behind a product go into it, by a row of ones under the operand: all of them (weights
times mul / 2**shift, and the offset), so that the product yields the number that is to be rounded;
or the whole part of the offset, which leaves the same line to all channels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np

from hwrnn.cmodel.carriers import LONG, Array, Call, Dtype, Ints, Room, exact_float, magnitude
from hwrnn.ir import Add, AnyOp, IntType, MatVec, Requant, ScaleShift, Sub, Ties, Value

Terms = dict[str, Ints]
MAX_SHIFT = 64  # what a float's exponent takes with ease


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """out = the sum of terms[x] @ x over all x.

    With `scale` the value that the scale rounds; with `shift` the sum plus that.
    """

    out: Value
    terms: Terms
    dtype: Dtype
    reader: Requant | None = None  # if it alone reads the value
    scale: ScaleShift | None = None
    shift: tuple[int, ...] | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """What it reads, in one order for all products."""
        return tuple(sorted(self.terms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemm:
    """One call of BLAS: `matrix` times the sources, stacked, and a row of ones if it is wider.

    Exact in the type of `matrix`. The operand's rows are the arrays of `adopted`, ports that
    nothing else reads; the other sources are copied there.
    """

    products: tuple[Product, ...]
    sources: tuple[Value, ...]
    matrix: Array
    adopted: frozenset[str] = frozenset()

    def bind(self, room: Room) -> list[Call]:
        """The calls that fill the products' arrays."""
        dtype, first = self.matrix.dtype, self.products[0].out
        operand = np.ones(room.shape(first, self.matrix.shape[1]), dtype)
        result = np.empty(room.shape(first, self.matrix.shape[0]), dtype)
        calls: list[Call] = []
        row = 0
        for v in self.sources:
            rows = operand[..., row : row + v.size, :]
            if v.name in self.adopted:
                room.values[v.name] = rows
            else:
                calls.append(partial(np.copyto, rows, room.values[v.name], "unsafe"))
            row += v.size
        row = 0
        for p in self.products:
            room.values[p.out.name] = result[..., row : row + p.out.size, :]
            row += p.out.size
        return [*calls, partial(np.matmul, self.matrix, operand, result)]


def find_products(
    ops: Sequence[AnyOp], types: Mapping[str, IntType], kept: Iterable[str]
) -> tuple[dict[str, Product], set[str]]:
    """The products to compute, by the name of their value, and the values that are parts of one.

    `kept` are read from outside.
    """
    reads = Counter(name for op in ops for name in op.operands())
    once = {name for name, n in reads.items() if n == 1} - set(kept)
    found: dict[str, tuple[Value, Terms]] = {}
    absorbed: set[str] = set()
    for op in ops:
        if isinstance(op, MatVec):
            found[op.out.name] = op.out, {op.x: op.weights.array}
        elif isinstance(op, Add | Sub) and {op.a, op.b} <= once & found.keys():
            sign = 1 if isinstance(op, Add) else -1
            both = found.pop(op.a)[1], found.pop(op.b)[1]
            found[op.out.name] = op.out, merged(*both, sign)
            absorbed |= {op.a, op.b}
    readers = {op.x: op for op in ops if isinstance(op, Requant) and op.x in once}
    made = {n: product(out, terms, types, readers.get(n)) for n, (out, terms) in found.items()}
    return made, absorbed


def merged(a: Terms, b: Terms, sign: int) -> Terms:
    """The terms of a + sign * b."""
    made = dict(a)
    for name, weights in b.items():
        made[name] = made[name] + sign * weights if name in made else sign * weights
    return made


def product(
    out: Value, terms: Terms, types: Mapping[str, IntType], reader: Requant | None
) -> Product:
    """In the narrowest exact type, with the reader's constants if they fit that type, too."""
    sums = [0] * out.size
    for name, weights in terms.items():
        most = magnitude(types[name])
        sums = [s + most * w for s, w in zip(sums, row_sums(weights), strict=True)]
    dtype = exact_float(max(sums))
    plain = Product(out=out, terms=terms, dtype=dtype or LONG, reader=reader)
    scale = reader.realised if reader else None
    if dtype is None or not isinstance(scale, ScaleShift) or scale.shift > MAX_SHIFT:
        return plain
    mul, add = spread(scale.mul, out.size), spread(rounded_add(scale), out.size)
    reach = max(m * s + abs(a) for m, s, a in zip(mul, sums, add, strict=True))
    if exact_float(reach) == dtype:
        return replace(plain, scale=scale)
    whole = tuple(
        round(Fraction(a, m)) for a, m in zip(half_add(scale, out.size), mul, strict=True)
    )
    reach = max(s + abs(w) for s, w in zip(sums, whole, strict=True))
    return replace(plain, shift=whole) if exact_float(reach) == dtype else plain


def row_sums(weights: Ints) -> list[int]:
    """The sum of the absolute values of each row, in Python integers."""
    return [sum(map(abs, row)) for row in weights.tolist()]


def spread(values: tuple[int, ...], size: int) -> tuple[int, ...]:
    """One entry for each element."""
    return values * size if len(values) == 1 else values


def rounded_add(scale: ScaleShift) -> tuple[int, ...]:
    """`add` as it goes into the product: rint(t - 1/2) does the floor with ties to even."""
    half = 1 << (scale.shift - 1) if scale.ties is Ties.EVEN and scale.shift else 0
    return tuple(a - half for a in scale.add)


def half_add(scale: ScaleShift, size: int) -> tuple[Fraction, ...]:
    """`add` for a rounding to the nearest integer, in the unit of `mul`."""
    return tuple(a - Fraction(1 << scale.shift, 2) for a in spread(scale.add, size))


def stacks(products: Iterable[Product], types: Mapping[str, Value]) -> list[Gemm]:
    """Products of the same sources in the same type, stacked."""
    groups: dict[tuple[tuple[str, ...], Dtype, bool], list[Product]] = {}
    for p in products:
        groups.setdefault((p.sources, p.dtype, p.out.sequence), []).append(p)
    return [stacked(tuple(group), types) for group in groups.values()]


def stacked(group: tuple[Product, ...], types: Mapping[str, Value]) -> Gemm:
    """One matrix for all products of the group."""
    ones = any(p.scale or p.shift for p in group)
    blocks = [block(p, ones) for p in group]
    return Gemm(
        products=group,
        sources=tuple(types[name] for name in group[0].sources),
        matrix=np.ascontiguousarray(np.concatenate(blocks)),
    )


def block(p: Product, ones: bool) -> Array:
    """The rows of one product; the last column meets the row of ones."""
    columns = [p.terms[name].astype(p.dtype) for name in p.sources]
    rows = np.concatenate(columns, axis=1)
    if p.scale is not None:
        unit = 0.5**p.scale.shift
        mul = np.array([m * unit for m in p.scale.mul], p.dtype)
        last = np.array([a * unit for a in spread(rounded_add(p.scale), p.out.size)], p.dtype)
        return np.concatenate([rows * mul[:, None], last[:, None]], axis=1)
    if p.shift is not None:
        return np.concatenate([rows, np.array(p.shift, p.dtype)[:, None]], axis=1)
    return np.pad(rows, ((0, 0), (0, int(ones))))
