# SPDX-License-Identifier: Apache-2.0
"""From the integer graph to kernels joined by streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwrnn.board import Board
from hwrnn.design.builder import Builder
from hwrnn.design.design import Design
from hwrnn.design.directions import pairs, twins
from hwrnn.design.folding import Fold, FoldingSpec, LayerShape, resolve
from hwrnn.design.memory import store_weights
from hwrnn.design.options import Directions, Options, StateRule
from hwrnn.design.pieces import whole_vectors
from hwrnn.design.ports import check_ports, held_steps
from hwrnn.design.products import make_products
from hwrnn.design.rejoin import mixes_first_and_last
from hwrnn.design.tables import check_tables, narrow_tables
from hwrnn.errors import DesignError
from hwrnn.ir import (
    Flatten,
    Graph,
    MatVec,
    Scan,
    Window,
)
from hwrnn.ir import Reverse as ReverseOp
from hwrnn.ir.fragments import HELD, needs_whole
from hwrnn.ir.steps import fixed_steps
from hwrnn.ir.text import model_hash
from hwrnn.transforms.order_outputs import order_outputs
from hwrnn.transforms.realise import realise_requants
from hwrnn.transforms.widen import in_pairs, widen


def build_design(
    graph: Graph,
    board: Board,
    folding: FoldingSpec = None,
    max_steps: int | None = None,
    options: Options | None = None,
    *,
    like: Graph | None = None,
) -> Design:
    """The design of a graph for a board. Raises DesignError naming what does not fit.

    `like`, for a writable design: the graph of which it was built, whose ranges and forms it has.
    """
    site = Site.of(graph, board, max_steps, options or Options(), like=like)
    design = site.design(resolve(folding, layers(site.plain)))
    return replace(design, model_hash=model_hash(graph))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A graph on a board, ready to be lowered with one folding after the other.

    `plain`: the graph with whole vectors only; `final`: that with the ranges of the hardware.
    `held_steps`: the steps of a sequence that each of several output ports holds (0: one port).
    `twins`: layers that share the engine, and so the folding, of another one.
    """

    graph: Graph
    plain: Graph
    final: Graph
    board: Board
    max_steps: int | None
    held_steps: int
    options: Options
    twins: Mapping[str, str]

    @classmethod
    def of(
        cls,
        graph: Graph,
        board: Board,
        max_steps: int | None,
        options: Options,
        *,
        like: Graph | None = None,
    ) -> Site:
        """Raises DesignError for what no folding makes possible."""
        check_ports(graph, options)
        check_streams(graph, options)
        check_keep(graph, options)
        plain = realise_requants(order_outputs(whole_vectors(graph)))
        shared = () if options.directions is Directions.TWO else pairs(plain)
        if options.writable:
            first = plain if like is None else whole_vectors(like)
            wide = in_pairs(widen(first), twin_values(first, options))
            final = wide if like is None else widen(plain, wide)
        else:
            final = narrow_tables(plain, twin_values(plain, options))
        return cls(
            graph=graph,
            plain=plain,
            final=final,
            board=board,
            max_steps=longest_sequence(graph, max_steps),
            held_steps=held_steps(graph, max_steps),
            options=options,
            twins={p.backward.out.name: p.forward.out.name for p in shared},
        )

    def layers(self) -> tuple[LayerShape, ...]:
        """The layers that have a folding of their own."""
        return tuple(s for s in layers(self.plain) if s.name not in self.twins)

    def folds(self, chosen: Mapping[str, Fold]) -> dict[str, Fold]:
        """A fold for every layer, from those of `layers()`."""
        return {
            shape.name: chosen[self.twins.get(shape.name, shape.name)]
            for shape in layers(self.plain)
        }

    def design(self, folds: Mapping[str, Fold]) -> Design:
        """The design, without its hash. Raises DesignError for what exceeds the board."""
        builder = Builder(
            self.final, folds, self.max_steps, self.options, held_steps=self.held_steps
        )
        builder.run()
        writable = self.options.writable
        kernels = store_weights(builder.kernels, self.board, builder.wishes, writable=writable)
        design = Design(
            name=self.graph.name,
            board=self.board,
            graph=self.graph,
            kernels=make_products(kernels, self.board, self.options.multipliers),
            model_hash="",
            max_steps=self.max_steps,
            held_steps=self.held_steps,
            streams=self.options.streams,
            options=self.options,
            folds=tuple(folds.items()),
        )
        check_tables(design)
        return design


