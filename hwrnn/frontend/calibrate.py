# SPDX-License-Identifier: Apache-2.0
"""A float ONNX model becomes one that the compiler takes: quantisers, with calibrated scales.

The model is brought into one form (`normalise`), run on calibration data with every tensor seen
(`calibrate_taps`), told where quantisers belong (`calibrate_grids`), and given them. Weights that
are quantised already keep their integers; quantisers that stand in the file stay as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from hwrnn.frontend.calibrate_data import Feed, feeds
from hwrnn.frontend.calibrate_grids import SATURATING, Grids, Leaf, Site, Union, analyse
from hwrnn.frontend.calibrate_taps import Floats, Key, observe, scans
from hwrnn.frontend.cell_nodes import QONNX_DOMAIN
from hwrnn.frontend.first_states import evaluated
from hwrnn.frontend.lower_cells import EXAMPLE_STEPS, example_steps
from hwrnn.frontend.normalise import body_of, replace_nodes, states_of
from hwrnn.frontend.ports import input_axes
from hwrnn.frontend.qdq_as_quant import qdq_as_quant
from hwrnn.frontend.walker import MOVES, leads_to_state
from hwrnn.ir.types import IntType, of_bits
from hwrnn.nn.observers import (
    Recipe,
    activation_type,
    weight_type,
    with_mantissa,
)

MOST_EXTRA = 2.0
"""By how much a weight's scale may grow so that the products of a sum share one scale."""


def calibrated(model: ModelProto, calibration: object, recipe: Recipe) -> ModelProto:
    """The model with quantisers. `model` is in the form of `normalised`.

    Raises DataError for data that do not fit, ImportFault for what cannot be quantised.
    """
    copy: ModelProto = ModelProto.FromString(model.SerializeToString())
    qdq_as_quant(copy)
    fold_floats(copy.graph)
    data = feeds(copy, calibration)
    note_steps(copy, data)
    seen = observe(copy, data)
    grids = analyse(copy, tied=recipe.scales == "float")
    Inserter(copy, grids, Scales(copy, grids, seen, recipe)).insert()
    if all(entry.domain != QONNX_DOMAIN for entry in copy.opset_import):
        copy.opset_import.append(helper.make_opsetid(QONNX_DOMAIN, 1))
    return copy


def note_steps(model: ModelProto, data: list[Feed]) -> None:
    """A file that leaves the number of steps open takes that of the data as its example's."""
    for port in model.graph.input:
        axes = input_axes(model.graph, port)
        steps = {feed[port.name].shape[axes.index("T")] for feed in data if "T" in axes}
        if len(steps) == 1 and example_steps(model) is None:
            model.metadata_props.add(key=EXAMPLE_STEPS, value=str(steps.pop()))


