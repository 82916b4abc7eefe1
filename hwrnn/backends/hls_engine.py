# SPDX-License-Identifier: Apache-2.0
"""A recurrent engine in C++: its phases, memories, numbers and hand-overs, ready to be printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwrnn.backends.cpp_literals import cpp_array, cpp_int, cpp_type, machine_type
from hwrnn.backends.hls_beside import fill_views, result_views, start_views, started
from hwrnn.backends.hls_cell import (
    AliasView,
    ArrayView,
    CellWriter,
    alias,
    by_cell,
    by_lane,
    signed_bits,
)
from hwrnn.backends.hls_image import Field, LayerImage
from hwrnn.backends.hls_layer import (
    HandView,
    LayerView,
    LoadView,
    MemoryView,
    PhaseView,
    StateView,
    WriteView,
)
from hwrnn.backends.hls_written import WrittenCellWriter
from hwrnn.design.design import Block, Engine, EngineState, Vector, ceil_div
from hwrnn.design.engine import Storage
from hwrnn.ir import IntType, Step

IN = {Storage.LUT: "lutram", Storage.BRAM: "bram"}  # a URAM has no contents to begin with
EMIT = {None: "all", Step.FIRST: "first", Step.LAST: "last"}


def cell_writer(name: str, image: LayerImage | None) -> CellWriter:
    """What prints the datapaths of a layer, with constants or with what an image writes."""
    place = f"layer {name}"
    return WrittenCellWriter(place=place, image=image) if image else CellWriter(place=place)


def engine_view(
    k: Engine, banner: tuple[str, str], image: LayerImage | None = None, *, keep: bool = False
) -> LayerView:
    """The numbers, the weights, the memories and the cell of an engine. `keep`: its states go on
    from call to call; `image`: its numbers are written at run time.
    """
    writer = cell_writer(k.name, image)
    weights = weights_array(k, image)
    hands = tuple(hand_views(k, writer))
    cell = writer.view()
    there = {a.name for a in cell.aliases}
    vectors = (v.value for v in k.vectors)
    states = (s.value for s in k.states)
    extra = {v.name: v.type for v in (*states, *vectors) if f"t_{v.name}" not in there}
    phases = tuple(phase_views(k))
    return LayerView(
        banner=banner,
        name=k.name,
        comment=comment(k),
        kind="engine",
        emit=EMIT[k.emit],
        x_beat=f"b_{k.x.name}",
        out_beat="Results" if k.more else f"b_{k.out.name}",
        starts=tuple(start_views(k)),
        fills=tuple(fill_views(k)),
        results=tuple(result_views(k)),
        numbers=(*sizes(k), ("phase_count", len(phases)), ("patience", patience(phases))),
        types=mac_types(k, written=image is not None),
        aliases=(*cell.aliases, *(alias(n, t) for n, t in extra.items())),
        rules=cell.rules,
        arrays=(weights, *initial_arrays(k), *cell.arrays),
        phases=phases,
        memories=tuple(memories(k)),
        loads=tuple(loads(k)),
        hands=hands,
        several_cells=len(k.cells) > 1,
        turns_per_step=len(k.blocks) * k.groups,
        weights_in=IN.get(k.storage, ""),
        keeps=keep and bool(k.states),
        writable=image is not None,
        regions=tuple(image.regions) if image else (),
        writes=tuple(image.calls) if image else (),
    )


def comment(k: Engine) -> str:
    """The engine in words."""
    what = "recurrent engine" if k.states else "dense layer"
    parts = [f"{what}: {k.units} units, pe {k.pe}, simd {k.simd}"]
    parts += [f"{k.streams} streams"] if k.streams > 1 else []
    parts += [f"{EMIT[k.emit]} step only"] if k.emit else []
    return ", ".join(parts)


def sizes(k: Engine) -> tuple[tuple[str, int], ...]:
    """The sizes of an engine."""
    return (
        ("units", k.units),
        ("groups", k.groups),
        ("pe", k.pe),
        ("simd", k.simd),
        ("gates", len(k.gates)),
        ("blocks", len(k.blocks)),
        ("hands", len(k.hands)),
        ("streams", k.streams),
    )


def runs(k: Engine) -> list[list[Block]]:
    """The blocks in phases: of one kind, and where a group waits for its own states, the last
    block of x alone.
    """
    found: list[list[Block]] = []
    before: tuple[bool, Vector | None, bool] | None = None
    for block in k.blocks:
        kind = (block.takes_x, block.vector, k.by_group and block.hand == 0)
        if kind != before:
            found.append([])
        found[-1].append(block)
        before = kind
    return found


def phase_views(k: Engine) -> Iterator[PhaseView]:
    """The phases of a step."""
    for blocks in runs(k):
        hand, turns = awaited(k, blocks[0])
        yield PhaseView(
            comment=columns(k, blocks[0]),
            blocks=len(blocks),
            takes_x="true" if blocks[0].takes_x else "false",
            hand=-1 if blocks[-1].hand is None else blocks[-1].hand,
            waits_for=hand,
            turns=turns,
        )


def awaited(k: Engine, block: Block) -> tuple[int, int]:
    """The hand-over for which the first block of a phase waits, and the turns from its start.

    The rules are those of `hwrnn.design.schedule`; what later blocks of a phase need is written
    by then.
    """
    last = len(k.hands) - 1
    if block.vector is not None:
        hand = block.vector.level - 1 if block.vector.level else last
        return hand, k.groups_needed(block) - 1 + k.hand_latencies[hand]
    if k.by_group and block.hand == 0:
        return last, k.state_latency
    return -1, 0


def columns(k: Engine, block: Block) -> str:
    """What a block multiplies, in words."""
    if block.vector is None:
        return "x"
    if block.takes_x:
        return " and ".join(["x", *(v.value.name for v in k.vectors if not v.level)])
    return block.vector.value.name


def patience(phases: tuple[PhaseView, ...]) -> int:
    """The longest wait."""
    return max((p.turns for p in phases), default=0)


def memories(k: Engine) -> Iterator[MemoryView]:
    """What survives from turn to turn: sums, vectors that are multiplied, states of each unit."""
    if k.accumulates:
        yield MemoryView(
            name="acc",
            type="acc_t",
            dims=("groups", "gates", "pe"),
            comment="sums of all groups",
            partition=(2, 3),
            distance=k.groups,
        )
    for v in k.vectors:
        yield vector_memory(k, v)
    for s in k.states:
        if s.elementwise:
            yield MemoryView(
                name=f"v_{s.value.name}",
                type=f"t_{s.value.name}",
                dims=("streams", "groups", "pe"),
                comment=f"{s.value.name}, read unit by unit",
                partition=(3,),
                distance=k.state_latency,
            )
    yield from start_memories(k)


def start_memories(k: Engine) -> Iterator[MemoryView]:
    """The vectors with which the sequence of each stream starts."""
    for s in (s for s in k.states if s.value.name in started(k)):
        name = s.value.name
        if s.recurrent:
            like = next(v for v in k.vectors if v.value.name == name)
            kept = vector_memory(k, like)
            comment = f"{name} at the start, in rows of columns"
            yield replace(kept, name=f"init_{name}", comment=comment, distance=0)
        if s.elementwise:
            yield MemoryView(
                name=f"start_{name}",
                type=f"t_{name}",
                dims=("streams", "groups", "pe"),
                comment=f"{name} at the start, read unit by unit",
                partition=(3,),
                distance=0,
            )


def vector_memory(k: Engine, v: Vector) -> MemoryView:
    """The memory of a vector: a row for each block that is read, for each stream of a state."""
    width = row_width(k, v)
    dims = (str(ceil_div(k.units, width)), "units" if width == k.units else "simd")
    when = f"within the step, by hand-over {v.level - 1}" if v.level else "in the step before"
    return MemoryView(
        name=f"m_{v.value.name}",
        type=f"t_{v.value.name}",
        dims=dims if v.level else ("streams", *dims),
        comment=f"{v.value.name} in rows of columns, written {when}",
        partition=(2 if v.level else 3,),
        distance=k.hand_latencies[v.level - 1],
    )


def row_width(k: Engine, v: Vector) -> int:
    """Columns that are read at once."""
    return k.units if k.shared and not v.level else k.simd


def loads(k: Engine) -> Iterator[LoadView]:
    """How each phase fills the operand."""
    for phase, blocks in enumerate(runs(k)):
        block = blocks[0]
        if block.vector is None:
            yield LoadView(
                phase=phase,
                memory="",
                label="",
                start=0,
                width="",
                takes_x=True,
                recurrent=False,
            )
        elif block.takes_x:
            outer = [v for v in k.vectors if not v.level]
            for n, v in enumerate(outer):
                yield vector_load(k, v, phase, k.x.features + n * k.units, takes_x=n == 0)
        else:
            yield vector_load(k, block.vector, phase, 0, takes_x=False)


def vector_load(k: Engine, v: Vector, phase: int, start: int, *, takes_x: bool) -> LoadView:
    """The columns of a vector; a state's first step has its initial value."""
    state = next((s for s in k.states if s.value.name == v.value.name and not v.level), None)
    return LoadView(
        phase=phase,
        memory=f"m_{v.value.name}",
        label=v.value.name,
        start=start,
        width="units" if k.shared and not v.level else "simd",
        takes_x=takes_x,
        recurrent=state is not None,
        initial=first_columns(k, state) if state else "",
        outside=state is not None and v.value.name in started(k),
    )


