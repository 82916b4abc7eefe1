# SPDX-License-Identifier: Apache-2.0
"""The kernels of a design as boxes joined by streams, from left to right."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

from markupsafe import Markup

from hwrnn.design.design import (
    Design,
    Engine,
    Fork,
    Kernel,
    Stream,
    kernel_inputs,
    kernel_outputs,
)
from hwrnn.report import describe
from hwrnn.report.render import render

CHAR, LINE, PAD = 5.7, 15.0, 10.0  # a character's width, a line's height, a box's inner margin
GAP_X, GAP_Y, MARGIN = 72.0, 26.0, 8.0

SMALLEST = 0.8  # a picture is not shrunk further: it is scrolled


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A line of text; `style` is a CSS class."""

    x: float
    y: float
    words: str
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphView:
    """What the template draws, in this order: wires, boxes, texts."""

    name: str
    width: float
    least: float
    height: float
    wires: tuple[str, ...]
    loops: tuple[str, ...]
    boxes: tuple[Box, ...]
    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A kernel, or (None) the way of a stream past the kernels of a rank."""

    kernel: Kernel | None
    sections: tuple[describe.Part, ...]

    @property
    def width(self) -> float:
        """Of the box."""
        words = [w for s in self.sections for w in (s.title, *s.lines)]
        return max((len(w) for w in words), default=0) * CHAR + 4 * PAD if words else 0.0

    @property
    def height(self) -> float:
        """Of the box."""
        if self.kernel is None:
            return LINE
        inner = [_section_height(s) for s in self.sections[1:]]
        head = (1 + len(self.sections[0].lines)) * LINE + PAD
        return head + sum(inner) + PAD * len(inner)


def _section_height(part: describe.Part) -> float:
    return (1 + len(part.lines)) * LINE + PAD


def draw_graph(design: Design) -> Markup:
    """An SVG picture of the design."""
    return render("graph.svg.j2", view(design))


def view(design: Design) -> GraphView:
    """Where everything goes: a column for each rank, a stream through every rank that it passes."""
    return _Layout(design).view()


class _Layout:
    """Ranks kernels by their longest way from the input and places them."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.writer = {s.name: k for k in design.kernels for s in kernel_outputs(k)}
        self.columns: list[list[Node]] = []
        self.nodes: dict[str, Node] = {}
        self.ways: list[tuple[Stream, list[Node]]] = []
        self.place: dict[int, tuple[float, float]] = {}
        self.boxes: list[Box] = []
        self.texts: list[Text] = []
        self.loops: list[str] = []

    def view(self) -> GraphView:
        self.rank()
        self.untangle()
        width, height = self.position()
        for column in self.columns:
            for node in column:
                self.draw(node)
        wires = tuple(self.wire(stream, way) for stream, way in self.ways)
        return GraphView(
            name=self.design.name,
            width=width,
            least=SMALLEST * width,
            height=height,
            wires=wires,
            loops=tuple(self.loops),
            boxes=tuple(self.boxes),
            texts=tuple(self.texts),
        )

    def rank(self) -> None:
        """Fill the columns and, for each stream, the nodes on its way."""
        ranks: dict[str, int] = {}
        for kernel in self.design.kernels:
            before = [ranks[self.writer[x.name].name] for x in kernel_inputs(kernel)]
            ranks[kernel.name] = 1 + max(before, default=-1)
            node = Node(kernel, _sections(kernel))
            self.nodes[kernel.name] = node
            self.put(ranks[kernel.name], node)
            for x in kernel_inputs(kernel):
                source = self.writer[x.name]
                passed = [
                    self.put(r, Node(None, ()))
                    for r in range(ranks[source.name] + 1, ranks[kernel.name])
                ]
                self.ways.append((x, [self.nodes[source.name], *passed, node]))

    def untangle(self) -> None:
        """Order each column by where the wires come from, so that few of them cross."""
        steps = [pair for _, way in self.ways for pair in pairwise(way)]
        for before, column in pairwise(self.columns):
            at = {id(node): k for k, node in enumerate(before)}
            origin = {
                id(node): mean(at[id(a)] for a, b in steps if b is node and id(a) in at)
                for node in column
            }
            column.sort(key=lambda node: origin[id(node)])

    def put(self, rank: int, node: Node) -> Node:
        while len(self.columns) <= rank:
            self.columns.append([])
        self.columns[rank].append(node)
        return node

    def position(self) -> tuple[float, float]:
        """Give every node its left top corner; returns the size of the picture."""
        heights = [sum(n.height for n in c) + GAP_Y * (len(c) - 1) for c in self.columns]
        tallest, x = max(heights), MARGIN
        for column, height in zip(self.columns, heights, strict=True):
            y = MARGIN + (tallest - height) / 2
            widest = max(n.width for n in column)
            for node in column:
                self.place[id(node)] = (x + (widest - node.width) / 2, y)
                y += node.height + GAP_Y
            x += widest + GAP_X
        return x - GAP_X + MARGIN, tallest + 2 * MARGIN

    def draw(self, node: Node) -> None:
        """The box of a kernel, its head and the boxes inside."""
        if node.kernel is None:
            return
        x, y = self.place[id(node)]
        style = describe.kind(node.kernel)
        self.boxes.append(Box(x=x, y=y, width=node.width, height=node.height, style=style))
        head, *inner = node.sections
        middle = x + node.width / 2
        y = self.words(middle, y, head)
        tops = []
        for part in inner:
            height = _section_height(part)
            self.boxes.append(
                Box(x=x + PAD, y=y, width=node.width - 2 * PAD, height=height, style=part.kind)
            )
            tops.append((y, height))
            self.words(middle, y, part)
            y += height + PAD
        self.inner_wires(x + PAD, node.width - 2 * PAD, inner, tops)

    def words(self, x: float, y: float, part: describe.Part) -> float:
        """Title and lines, centred at x; returns where they end."""
        for k, words in enumerate((part.title, *part.lines)):
            style = "line" if k else "title"
            self.texts.append(Text(x=x, y=y + PAD + LINE * k + 6, words=words, style=style))
        return y + PAD + LINE * (1 + len(part.lines))

    def inner_wires(
        self,
        x: float,
        width: float,
        inner: list[describe.Part],
        tops: list[tuple[float, float]],
    ) -> None:
        """Down from part to part; from the state back up to the MAC array."""
        middle = x + width / 2
        for (y, height), (below, _) in pairwise(tops):
            self.loops.append(f"M{middle:g} {y + height:g} L{middle:g} {below:g}")
        if inner and inner[-1].kind == "state":
            start, end = tops[-1][0] + tops[-1][1] / 2, tops[0][0] + tops[0][1] / 2
            right, bow = x + width, x + width + PAD * 0.9
            self.loops.append(
                f"M{right:g} {start:g} L{bow - 3:g} {start:g} L{bow - 3:g} {end:g} "
                f"L{right:g} {end:g}"
            )

    def wire(self, stream: Stream, way: list[Node]) -> str:
        """A curve from the right side of the first node to the left side of the last."""
        label_at = None
        where = 0.8 if isinstance(way[0].kernel, Fork) else 0.2  # where wires lie apart
        pieces = []
        for here, there in pairwise(way):
            ax, ay = self.place[id(here)]
            bx, by = self.place[id(there)]
            ax, ay, by = ax + here.width, ay + here.height / 2, by + there.height / 2
            bend = (ax + bx) / 2
            pieces.append(f"M{ax:g} {ay:g} C{bend:g} {ay:g} {bend:g} {by:g} {bx:g} {by:g}")
            label_at = label_at or (bend, ay + where * (by - ay))
        assert label_at is not None
        x, y = label_at
        first, *below = describe.stream_lines(stream)
        self.texts.append(Text(x=x, y=y - 6, words=first, style="label"))
        for k, words in enumerate(below):
            self.texts.append(Text(x=x, y=y + 14 + 12 * k, words=words, style="label"))
        return " ".join(pieces)


def _sections(kernel: Kernel) -> tuple[describe.Part, ...]:
    """The head of a box, then what is inside of an engine."""
    style = describe.kind(kernel)
    if not isinstance(kernel, Engine):
        head = describe.Part(title=describe.title(kernel), lines=describe.lines(kernel), kind=style)
        return (head,)
    about = (describe.engine_line(kernel),)
    head = describe.Part(title=describe.title(kernel), lines=about, kind=style)
    return (head, *describe.parts(kernel))