def fold_floats(graph: GraphProto) -> None:
    """Compute what depends on constants only; quantised constants stay what they are."""
    known = {entry.name: entry for entry in graph.initializer}
    kept: list[NodeProto] = []
    for node in graph.node:
        foldable = node.op_type not in ("Quant", "Scan", "If") and not node.domain
        if foldable and node.input and all(not name or name in known for name in node.input):
            values = {name: numpy_helper.to_array(known[name]) for name in node.input if name}
            for name, value in evaluated(node, values).items():
                known[name] = numpy_helper.from_array(value, name)
                graph.initializer.append(known[name])
        else:
            kept.append(node)
    replace_nodes(graph, kept)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A quantiser: its scale and its integers."""

    scale: float
    type: IntType
    zero: float = 0.0


@dataclass
class Scales:
    """The quantiser of every class and of every weight."""

    model: ModelProto
    grids: Grids
    seen: dict[Key, Floats]
    recipe: Recipe
    classes: dict[Key, Chosen] = field(default_factory=dict)
    weights: dict[Key, Chosen] = field(default_factory=dict)
    fixed: set[Key] = field(default_factory=set)

    def __post_init__(self) -> None:
        for root in sorted(self.grids.needed):
            self.classes[root] = self._of_class(root)
        for key in self.grids.weights:
            self.weights[key] = self._of_weight(key)
        if self.recipe.scales == "float":
            self._tie()
        self._align()

    def _members(self, root: Key) -> list[Key]:
        return [key for key in self.grids.producers if self.grids.same.find(key) == root]

    def _of_class(self, root: Key) -> Chosen:
        grids = self.grids
        for key in self._members(root):
            site = grids.producers[key]
            if site.node.op_type == "Quant":
                self.fixed.add(root)
                return self._as_written(site)
        inputs = [(0, p.name) for p in self.model.graph.input]
        keys = [
            *self._members(root),
            *(k for k in inputs if grids.same.find(k) == root),
        ]
        values = [self.seen[k] for k in keys if k in self.seen]
        values += [
            self._constant(site, k) for site, k, c in grids.operands if grids.same.find(c) == root
        ]
        whole = np.concatenate([v.reshape(-1) for v in values]) if values else np.zeros(1)
        exact = [s for s, _, c in grids.operands if grids.same.find(c) == root]
        if any(s.node.op_type == "Sub" for s in exact):
            whole = np.concatenate([self.seen[k] for k in keys if k in self.seen])
        t = activation_type(whole, self.recipe.act_bits)
        top = min(self.recipe.largest(whole, t), self._cap(root))
        if any(s.node.op_type == "Sub" for s in exact):
            self.fixed.add(root)  # a constant is subtracted from: its grid holds 1 exactly
            return Chosen(Recipe(act_bits=self.recipe.act_bits).scale_of(top, t), t)
        return Chosen(self.recipe.scale_of(top, t), t)

    def _cap(self, root: Key) -> float:
        """Beyond this number the functions that read a class do not change any more."""
        readers = [
            s.node.op_type
            for s in self.grids.sites
            for name in s.node.input
            if name and s.node.op_type != "Scan" and self.grids.root(s.g, name) == root
        ]
        bits = self.recipe.act_bits
        limits = {"Sigmoid": (bits + 1) * math.log(2), "Tanh": (bits + 2) * math.log(2) / 2}
        if not readers or any(op not in SATURATING for op in readers):
            return math.inf
        return max(limits[op] for op in readers)

    def _constant(self, site: Site, index: int) -> Floats:
        name = site.node.input[index]
        found = next((e for e in site.graph.initializer if e.name == name), None)
        if found is None:
            found = next((e for e in self.model.graph.initializer if e.name == name), None)
        if found is None:
            return np.zeros(0)
        return numpy_helper.to_array(found).astype(np.float64).reshape(-1)

    def _as_written(self, site: Site) -> Chosen:
        """The numbers of a Quant of the file."""
        scale, zero, bits = (self._constant(site, k) for k in (1, 2, 3))
        options = {a.name: a.i for a in site.node.attribute}
        signed, narrow = bool(options.get("signed", 1)), bool(options.get("narrow", 0))
        t = of_bits(int(bits[0]), signed=signed, narrow=narrow)
        return Chosen(float(scale[0]), t, float(zero[0]))

    def _of_weight(self, key: Key) -> Chosen:
        grids, t = self.grids, weight_type(self.recipe.weight_bits)
        site, index = grids.weights[key][0]
        if key in grids.quantised_consts:
            self.fixed.add(key)
            return Chosen(self._scale_of_quantised(key), t)
        values = self._constant(site, index)
        return Chosen(self.recipe.scale_of(self.recipe.largest(values, t), t), t)

    def _scale_of_quantised(self, key: Key) -> float:
        """The scale of weights that are quantised already; of several the first."""
        made = {o: n for n in self.model.graph.node for o in n.output}
        made |= {o: s.node for s in self.grids.sites if s.g == key[0] for o in s.node.output}
        node = made.get(key[1])
        while node is not None and node.op_type != "Quant":
            node = made.get(node.input[0])
        if node is None:
            return 1.0
        site = Site(0, self.model.graph, node)
        return float(self._constant(site, 1)[0]) if self._constant(site, 1).size else 1.0

    def _tie(self) -> None:
        """Scales of float: what is added has scales that differ by powers of two."""
        tied = Union()
        for leaves in self.grids.sums:
            tied.join(*(leaf.x for leaf in leaves))
            weights = [leaf.weight for leaf in leaves if leaf.weight]
            if len(weights) > 1:
                tied.join(*weights)
        whole = self.classes | self.weights
        groups: dict[Key, list[Key]] = {}
        for key in whole:
            groups.setdefault(tied.find(key), []).append(key)
        for members in groups.values():
            first = next((k for k in members if k in self.fixed), members[0])
            for key in members:
                if key not in self.fixed:
                    chosen = whole[key]
                    self._set(key, with_mantissa(chosen.scale, whole[first].scale))

    def _set(self, key: Key, scale: float) -> None:
        table = self.classes if key in self.classes else self.weights
        table[key] = Chosen(scale, table[key].type)

    def _align(self) -> None:
        """The products of a sum get one scale where that costs no more than a bit."""
        done: set[Key] = set()
        for leaves in sorted(self.grids.sums, key=len, reverse=True):
            known = [leaf for leaf in leaves if leaf.weight and leaf.x in self.classes]
            if any(leaf.weight in done for leaf in known) or len(known) < 2:
                continue
            largest = max(self._product(leaf) for leaf in known)
            for leaf in known:
                assert leaf.weight is not None
                done.add(leaf.weight)
                factor = largest / self._product(leaf)
                if leaf.weight not in self.fixed and factor <= MOST_EXTRA:
                    power = 2.0 ** round(math.log2(factor))
                    self._set(leaf.weight, self.weights[leaf.weight].scale * power)

    def _product(self, leaf: Leaf) -> float:
        assert leaf.weight is not None
        return self.classes[leaf.x].scale * self.weights[leaf.weight].scale


@dataclass
class Inserter:
    """Puts Quant nodes into a model."""

    model: ModelProto
    grids: Grids
    scales: Scales

    def insert(self) -> None:
        """Weights, constants of classes, and behind every op that makes a tensor of a class."""
        graphs = [self.model.graph, *(body_of(s) for s in scans(self.model.graph))]
        inputs = {p.name: self._input(p.name) for p in self.model.graph.input}
        states = moved(self.model.graph)
        for g, graph in reversed(list(enumerate(graphs))):
            nodes: list[NodeProto] = []
            for node in graph.node:
                before = self._constants(g, graph, node)
                before += self._first_states(node, states) if node.op_type == "Scan" else []
                after = self._results(g, graph, node)
                nodes += [*before, node, *after]
            if g == 0:
                nodes = [*(n for made in inputs.values() for n in made), *nodes]
            replace_nodes(graph, nodes)

    def _input(self, name: str) -> list[NodeProto]:
        """The Quant behind an input of the graph, and everyone reading that instead; none behind
        an initial state.
        """
        if leads_to_state(self.model.graph, name):
            return []
        chosen = self.scales.classes.get(self.grids.root(0, name))
        readers = [
            (n, k) for n in self.model.graph.node for k, i in enumerate(n.input) if i == name
        ]
        if all(n.op_type in ("Quant", "Shape") for n, _ in readers) or chosen is None:
            return []
        label = f"{name}_quantised"
        for node, k in readers:
            if node.op_type not in ("Quant", "Shape"):
                node.input[k] = label
        return [self._quant(self.model.graph, name, label, chosen)]

    def _first_states(self, scan: NodeProto, given: set[str]) -> list[NodeProto]:
        """A Quant for each initial state of a Scan that is an input of the graph."""
        made: list[NodeProto] = []
        for k, name in enumerate(scan.input[: states_of(scan)]):
            if name in given:
                label = f"{name}/quantised_{len(made)}"
                chosen = self.scales.classes[self.grids.root(0, name)]
                made.append(self._quant(self.model.graph, name, label, chosen))
                scan.input[k] = label
        return made

    def _constants(self, g: int, graph: GraphProto, node: NodeProto) -> list[NodeProto]:
        made: list[NodeProto] = []
        for site, k, key in self.grids.operands:
            chosen = self.scales.classes.get(self.grids.same.find(key))
            done = self.grids.key(g, node.input[k]) if site.node is node else key
            if site.node is node and chosen is not None and done not in self.grids.quantised_consts:
                made.append(self._operand(graph, node, k, chosen))
        for k, name in enumerate(node.input):
            key = self.grids.key(g, name) if name else (g, "")
            mine = any(s.node is node and at == k for s, at in self.grids.weights.get(key, []))
            if mine and key not in self.grids.quantised_consts:
                made.append(self._weight(graph, node, k, self.scales.weights[key]))
        return [n for n in made if n.op_type]

    def _operand(self, graph: GraphProto, node: NodeProto, k: int, chosen: Chosen) -> NodeProto:
        """A constant that stands beside activations, on their grid and never clamped."""
        t = chosen.type
        if node.op_type == "Sub":
            found = [e for e in graph.initializer if e.name == node.input[k]]
            most = max(abs(float(v)) for e in found for v in numpy_helper.to_array(e).reshape(-1))
            bits = max(t.bits + 1, math.ceil(most / chosen.scale).bit_length())
            t = IntType(0, 2**bits - 1)
        label = f"{node.name or node.output[0]}/operand_{k}"
        quant = self._quant(graph, node.input[k], label, Chosen(chosen.scale, t))
        node.input[k] = label
        return quant

    def _weight(self, graph: GraphProto, node: NodeProto, k: int, chosen: Chosen) -> NodeProto:
        label = f"{node.name or node.output[0]}/weight_{k}"
        quant = self._quant(graph, node.input[k], label, chosen)
        node.input[k] = label
        return quant

    def _results(self, g: int, graph: GraphProto, node: NodeProto) -> list[NodeProto]:
        """A Quant behind each result that lives on a quantised grid."""
        made: list[NodeProto] = []
        for k, name in enumerate(node.output):
            key = (g, name)
            site = self.grids.producers.get(key)
            if not name or site is None or site.node.op_type == "Quant":
                continue
            chosen = self.scales.classes.get(self.grids.same.find(key))
            if chosen is not None:
                raw = f"{name}/raw"
                node.output[k] = raw
                made.append(self._quant(graph, raw, name, chosen))
        return made

    def _quant(self, graph: GraphProto, source: str, label: str, chosen: Chosen) -> NodeProto:
        """A Quant node; its three numbers are initialisers of its graph."""
        t = chosen.type
        signed = t.lo < 0
        narrow = signed and -t.lo == t.hi
        bits = t.bits
        names = [f"{label}/{part}" for part in ("scale", "zero_point", "bit_width")]
        for name, value in zip(names, (chosen.scale, chosen.zero, bits), strict=True):
            graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return helper.make_node(
            "Quant",
            [source, *names],
            [label],
            name=label,
            domain=QONNX_DOMAIN,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode="ROUND",
        )


def moved(graph: GraphProto) -> set[str]:
    """The initial states among the inputs of a graph, and what only moves those."""
    found = {port.name for port in graph.input if leads_to_state(graph, port.name)}
    for node in graph.node:
        if node.op_type in MOVES and node.input[0] in found:
            found.update(node.output)
    return found