def first_columns(k: Engine, s: EngineState) -> str:
    """A column of a state in the first step."""
    name = s.value.name
    if name in started(k):
        return f"memory.init_{name}[stream][block][lane]"
    return initial(k, s, "init[unit]")


def first_value(k: Engine, s: EngineState) -> str:
    """A state unit by unit in the first step."""
    name = s.value.name
    if name in started(k):
        return f"memory.start_{name}[stream][group][lane]"
    return initial(k, s, "start[group][lane]")


def hand_views(k: Engine, writer: CellWriter) -> Iterator[HandView]:
    """The hand-overs, in order."""
    gates = [g.value.name for g in k.gates]
    memory = {v.value.name: v for v in k.vectors}
    states = {s.value.name: s for s in k.states}
    for index, hand in enumerate(k.hands):
        path, final = hand.datapath, index == len(k.hands) - 1
        statements = writer.path(*(cell.hands[index].datapath for cell in k.cells))
        kept = [s for s in k.states if final and s.recurrent]
        writes = (
            *(write_view(memory[n], n) for n in hand.writes),
            *(write_view(memory[s.value.name], s.next) for s in kept),
        )
        yield HandView(
            index=index,
            comment=hand_comment(k, index),
            ports=tuple((f"t_{v.name}", f"v_{v.name}", gates.index(v.name)) for v in path.ports),
            reads=tuple(state_view(k, states[r.value.name]) for r in path.reads),
            statements=statements,
            writes=writes,
            states=tuple(state_view(k, s) for s in k.states if final and s.elementwise),
            result=f"v_{k.result}" if final else "",
        )


