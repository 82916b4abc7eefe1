# SPDX-License-Identifier: Apache-2.0
"""The kernels of what stands around the recurrence."""

from __future__ import annotations

from dataclasses import replace

from hwrnn.design.design import ArgMax, Combine, Embed, Joint, Repeat, Slide, Stream, Zip
from hwrnn.design.wiring import Wiring
from hwrnn.errors import DesignError
from hwrnn.ir import Add, AnyOp, IntType, Max, Mul, Reduce, Sub
from hwrnn.ir import ArgMax as ArgMaxOp
from hwrnn.ir import Embed as EmbedOp
from hwrnn.ir import Pool as PoolOp
from hwrnn.ir import Repeat as RepeatOp
from hwrnn.ir import Window as WindowOp


class AroundBuilder(Wiring):
    """Makes the kernels of every op that is neither a layer nor moves values about."""

    def around(self, op: AnyOp) -> None:
        """The kernels of an op that stands around the recurrence."""
        match op:
            case WindowOp():
                self.give(op.out, self.slide(op, self.lanes_of(op)))
            case PoolOp():
                windows = self.slide(op, self.lanes_of(op))
                self.combine(op, windows, windows.segments[: len(windows.segments) // op.size])
            case Reduce():
                x = self.take(op.x, op, self.lanes_of(op))
                self.combine(op, x, x.segments)
            case RepeatOp():
                self.repeat(op)
            case EmbedOp():
                self.embed(op)
            case ArgMaxOp():
                self.arg_max(op)
            case Add() | Sub() | Mul() | Max():
                self.pair(op)
            case _:
                raise DesignError(
                    f"%{op.out.name}",
                    f"a {type(op).__name__} between layers has no hardware yet",
                    "quantise and concatenate, or leave it out",
                )

    def lanes_of(self, op: AnyOp) -> int:
        """The lanes of an op that keeps vectors apart: those that its reader wants, if it can."""
        return min(self.wanted(op.out), self.graph.scope()[op.operands()[0]].size)

    def slide(self, op: WindowOp | PoolOp, lanes: int) -> Stream:
        """Windows, each a vector of all its steps."""
        x = self.take(op.x, op, lanes)
        padded = op.before or op.after
        out = replace(
            x,
            name=self.name(f"{op.out.name}_windows" if isinstance(op, PoolOp) else op.out.name),
            type=x.type.hull(IntType(op.fill, op.fill)) if padded else x.type,
            segments=x.segments * op.size,
            depth=2,
        )
        kernel = Slide(
            name=self.kernel_name(f"{op.out.name}_slide"),
            x=x,
            out=out,
            size=op.size,
            stride=op.stride,
            before=op.before,
            after=op.after,
            fill=op.fill,
        )
        self.kernels.append(kernel)
        return out

    def combine(self, op: PoolOp | Reduce, x: Stream, segments: tuple[int, ...]) -> None:
        """The vectors of a window, or of a sequence, as one."""
        out = replace(x, name=self.name(op.out.name), type=op.out.type, segments=segments, depth=2)
        kernel = Combine(
            name=self.kernel_name(f"{op.out.name}_combine"),
            x=x,
            out=out,
            how=op.how,
            count=op.size if isinstance(op, PoolOp) else None,
        )
        self.kernels.append(kernel)
        self.give(op.out, out)

    def repeat(self, op: RepeatOp) -> None:
        """A vector again and again."""
        x = self.take(op.x, op, self.lanes_of(op))
        out = replace(x, name=self.name(op.out.name), depth=2)
        name = self.kernel_name(f"{op.out.name}_repeat")
        self.kernels.append(Repeat(name=name, x=x, out=out, steps=op.steps))
        self.give(op.out, out)

    def embed(self, op: EmbedOp) -> None:
        """Rows of a table."""
        x = self.read(op.x, op)
        out = Stream(
            name=self.name(op.out.name),
            type=op.out.type,
            segments=(op.out.size,),
            lanes=self.wanted(op.out),
            depth=3,  # a read is written out a cycle later
            streams=x.streams,
        )
        name = self.kernel_name(f"{op.out.name}_embed")
        self.kernels.append(Embed(name=name, x=x, out=out, table=op.table))
        self.give(op.out, out)

    def pair(self, op: Add | Sub | Mul | Max) -> None:
        """Two vectors, element by element."""
        lanes = self.wanted(op.out)
        a, b = (self.contiguous(self.take(x, op, lanes)) for x in op.operands())
        out = replace(a, name=self.name(op.out.name), type=op.out.type, depth=2)
        name = self.kernel_name(f"{op.out.name}_pair")
        joint = Joint(type(op).__name__.lower())
        self.kernels.append(Zip(name=name, xs=(a, b), out=out, joint=joint))
        self.give(op.out, out)

    def arg_max(self, op: ArgMaxOp) -> None:
        """An element a beat; the order of the integers is that of the reals (`order_outputs`)."""
        x = self.contiguous(self.take(op.x, op, 1))
        out = replace(x, name=self.name(op.out.name), type=op.out.type, segments=(1,), depth=2)
        self.kernels.append(ArgMax(name=self.kernel_name(f"{op.out.name}_best"), x=x, out=out))
        self.give(op.out, out)
