# SPDX-License-Identifier: Apache-2.0
"""What the template of a layer is filled with: an engine or a map, all text ready."""

from __future__ import annotations

from dataclasses import dataclass

from hwrnn.backends.hls_cell import AliasView, ArrayView, RuleView, StatementView
from hwrnn.backends.hls_image import RegionView


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseView:
    """Blocks of one kind; `waits_for`, a hand-over and how many turns behind its start, or -1."""

    comment: str
    blocks: int
    takes_x: str
    hand: int
    waits_for: int
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryView:
    """An array that survives from turn to turn.

    `partition`: the dimensions (from 1) that are read all at once. `distance`: turns from a write
    to the first read of what was written.
    """

    name: str
    type: str
    dims: tuple[str, ...]
    comment: str
    partition: tuple[int, ...]
    distance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadView:
    """The columns of a vector in the blocks of a phase, from column `start` of the operand.
    `outside`: in the first step they are a vector that came from outside.
    """

    phase: int
    memory: str
    label: str
    start: int
    width: str
    takes_x: bool
    recurrent: bool
    initial: str = ""
    outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateView:
    """A state that a hand-over reads or writes unit by unit; `initial` is an expression."""

    name: str
    type: str
    next: str
    initial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteView:
    """A vector that a hand-over writes: its memory, and the value of each unit."""

    memory: str
    type: str
    lanes: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandView:
    """A hand-over: what it reads, computes and writes. Only the last has a result."""

    index: int
    comment: str
    ports: tuple[tuple[str, str, int], ...]
    reads: tuple[StateView, ...]
    statements: tuple[StatementView, ...]
    writes: tuple[WriteView, ...]
    states: tuple[StateView, ...] = ()
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideView:
    """A stream of an engine that has several on one side: of its beats the lanes travel as
    `lanes`, beside those of the others. `value`: what a result is.
    """

    name: str
    stream: str
    beat: str
    lanes: str
    comment: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillView:
    """A state that starts as a vector: its lanes, which are kept by rows, by groups, or both."""

    name: str
    type: str
    lanes: str
    rows: bool
    groups: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerView:
    """An engine or a map: its numbers, its constants and its cell."""

    banner: tuple[str, str]
    name: str
    comment: str
    kind: str
    x_beat: str
    out_beat: str
    numbers: tuple[tuple[str, int], ...]
    aliases: tuple[AliasView, ...]
    rules: tuple[RuleView, ...]
    arrays: tuple[ArrayView, ...]
    statements: tuple[StatementView, ...] = ()
    port: str = ""
    result: str = ""
    emit: str = ""
    types: tuple[AliasView, ...] = ()
    phases: tuple[PhaseView, ...] = ()
    memories: tuple[MemoryView, ...] = ()
    loads: tuple[LoadView, ...] = ()
    hands: tuple[HandView, ...] = ()
    several_cells: bool = False
    turns_per_step: int = 0
    weights_in: str = ""
    keeps: bool = False
    writable: bool = False
    regions: tuple[RegionView, ...] = ()
    writes: tuple[str, ...] = ()
    starts: tuple[BesideView, ...] = ()
    fills: tuple[FillView, ...] = ()
    results: tuple[BesideView, ...] = ()