def hand_comment(k: Engine, index: int) -> str:
    """What a hand-over makes of the sums."""
    if index < len(k.hands) - 1:
        return f"the sums of a group become units of {', '.join(k.hands[index].writes)}"
    return f"the sums of a group become {'states and ' if k.states else ''}the result"


def write_view(v: Vector, value: str) -> WriteView:
    """A vector that is written whole groups at a time."""
    name = v.value.name
    return WriteView(
        memory=f"m_{name}" if v.level else f"m_{name}[stream]",
        type=f"t_{name}",
        lanes=f"lanes_{name}",
        value=f"v_{value}",
    )


def state_view(k: Engine, s: EngineState) -> StateView:
    """A state unit by unit."""
    return StateView(
        name=f"v_{s.value.name}",
        type=f"t_{s.value.name}",
        next=f"v_{s.next}",
        initial=first_value(k, s),
    )


def initials(k: Engine, s: EngineState) -> list[tuple[int, ...]]:
    """The initial values of a state in each cell."""
    return [t.initial for cell in k.cells for t in cell.states if t.value.name == s.value.name]


def initial(k: Engine, s: EngineState, entry: str) -> str:
    """The initial value of a unit: a number, or the `entry` of an array."""
    values = initials(k, s)
    if len({v for cell in values for v in cell}) == 1:
        return f"t_{s.value.name}({cpp_int(values[0][0], s.value.type)})"
    _, index = by_cell([np.array(v) for v in values])
    array, brackets = entry.split("[", 1)
    return f"t_{s.value.name}({array}_{s.value.name}{index}[{brackets})"