def longest_sequence(graph: Graph, max_steps: int | None) -> int | None:
    """The longest sequence that a design has to hold; None if it holds none."""
    if not any(isinstance(op, ReverseOp) for op in graph.ops):
        return None
    fixed = fixed_steps(graph)
    bound = max_steps or fixed or graph.inputs[0].example_steps
    if bound is None:
        raise DesignError(
            "option max_steps",
            "is needed: a reversed direction buffers a whole sequence",
            "pass the longest sequence that the hardware has to take",
        )
    if fixed and bound < fixed:
        raise DesignError(
            "option max_steps",
            f"is {bound}; the model flattens sequences of exactly {fixed} steps",
            f"pass {fixed} or more, or leave it out",
        )
    return bound


def twin_values(graph: Graph, options: Options) -> dict[str, str]:
    """Values that two directions have in common, where they share an engine."""
    if options.directions is Directions.TWO:
        return {}
    return {k: v for pair in pairs(graph) for k, v in twins(pair).items()}


def check_streams(graph: Graph, options: Options) -> None:
    """Streams interleave step by step: a design that holds whole sequences takes one at a time."""
    for op in graph.ops:
        if options.streams > 1 and type(op) in HELD:
            raise DesignError(
                "option streams",
                f"is {options.streams}; {graph.name} {HELD[type(op)]}, which it holds one by one",
                "use streams=1; or place several cores side by side",
            )
    mixed = mixes_first_and_last(graph) if options.streams > 1 else None
    if mixed is not None:
        raise DesignError(
            "option streams",
            f"is {options.streams}; %{mixed.out.name} joins first steps with last steps, which "
            "come in different orders when streams end independently",
            "use streams=1; or place several cores side by side",
        )


def check_keep(graph: Graph, options: Options) -> None:
    """States go on from fragment to fragment only where nothing needs the sequence as a whole."""
    if options.state is not StateRule.KEEP:
        return
    if options.streams > 1:
        raise DesignError(
            "option state",
            f"is keep, and streams is {options.streams}; states are kept on one stream, for now",
            "use streams=1; or place several cores side by side",
        )
    what = needs_whole(graph)
    if what is not None:
        raise DesignError(
            "option state",
            f"is keep; {graph.name} {what}, which a fragment does not tell",
            'use state="reset"',
        )


def layers(graph: Graph) -> tuple[LayerShape, ...]:
    """The layers that have a folding, in the order of the data."""
    found = []
    graph = whole_vectors(graph)
    scope = graph.scope()
    for op in graph.ops:
        if isinstance(op, Scan):
            units = op.body.scope()[op.outs[0].body_value].size
            read = {o.x for o in op.body.ops if isinstance(o, MatVec)}
            x = sum(v.size for v in op.body.inputs)  # its beats are multiplied, whoever reads it
            h = sum(s.value.size for s in op.body.states if s.value.name in read)
            found.append(LayerShape(name=op.out.name, units=units, columns=x + h, h=h))
        elif isinstance(op, MatVec):
            columns = scope[op.x].size
            made_by = {v.name: o for o in graph.ops for v in o.outputs()}
            source = made_by[op.x]
            if isinstance(source, Flatten | Window):
                columns = scope[source.x].size
            found.append(LayerShape(name=op.out.name, units=op.out.size, columns=columns))
    return tuple(found)
