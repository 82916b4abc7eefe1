# SPDX-License-Identifier: Apache-2.0
"""Which stream carries a value to whom, and in beats of how many lanes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from hwrnn.design.design import Dwc, Fork, Kernel, Stream
from hwrnn.design.folding import Fold
from hwrnn.design.options import Options
from hwrnn.design.rejoin import vectors_to_hold
from hwrnn.ir import AnyOp, Graph, MatVec, Output, Scan, Select, Step, Value
from hwrnn.ir import Concat as ConcatOp
from hwrnn.ir import Reverse as ReverseOp
from hwrnn.ir.steps import count_steps, fixed_steps


@dataclass
class Wiring:
    """Every value becomes a stream when its op has been met; each of its users has a copy."""

    graph: Graph
    folds: Mapping[str, Fold]
    max_steps: int | None
    options: Options
    kernels: list[Kernel] = field(default_factory=list)
    streams: dict[tuple[str, str], list[Stream]] = field(default_factory=dict)
    users: dict[str, list[AnyOp]] = field(default_factory=dict)
    kernel_names: Counter[str] = field(default_factory=Counter)
    stream_names: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for op in self.graph.ops:
            for name in op.operands():
                self.users.setdefault(name, []).append(op)

    @cached_property
    def longest(self) -> int:
        """Steps of the longest sequence in a design that holds whole ones, 0 in any other. What is
        repeated or padded may be longer than the longest input.
        """
        if self.max_steps is None:
            return 0
        steps = fixed_steps(self.graph) or self.max_steps
        return max(self.max_steps, *count_steps(self.graph, steps)[0].values())

    def name(self, wish: str) -> str:
        """A stream name that is not taken."""
        return numbered(self.stream_names, wish)

    def kernel_name(self, wish: str) -> str:
        """A kernel name that is not taken."""
        return numbered(self.kernel_names, wish)

    def give(self, value: Value, stream: Stream) -> None:
        """Make a stream the value; copies for all who read it."""
        users = self.users.get(value.name, [])
        if len(users) == 1:
            self.streams[value.name, users[0].out.name] = [stream]
            return
        outs = []
        for user in users:
            room = self.copy_room(user, users) * stream.beats
            outs.append(replace(stream, name=self.name(f"{stream.name}_to"), depth=2 + room))
        self.kernels.append(
            Fork(name=self.kernel_name(f"{value.name}_fork"), x=stream, outs=tuple(outs))
        )
        for user, out in zip(users, outs, strict=True):
            self.streams.setdefault((value.name, user.out.name), []).append(out)

    def copy_room(self, user: AnyOp, users: Sequence[AnyOp]) -> int:
        """Vectors that the copy of a value for `user` holds for the sake of the other users."""
        if isinstance(user, ReverseOp) or self.takes_all(user):
            return 0
        if any(isinstance(u, ReverseOp) for u in users):
            return self.longest
        others = [u for u in users if u is not user]
        return vectors_to_hold(self.graph, user, others, self.longest)

    def takes_all(self, user: AnyOp) -> bool:
        """True for a returned last step: what keeps it takes every step, whoever waits for whom."""
        last = isinstance(user, Select) and user.step is Step.LAST
        return last and len(self.graph.outputs) > 1

    def read(self, value: str, user: AnyOp) -> Stream:
        """The stream of a value that is meant for `user`."""
        return self.streams[value, user.out.name].pop()

    def whole_sequence(self, stream: Stream) -> int:
        """Beats of the longest sequence: what a branch beside a Reverse has to hold."""
        return self.longest * stream.beats

    def beside_reverse(self, value: Value) -> bool:
        """True when a value is concatenated with a reversed sequence, for which it has to wait."""
        made_by = {v.name: op for op in self.graph.ops for v in op.outputs()}
        return value.sequence and any(
            isinstance(user, ConcatOp) and any(isinstance(made_by[x], ReverseOp) for x in user.xs)
            for user in self.users.get(value.name, ())
        )

    def take(self, value: str, user: AnyOp, lanes: int) -> Stream:
        """The value's stream with beats of `lanes`, through a width converter if need be."""
        x = self.read(value, user)
        if x.lanes == lanes:
            return x
        out = replace(x, name=self.name(f"{value}_beats"), lanes=lanes, depth=2)
        self.kernels.append(Dwc(name=self.kernel_name(f"{value}_dwc"), x=x, out=out))
        return out

    def contiguous(self, x: Stream) -> Stream:
        """The stream as a port shows it: beats without holes but in the last."""
        if all(s % x.lanes == 0 for s in x.segments[:-1]):
            return replace(x, segments=(x.features,))
        out = replace(x, name=self.name(f"{x.name}_port"), segments=(x.features,), depth=2)
        self.kernels.append(Dwc(name=self.kernel_name(f"{x.name}_dwc"), x=x, out=out))
        return out

    def wanted(self, value: Value) -> int:
        """The lanes that the first reader of a value works with."""
        reader = self.users[value.name][0]
        if isinstance(reader, Scan) and value.name not in reader.xs:  # a state starts with it
            return min(self.folds[reader.out.name].pe, value.size)
        if isinstance(reader, Scan | MatVec):
            return min(self.folds[reader.out.name].simd, value.size)
        if isinstance(reader, Output):
            return min(value.size, 8)
        return min(self.wanted(reader.out), value.size)

    def as_vector(self, name: str) -> Value:
        """A value as a body reads it."""
        return replace(self.graph.scope()[name], sequence=False)


def numbered(taken: Counter[str], wish: str) -> str:
    """The wish, with a number behind it from the second time on."""
    taken[wish] += 1
    return wish if taken[wish] == 1 else f"{wish}n{taken[wish]}"
