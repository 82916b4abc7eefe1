# SPDX-License-Identifier: Apache-2.0
"""Walks the integer graph and makes kernels joined by streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hwrnn.design.builder_ports import PortBuilder
from hwrnn.design.cell import ELEMENTWISE, Folded, compile_cell, place
from hwrnn.design.design import (
    Cell,
    Concat,
    Datapath,
    Engine,
    Interleave,
    Map,
    Result,
    Reverse,
    SelectStep,
    Separate,
    Start,
    Stream,
)
from hwrnn.design.directions import ALIKE, HINT, Pair, alike, pairs, unified
from hwrnn.design.folding import Fold
from hwrnn.design.options import Directions, Options
from hwrnn.errors import DesignError
from hwrnn.ir import (
    AnyOp,
    Body,
    Flatten,
    Graph,
    Input,
    MatVec,
    Output,
    Scan,
    Select,
    Step,
    Value,
)
from hwrnn.ir import Concat as ConcatOp
from hwrnn.ir import Reverse as ReverseOp
from hwrnn.ir import Slice as SliceOp


def in_groups(graph: Graph, options: Options) -> Iterator[tuple[AnyOp, ...]]:
    """The ops in an order of computation; two directions that share an engine are one group."""
    shared = () if options.directions is Directions.TWO else pairs(graph)
    partner = {p.forward.out.name: p.backward for p in shared}
    skipped = {p.backward.out.name for p in shared}
    waiting = [op for op in graph.ops if op.out.name not in skipped]
    known: set[str] = set()
    while waiting:
        for op in waiting:
            group = (op, partner[op.out.name]) if op.out.name in partner else (op,)
            if all(n in known for member in group for n in member.operands()):
                break
        waiting.remove(op)
        known.update(v.name for member in group for v in member.outputs())
        yield group


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What the engine of `op` computes: a body on the steps of `source`; `results` names the
    values of the body that go out.
    """

    op: AnyOp
    name: str
    source: str
    body: Body
    results: tuple[str, ...]
    fold: Fold
    emit: Step | None = None


