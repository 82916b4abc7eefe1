# SPDX-License-Identifier: Apache-2.0
"""Tables in hardware: cut to where they are not constant, counted, and refused if too large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwrnn.board import Board
from hwrnn.design.design import Datapath, Design, Engine, Kernel, Map
from hwrnn.errors import DesignError
from hwrnn.ir import AnyOp, Graph, IntType, Lut, Requant, walk
from hwrnn.transforms.realise import realise_requants

SMALL_BITS = 10  # a table with at most so many input bits is made of LUTs


def narrow_tables(g: Graph, twins: Mapping[str, str] | None = None) -> Graph:
    """Cut the saturated ends of each table, by a tighter clamp of the requantiser in front.

    The requantiser has to have no other reader, so that no value changes but that one. `twins`:
    values of an engine that two directions share; what is kept of their tables is the same.
    """
    uses = Counter(name for op in walk(g.ops) for name in op.operands())
    uses.update(s.next for op in g.scans for s in op.body.states)
    uses.update(o.body_value for op in g.scans for o in op.outs)
    makers = {op.out.name: op for op in walk(g.ops) if isinstance(op, Requant)}
    cuts = {
        op.x: middle(op.table, makers[op.x].out.type)
        for op in walk(g.ops)
        if isinstance(op, Lut) and op.x in makers and uses[op.x] == 1
    }
    for one, other in (twins or {}).items():
        if one in cuts and other in cuts:
            cuts[one] = cuts[other] = cuts[one].hull(cuts[other])
    g = g.rewrite(Requant, lambda op, _: clamped(op, cuts))
    g = g.rewrite(Lut, lambda op, _: cut(op, cuts, makers))
    return realise_requants(g).verify()


def middle(table: tuple[int, ...], x: IntType) -> IntType:
    """The inputs between the constant ends of a table, one of each end included; at least two."""
    low, high = 0, len(table) - 1
    while low < high - 1 and table[low + 1] == table[0]:
        low += 1
    while high > low + 1 and table[high - 1] == table[-1]:
        high -= 1
    return IntType(x.lo + low, x.lo + high)


def clamped(op: AnyOp, cuts: Mapping[str, IntType]) -> AnyOp:
    """The requantiser with the range that its table needs."""
    if not isinstance(op, Requant) or op.out.name not in cuts:
        return op
    return replace(op, out=replace(op.out, type=cuts[op.out.name]), realised=None)


def cut(op: AnyOp, cuts: Mapping[str, IntType], makers: Mapping[str, Requant]) -> AnyOp:
    """The table without its constant ends."""
    if not isinstance(op, Lut) or op.x not in cuts:
        return op
    first, kept = makers[op.x].out.type.lo, cuts[op.x]
    return replace(op, table=op.table[kept.lo - first : kept.hi - first + 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a datapath: how many copies of it, and its size."""

    name: str
    copies: int
    levels: int
    width: int

    @property
    def bits(self) -> int:
        """All copies together."""
        return self.copies * self.levels * self.width


def tables(design: Design) -> tuple[Table, ...]:
    """Every table of the design; each lane of a datapath has its own copy.

    A table that several hand-overs of an engine read is there once.
    """
    found: dict[tuple[str, str], Table] = {}
    for kernel in design.kernels:
        for path in paths_of(kernel):
            found |= {(kernel.name, t.name): t for t in tables_of(path)}
    return tuple(found.values())


def paths_of(kernel: Kernel) -> tuple[Datapath, ...]:
    """The datapaths of a kernel."""
    match kernel:
        case Engine():
            return tuple(h.datapath for cell in kernel.cells for h in cell.hands)
        case Map():
            return (kernel.datapath,)
        case _:
            return ()


def tables_of(path: Datapath) -> list[Table]:
    """The tables of one datapath."""
    return [
        Table(
            name=p.op.out.name, copies=path.lanes, levels=len(p.op.table), width=p.op.out.type.bits
        )
        for p in path.ops
        if isinstance(p.op, Lut)
    ]


def check_tables(design: Design) -> None:
    """Refuse tables that exceed the board's memory, with what they cost."""
    large = [t for t in tables(design) if t.levels > 2**SMALL_BITS]
    need = sum(t.bits for t in large)
    have = memory_bits(design.board)
    if need <= have:
        return
    worst = max(large, key=lambda t: t.bits)
    raise DesignError(
        f"board {design.board.name}",
        f"has {have} bits of memory; the tables need {need}, %{worst.name} alone {worst.bits} "
        f"({worst.copies} copies of {worst.levels} entries)",
        "use a smaller pe, fewer bits in front of sigmoid and tanh, or a larger board",
    )


def memory_bits(board: Board) -> int:
    """Memory blocks of all kinds."""
    return board.block_rams * board.block_ram_bits + board.urams * board.uram_bits
