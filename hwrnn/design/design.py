# SPDX-License-Identifier: Apache-2.0
"""The dataflow design: kernels joined by streams. Both back ends and the estimate read only this.

Timing of the parts (the RTL library keeps it, `hwrnn.design.timing` computes with it):

* A stream is a FIFO of `depth` entries between two kernels (2: a register slice). A beat that is
  written at cycle t can be read from t + 1; an entry that is read at t is free from t + 1.
* Axis shells, Fork, Concat, Zip and a pass-through Dwc are combinational between their streams.
* Engine, Map and Embed never stall inside: an issue at cycle t writes its beat at t + latency,
  and is made only when the output stream is sure to have room for it then (credits).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hwrnn.board import Board
from hwrnn.design.around import ArgMax, Combine, Embed, Joint, Repeat, Slide, Zip
from hwrnn.design.datapath import Datapath, PlacedOp, StateRead
from hwrnn.design.engine import (
    Block,
    Cell,
    Engine,
    EngineState,
    Gate,
    HandOver,
    Result,
    Start,
    Vector,
)
from hwrnn.design.folding import Fold
from hwrnn.design.options import Options, StateRule
from hwrnn.design.stream import Stream, axis_width, ceil_div
from hwrnn.ir import Graph, Step

__all__ = [
    "ArgMax",
    "AxisIn",
    "AxisOut",
    "Block",
    "Cell",
    "Combine",
    "Concat",
    "Crop",
    "Datapath",
    "Design",
    "Dwc",
    "Embed",
    "Engine",
    "EngineState",
    "Fork",
    "Gate",
    "HandOver",
    "Interleave",
    "Joint",
    "Kernel",
    "Map",
    "PlacedOp",
    "Repeat",
    "Result",
    "Reverse",
    "SelectStep",
    "Separate",
    "Slide",
    "Start",
    "StateRead",
    "Stream",
    "Vector",
    "Zip",
    "axis_width",
    "ceil_div",
    "kernel_inputs",
    "kernel_outputs",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisIn:
    """AXI4-Stream in: unpacks elements, checks TLAST, raises the sticky error bit.

    With several streams TID is the stream's number; the beats of a step are contiguous. A TID
    that changes in mid-step is treated like a TLAST there, and one that no stream has sets the
    error bit and its beat is dropped.

    A TLAST in mid-step is repaired with zero beats so that the design recovers at the next
    sequence. With `fixed_steps` (a Flatten follows) a sequence of another length sets the error
    bit and is cut or padded with zeros to that length (or dropped): its result means nothing.
    With `max_steps` whole sequences are buffered (two of the longest) and one that is too long
    sets the error bit and is dropped up to its TLAST.
    `name` is that of the graph's input, `port` what the names of its signals start with. The
    first shell of a design takes the sequences; each further one takes a vector for each sequence
    (`fixed_steps` is 1), in the order in which the first steps of the sequences come.
    """

    name: str
    out: Stream
    port: str = "s_axis"
    fixed_steps: int | None = None
    max_steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisOut:
    """AXI4-Stream out: widens each element to whole bytes (1, 2 and 4 bits stay) by its sign.
    `name` is that of the graph's output, `port` what the names of its signals start with.
    """

    name: str
    x: Stream
    port: str = "m_axis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwc:
    """Data width converter: regroups the elements of each vector into beats of the output.

    Holds up to x.lanes + out.lanes elements. Takes a beat when it fits beside what is held at
    the start of the cycle; gives one as soon as its elements are held. After a beat with `last`
    it takes none until that sequence has left; with several streams, after the last beat of each
    vector none until that vector has left.
    """

    name: str
    x: Stream
    out: Stream

    @property
    def capacity(self) -> int:
        """Elements that it can hold."""
        return self.x.lanes + self.out.lanes

    @property
    def is_wire(self) -> bool:
        """True when beats pass unchanged."""
        return self.x.lanes == self.out.lanes and self.x.segments == self.out.segments


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """The same beats to every output; a beat moves when all outputs have room."""

    name: str
    x: Stream
    outs: tuple[Stream, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat:
    """For each vector: all beats of the first input, then those of the next, ..."""

    name: str
    xs: tuple[Stream, ...]
    out: Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Of each vector, which is one a sequence, the beats from number `first` on, as many as the
    output has; the others are swallowed. The input's segments start where the piece starts and
    ends. Combinational.
    """

    name: str
    x: Stream
    out: Stream
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interleave:
    """A vector of each input in turn; those of input k become stream k of the output."""

    name: str
    xs: tuple[Stream, ...]
    out: Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Separate:
    """The vectors of stream k to output k."""

    name: str
    x: Stream
    outs: tuple[Stream, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """The steps of each sequence, last first. Two banks of max_steps steps each: one is filled
    while the other is read. A read issued at cycle t is written out at t + 1 (credits).
    """

    name: str
    x: Stream
    out: Stream
    max_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectStep:
    """Keeps one step of each sequence. LAST holds one step and gives it when `last` has come,
    taking nothing meanwhile; FIRST passes the first step on and swallows the rest.
    With several streams the first step is that of each stream's sequence.
    """

    name: str
    x: Stream
    out: Stream
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """Element-wise ops on a stream: a beat in, a beat out `latency` cycles later."""

    name: str
    x: Stream
    out: Stream
    datapath: Datapath
    result: str

    @property
    def out_latency(self) -> int:
        """From taking a beat to writing its result to the output stream."""
        return self.datapath.ready()[self.result]


Kernel = (
    AxisIn
    | AxisOut
    | Dwc
    | Fork
    | Concat
    | Crop
    | Interleave
    | Separate
    | Reverse
    | SelectStep
    | Engine
    | Map
    | Slide
    | Combine
    | Repeat
    | Embed
    | Zip
    | ArgMax
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Kernels in the order of the data, for one board. `model_hash` is of the graph's text.

    `held_steps`: with several outputs, the steps of a sequence for which each of them has room.
    `streams`: so many independent sequences interleave, TID tells which. `bound`: what keeps a
    design that was searched for a target from being smaller or faster. `options` and `folds`:
    with what it was built, layer by layer.
    """

    name: str
    board: Board
    graph: Graph
    kernels: tuple[Kernel, ...]
    model_hash: str
    max_steps: int | None = None
    held_steps: int = 0
    streams: int = 1
    bound: str | None = None
    options: Options = field(default_factory=Options)
    folds: tuple[tuple[str, Fold], ...] = ()

    @property
    def writable(self) -> bool:
        """True when all that training changes is written at run time."""
        return self.options.writable

    @property
    def keep(self) -> bool:
        """True when states go on from one fragment of a sequence to the next."""
        return self.options.state is StateRule.KEEP

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines, in the order of the data."""
        return tuple(k for k in self.kernels if isinstance(k, Engine))

    @property
    def sources(self) -> tuple[AxisIn, ...]:
        """The input shells, in the order of the graph's inputs."""
        return tuple(k for k in self.kernels if isinstance(k, AxisIn))

    @property
    def sinks(self) -> tuple[AxisOut, ...]:
        """The output shells, in the order of the graph's outputs."""
        return tuple(k for k in self.kernels if isinstance(k, AxisOut))

    @property
    def source(self) -> AxisIn:
        """The input shell that takes the sequences."""
        return self.sources[0]

    @property
    def sink(self) -> AxisOut:
        """The first output shell."""
        return self.sinks[0]


def kernel_inputs(kernel: Kernel) -> tuple[Stream, ...]:
    """The streams that a kernel reads."""
    match kernel:
        case AxisIn():
            return ()
        case Concat() | Interleave() | Zip():
            return kernel.xs
        case Engine():
            return (kernel.x, *(start.x for start in kernel.starts))
        case _:
            return (kernel.x,)


def kernel_outputs(kernel: Kernel) -> tuple[Stream, ...]:
    """The streams that a kernel writes."""
    match kernel:
        case AxisOut():
            return ()
        case Fork() | Separate():
            return kernel.outs
        case Engine():
            return tuple(result.out for result in kernel.results)
        case _:
            return (kernel.out,)