def initial_arrays(k: Engine) -> Iterator[ArrayView]:
    """The initial values of the states whose units do not all start with one number: as a vector
    for a state that is multiplied, by groups for one that is read unit by unit.
    """
    for s in (s for s in k.states if s.value.name not in started(k)):
        values = [np.array(v, dtype=np.int64) for v in initials(k, s)]
        if len(np.unique(values)) == 1:
            continue
        if s.recurrent:
            yield initial_array(s, "init", values, "")
        if s.elementwise:
            yield initial_array(s, "start", [by_lane(v, k.datapath) for v in values], ", by groups")


def initial_array(
    s: EngineState, prefix: str, values: Sequence[NDArray[np.int64]], how: str
) -> ArrayView:
    """The initial values of a state in one form; the last dimension is read all at once."""
    array, _ = by_cell(values)
    t = s.value.type.hull(IntType(0, 0))
    return ArrayView(
        comment=f"initial {s.value.name}{how}",
        type=machine_type(t),
        name=f"{prefix}_{s.value.name}",
        dims=array.shape,
        body=cpp_array(array, t),
        partition=(array.ndim,),
    )


def mac_types(k: Engine, *, written: bool) -> tuple[AliasView, ...]:
    """The types of the MAC array."""
    sums = partial_sums(k, written=written)
    return (
        AliasView(name="weight_t", type=machine_type(k.weight_type), comment=str(k.weight_type)),
        AliasView(name="operand_t", type=cpp_type(k.operand_type), comment=str(k.operand_type)),
        AliasView(name="acc_t", type=cpp_type(k.accumulator_type), comment=str(k.accumulator_type)),
        AliasView(
            name="sum_t", type=f"hwrnn::wide_t<{signed_bits(sums)}>", comment="any partial sum"
        ),
    )


def partial_sums(k: Engine, *, written: bool) -> IntType:
    """A range that no sum of some of an accumulator's products leaves; if weights are `written`,
    for any weights of their type.
    """
    far = max(-k.operand_type.lo, k.operand_type.hi, 1)
    gates = [g for cell in k.cells for g in cell.gates]
    rows = (int(np.abs(g.weights.array).sum(axis=1).max(initial=0)) for g in gates)
    heaviest = max(-k.weight_type.lo, k.weight_type.hi)
    most = max(g.weights.columns for g in gates) * heaviest if written else max(rows)
    bound = far * most
    return k.accumulator_type.hull(IntType(-bound, bound))


def weights_array(k: Engine, image: LayerImage | None = None) -> ArrayView:
    """The weights in memory order."""
    words = k.weight_words()
    cells = "[cell]" if len(k.cells) > 1 else ""
    if cells:
        words = words.reshape(len(k.cells), -1, *words.shape[1:])
    if image:
        image.rows("weights", image.find("weights"), Field.of(k.weight_type), words.ndim - 3)
    return ArrayView(
        comment=f"weights{cells}[block][group][gate][pe][simd]; gates: "
        + ", ".join(g.value.name for g in k.gates),
        type=machine_type(k.weight_type),
        name="weights",
        dims=words.shape,
        body=cpp_array(words, k.weight_type, 2 if image else 0),
        written=image is not None,
    )