@dataclass
class Builder(PortBuilder):
    """Walks the graph in order; every value becomes a stream when its op has been met."""

    fused: set[str] = field(default_factory=set)
    wishes: dict[str, str] = field(default_factory=dict)  # engine -> storage of its weights

    def run(self) -> None:
        """Make all kernels."""
        for group in in_groups(self.graph, self.options):
            if len(group) == 2:
                forward, backward = group
                assert isinstance(forward, Scan)
                assert isinstance(backward, Scan)
                self.both_directions(forward, backward)
            elif group[0].out.name not in self.fused:
                self.visit(group[0])

    def visit(self, op: AnyOp) -> None:
        """The kernels of one op."""
        match op:
            case Input() | Output() | SliceOp():
                self.at_port(op)
            case Scan():
                self.scan(op)
            case MatVec():
                body = Body(inputs=(self.as_vector(op.x),), states=(), ops=(vector(op),))
                name = op.out.name
                fold = self.folds[name]
                self.engine(
                    Layer(op=op, name=name, source=op.x, body=body, results=(name,), fold=fold),
                    (op.out,),
                )
            case ConcatOp():
                self.concat(op)
            case ReverseOp():
                self.reverse(op)
            case Select():
                self.select(op)
            case Flatten():
                x = self.take(op.x, op, self.wanted(op.out))
                self.give(op.out, replace(x, segments=x.segments * op.steps))
            case _ if isinstance(op, ELEMENTWISE) and len(op.operands()) == 1:
                self.map(op)
            case _:
                self.around(op)

    def scan(self, op: Scan) -> None:
        """A recurrent layer; if only one of its steps is read, it gives only that."""
        if len(op.xs) != 1:
            raise DesignError(
                f"layer {op.out.name}",
                f"reads {len(op.xs)} sequences; hardware has one",
                "put them side by side: the layer reads their concatenation",
            )
        read = [o for o in op.outs if self.users.get(o.out.name)]
        readers = [self.users[o.out.name] for o in read]
        picks = {r.step if isinstance(r, Select) else None for some in readers for r in some}
        alone = all(len(some) == 1 for some in readers) and len(picks) == 1
        emit = picks.pop() if alone else None
        outs = [some[0].out for some in readers] if emit else [o.out for o in read]
        self.fused.update(out.name for out in outs if emit)
        layer = Layer(
            op=op,
            name=op.out.name,
            source=op.xs[0],
            body=op.body,
            results=tuple(o.body_value for o in read),
            fold=self.folds[op.out.name],
            emit=emit,
        )
        self.engine(layer, outs)

    def engine(self, layer: Layer, values: Sequence[Value]) -> None:
        """An engine, with the element-wise ops behind it that only it feeds."""
        x = self.columns(layer)
        ends, ops, results = [], list(layer.body.ops), []
        for value, result in zip(values, layer.results, strict=True):
            tail, end = self.tail(value)
            if tail:  # the body's own name for the value
                tail = [rename_first(tail[0], result), *tail[1:]]
            ops += map(vector, tail)
            ends.append(end)
            results.append(tail[-1].out.name if tail else result)
        body = replace(layer.body, ops=tuple(ops))
        layer = replace(layer, body=body, results=tuple(results))
        streams = [
            self.engine_stream(layer, end, x, steps=self.longest if self.beside_reverse(end) else 1)
            for end in ends
        ]
        cell = compile_cell(layer.name, body, self.folded(layer, x), layer.results)
        made = self.place_engine(layer, x, streams, (cell,), self.starts(layer))
        for end, stream in zip(ends, made, strict=True):
            self.give(end, stream)

    def starts(self, layer: Layer) -> tuple[Start, ...]:
        """The vectors with which states of a layer start, in beats as its datapath works."""
        assert not isinstance(layer.op, Output)
        return tuple(
            Start(
                state=state.value.name,
                x=self.contiguous(self.take(state.start, layer.op, layer.fold.pe)),
            )
            for state in layer.body.states
            if state.start is not None
        )

    def both_directions(self, forward: Scan, backward: Scan) -> None:
        """A bidirectional layer with one engine: its directions are two streams of it."""
        layers = self.direction_layers(forward, backward)
        layer, name = layers[0], forward.out.name
        x = self.in_turns([self.columns(one) for one in layers], f"{name}_turns")
        folded = self.folded(layer, x)
        cells = alike(compile_cell(name, one.body, folded, one.results) for one in layers)
        starts = self.starts_in_turns(forward, backward, layer)
        pairs = self.read_by_both(forward, backward)
        wanted = [
            self.engine_stream(layer, replace(one, name=f"{one.name}_both"), x, steps=1)
            for one, _ in pairs
        ]
        for out, values in zip(
            self.place_engine(layer, x, wanted, cells, starts), pairs, strict=True
        ):
            self.apart(out, values, f"{name}_apart")

    def in_turns(self, xs: Sequence[Stream], name: str) -> Stream:
        """The vectors of two streams, in turn, as two streams of one."""
        t = xs[0].type.hull(xs[1].type)
        out = replace(xs[0], name=self.name(name), type=t, depth=2, streams=2)
        self.kernels.append(Interleave(name=self.kernel_name(name), xs=tuple(xs), out=out))
        return out

    def apart(self, x: Stream, values: Sequence[Value], name: str) -> None:
        """The two streams of one, each as a value."""
        outs = []
        for value in values:
            room = self.whole_sequence(x) if self.beside_reverse(value) else 0
            outs.append(replace(x, name=self.name(value.name), depth=2 + room, streams=1))
        self.kernels.append(Separate(name=self.kernel_name(name), x=x, outs=tuple(outs)))
        for value, stream in zip(values, outs, strict=True):
            self.give(value, stream)

    def starts_in_turns(self, forward: Scan, backward: Scan, layer: Layer) -> tuple[Start, ...]:
        """The vectors with which the states of two directions start: forwards, backwards, ..."""
        found = []
        for a, b in zip(forward.body.states, backward.body.states, strict=True):
            if a.start is None or b.start is None:
                if a.start != b.start:
                    raise directions_differ(forward, f"starts %{a.value.name} from outside")
                continue
            ends = ((a.start, forward), (b.start, backward))
            xs = [self.contiguous(self.take(name, op, layer.fold.pe)) for name, op in ends]
            name = f"{forward.out.name}_{a.value.name}_turns"
            found.append(Start(state=a.value.name, x=self.in_turns(xs, name)))
        return tuple(found)

    def read_by_both(self, forward: Scan, backward: Scan) -> list[tuple[Value, Value]]:
        """The values that the layer gives in both directions."""
        found = []
        for a, b in zip(forward.outs, backward.outs, strict=True):
            read = [bool(self.users.get(o.out.name)) for o in (a, b)]
            if read[0] != read[1]:
                raise directions_differ(forward, f"gives %{a.body_value}")
            found += [(a.out, b.out)] if all(read) else []
        return found

    def direction_layers(self, forward: Scan, backward: Scan) -> tuple[Layer, Layer]:
        """The two directions, alike but for constants. Raises DesignError if they are not."""
        pair = Pair(forward=forward, backward=backward)
        folds = [self.folds[s.out.name] for s in (forward, backward)]
        if folds[0] != folds[1]:
            raise DesignError(
                f'folding "{backward.out.name}"',
                f'differs from that of "{forward.out.name}", whose engine it shares',
                "give both directions the same folding",
            )
        bodies = unified(pair)
        given = [o.body_value for o in forward.outs if self.users.get(o.out.name)]
        one, other = (
            Layer(
                op=scan,
                name=forward.out.name,
                source=scan.xs[0],
                body=body,
                results=tuple(given),
                fold=folds[0],
            )
            for scan, body in zip((forward, backward), bodies, strict=True)
        )
        return one, other

    def folded(self, layer: Layer, x: Stream) -> Folded:
        """What of a folding the datapaths depend on."""
        fold, pipeline = layer.fold, self.options.pipeline
        return Folded(pe=fold.pe, simd=fold.simd, x_blocks=x.beats, pipeline=pipeline)

    def engine_stream(self, layer: Layer, out: Value, x: Stream, steps: int) -> Stream:
        """What an engine writes: with room for `steps` steps beside what is on its way."""
        stream = Stream(
            name=self.name(out.name),
            type=out.type,
            segments=(out.size,),
            lanes=layer.fold.pe,
            streams=x.streams,
        )
        return replace(stream, depth=2 + steps * stream.beats)

    def place_engine(
        self,
        layer: Layer,
        x: Stream,
        outs: Sequence[Stream],
        cells: tuple[Cell, ...],
        starts: tuple[Start, ...] = (),
    ) -> tuple[Stream, ...]:
        """The engine; returns its outputs, each with room for what is on its way."""
        kernel = Engine(
            name=self.kernel_name(layer.name),
            x=x,
            out=outs[0],
            pe=layer.fold.pe,
            simd=layer.fold.simd,
            cells=cells,
            result=layer.results[0],
            emit=layer.emit,
            pipeline=self.options.pipeline,
            streams=x.streams,
            starts=starts,
            more=tuple(
                Result(value=v, out=out) for v, out in zip(layer.results[1:], outs[1:], strict=True)
            ),
        )
        depth = max(r.out.depth + kernel.latency_of(r.value) for r in kernel.results)
        first, *more = (replace(r, out=replace(r.out, depth=depth)) for r in kernel.results)
        kernel = replace(kernel, out=first.out, more=tuple(more))
        self.kernels.append(kernel)
        wish = layer.fold.weights
        self.wishes[kernel.name] = self.options.weights if wish == "auto" else wish
        return tuple(r.out for r in kernel.results)

    def columns(self, layer: Layer) -> Stream:
        """The beats that a layer multiplies: up to simd columns; all of them in a shared block."""
        features = layer.body.inputs[0].size
        x = self.take(layer.source, layer.op, min(layer.fold.simd, features))
        return self.contiguous(x) if x.lanes == features and x.beats > 1 else x

    def tail(self, value: Value) -> tuple[list[AnyOp], Value]:
        """The chain of one-operand element-wise ops behind a value that nobody else reads."""
        found: list[AnyOp] = []
        while len(self.users.get(value.name, ())) == 1:
            op = self.users[value.name][0]
            if not isinstance(op, ELEMENTWISE) or len(op.operands()) != 1:
                break
            found.append(op)
            self.fused.add(op.out.name)
            value = op.out
        return found, value

    def map(self, op: AnyOp) -> None:
        """Element-wise ops on a stream."""
        x = self.read(op.operands()[0], op)
        tail, out = self.tail(op.out)
        ops = [vector(o) for o in (op, *tail)]
        port = self.as_vector(op.operands()[0])
        if len(x.segments) > 1:
            x = self.contiguous(x)
        placed = place(ops, {port.name: (0, 0)}, self.options.pipeline)
        path = Datapath(lanes=x.lanes, units=out.size, ports=(port,), ops=tuple(placed))
        stream = replace(x, name=self.name(out.name), type=out.type)
        kernel = Map(
            name=self.kernel_name(f"{out.name}_map"),
            x=x,
            out=stream,
            datapath=path,
            result=out.name,
        )
        kernel = replace(kernel, out=replace(stream, depth=kernel.out_latency + 2))
        self.kernels.append(kernel)
        self.give(out, kernel.out)

    def concat(self, op: ConcatOp) -> None:
        """Vectors one after the other."""
        lanes = self.wanted(op.out)
        xs = [self.take(x, op, lanes) for x in op.xs]
        if len(xs) == 1 and xs[0].type == op.out.type:
            self.give(op.out, xs[0])
            return
        segments = tuple(s for x in xs for s in x.segments)
        out = Stream(
            name=self.name(op.out.name),
            type=op.out.type,
            segments=segments,
            lanes=lanes,
            streams=self.options.streams,
        )
        self.kernels.append(
            Concat(name=self.kernel_name(f"{op.out.name}_join"), xs=tuple(xs), out=out)
        )
        self.give(op.out, out)

    def reverse(self, op: ReverseOp) -> None:
        """A whole sequence, held and given back to front."""
        x = self.read(op.x, op)
        out = replace(x, name=self.name(op.out.name), depth=3)
        self.kernels.append(
            Reverse(
                name=self.kernel_name(f"{op.out.name}_flip"), x=x, out=out, max_steps=self.longest
            )
        )
        self.give(op.out, out)

    def select(self, op: Select) -> None:
        """One step of a sequence of which other steps are read too."""
        x = self.read(op.x, op)
        held = x.beats if op.step is Step.FIRST else 0  # it goes on while its step waits
        out = replace(x, name=self.name(op.out.name), depth=2 + held)
        self.kernels.append(
            SelectStep(name=self.kernel_name(f"{op.out.name}_pick"), x=x, out=out, step=op.step)
        )
        self.give(op.out, out)


def directions_differ(forward: Scan, what: str) -> DesignError:
    """Two directions share an engine only if both do a thing, or none."""
    return DesignError(f"layer {forward.out.name}", f"{what} in one direction only; {ALIKE}", HINT)


def vector(op: AnyOp) -> AnyOp:
    """The op as part of a step."""
    assert not isinstance(op, Scan)
    return replace(op, out=replace(op.out, sequence=False))


def rename_first(op: AnyOp, name: str) -> AnyOp:
    """The op reading another value."""
    return replace(op, x=name)  # type: ignore[call-arg]
