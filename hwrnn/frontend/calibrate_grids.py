# SPDX-License-Identifier: Apache-2.0
"""Where a float model needs quantisers, and which of them share a scale.

Tensors are (g, name), see `calibrate_taps`. What only moves elements, a state and its next value,
a scanned sequence and its step all live on one grid: they form a class. A class is quantised, with
a Quant behind each op that makes one of its tensors, if
    a function reads or makes it (ReLU only makes it), it is multiplied by another activation or is
    such a product, a matrix multiplies it, it is a state, or it is an input of the graph.
Sums are not, unless one of these holds: a sum of products is exact, and rounds once, in front of
the function behind it. `1 - z` is exact, too, with the 1 on the grid of z.

With scales of float, numbers that are added must have scales that differ by powers of two, or the
sum's grid would be far too fine. So x and h of a sum of products are tied, and so are their
weights; products and quantised values are not added unless the products are quantised first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, numpy_helper

from hwrnn.frontend.calibrate_data import WHOLE
from hwrnn.frontend.calibrate_taps import Key, scans
from hwrnn.frontend.normalise import body_of, states_of

MOVES = (
    "Identity",
    "Dropout",
    "Cast",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Gather",
    "Reshape",
    "Flatten",
    "Expand",
    "MaxPool",
    "If",
)
FUNCTIONS = (
    "Sigmoid",
    "Tanh",
    "HardSigmoid",
    "LeakyRelu",
    "Elu",
    "Softsign",
    "Softplus",
    "ThresholdedRelu",
)
SATURATING = ("Sigmoid", "Tanh")
PRODUCTS = ("MatMul", "Gemm", "Conv")
SUMS = ("Add", "Sub")


class Union:
    """Disjoint sets of tensors."""

    def __init__(self) -> None:
        self.parent: dict[Key, Key] = {}

    def find(self, key: Key) -> Key:
        """The one that stands for the set of `key`."""
        root = key
        while self.parent.get(root, root) != root:
            root = self.parent[root]
        while key != root:
            self.parent[key], key = root, self.parent.get(key, key)
        return root

    def join(self, *keys: Key) -> None:
        """Make one set of those of some tensors."""
        for other in keys[1:]:
            a, b = self.find(keys[0]), self.find(other)
            if a != b:
                self.parent[b] = a


@dataclass(frozen=True, slots=True)
class Site:
    """A node, and the graph in which it stands."""

    g: int
    graph: GraphProto
    node: NodeProto


@dataclass(frozen=True, slots=True)
class Leaf:
    """A summand of a sum: an activation times constants, or (`weight` None) a quantised value."""

    x: Key
    weight: Key | None


@dataclass
class Grids:
    """What the analysis finds."""

    sites: list[Site] = field(default_factory=list)
    kind: dict[Key, str] = field(default_factory=dict)  # const, shape or act
    local: dict[int, set[str]] = field(default_factory=dict)
    same: Union = field(default_factory=Union)
    needed: set[Key] = field(default_factory=set)  # classes
    exact: set[Key] = field(default_factory=set)  # classes that are exact sums of quantised values
    producers: dict[Key, Site] = field(default_factory=dict)
    operands: list[tuple[Site, int, Key]] = field(default_factory=list)  # constants of a class
    weights: dict[Key, list[tuple[Site, int]]] = field(default_factory=dict)
    sums: list[list[Leaf]] = field(default_factory=list)
    quantised_consts: set[Key] = field(default_factory=set)

    def key(self, g: int, name: str) -> Key:
        """The tensor that a graph calls so."""
        return (g, name) if name in self.local.get(g, set()) else (0, name)

    def act(self, g: int, name: str) -> bool:
        """Whether it is an activation."""
        return self.kind.get(self.key(g, name)) == "act"

    def root(self, g: int, name: str) -> Key:
        """The class of a tensor."""
        return self.same.find(self.key(g, name))


def analyse(model: ModelProto, *, tied: bool) -> Grids:
    """The classes of a model; `tied`: scales of float."""
    grids = Grids()
    _Kinds(grids).outer(model.graph)
    for site in grids.sites:
        link(grids, site)
    states = list(state_classes(grids, model.graph))
    settle(grids, model.graph, states, tied=tied)
    find_sums(grids)
    return grids


class _Kinds:
    """The first walk: which tensors are constants, shapes or activations."""

    def __init__(self, grids: Grids) -> None:
        self.grids = grids

    def outer(self, graph: GraphProto) -> None:
        self._names(0, graph)
        for entry in graph.initializer:
            self.grids.kind[0, entry.name] = "const"
        for port in graph.input:
            self.grids.kind.setdefault((0, port.name), "act")
        count = 0
        for node in graph.node:
            self.grids.sites.append(Site(0, graph, node))
            if node.op_type == "Scan":
                count += 1
                self._body(count, body_of(node))
                for name in node.output:
                    self.grids.kind[0, name] = "act"
            else:
                self._node(0, node)

    def _body(self, g: int, body: GraphProto) -> None:
        self._names(g, body)
        for entry in body.initializer:
            self.grids.kind[g, entry.name] = "const"
        for port in body.input:
            self.grids.kind[g, port.name] = "act"
        for node in body.node:
            self.grids.sites.append(Site(g, body, node))
            self._node(g, node)

    def _names(self, g: int, graph: GraphProto) -> None:
        names = {entry.name for entry in (*graph.initializer, *graph.input)}
        self.grids.local[g] = names | {o for node in graph.node for o in node.output}

    def _node(self, g: int, node: NodeProto) -> None:
        grids = self.grids
        keys = [grids.key(g, name) for name in (*node.input, *captured(node)) if name]
        kinds = [grids.kind.get(key, "act") for key in keys]
        if node.op_type == "Shape":
            kind = "shape"
        elif node.op_type in MOVES and node.op_type != "If":
            kind = kinds[0] if kinds else "const"
            if node.op_type == "Expand" and "shape" in kinds[1:]:
                kind = "act"
            if node.op_type == "Gather" and "act" in kinds[1:]:  # a table is read
                kind = "act"
        else:
            kind = next((k for k in ("shape", "act") if k in kinds), "const")
        for name in node.output:
            grids.kind[g, name] = kind
        quantised = node.op_type == "Quant" or any(k in grids.quantised_consts for k in keys)
        if kind == "const" and quantised:
            grids.quantised_consts |= {(g, name) for name in node.output}


def captured(node: NodeProto) -> list[str]:
    """What the branches of an If read from outside."""
    if node.op_type != "If":
        return []
    branches = [a.g for a in node.attribute if a.type == AttributeProto.GRAPH]
    inside = {o for b in branches for n in b.node for o in n.output}
    inside |= {entry.name for b in branches for entry in b.initializer}
    return [i for b in branches for n in b.node for i in n.input if i and i not in inside]


def link(grids: Grids, site: Site) -> None:
    """Join what lives on one grid because of a node, and note who makes what."""
    g, node = site.g, site.node
    outs = [(g, name) for name in node.output if name]
    if node.op_type == "Scan":
        link_scan(grids, site)
    elif not outs or grids.kind.get(outs[0]) != "act":
        return
    elif node.op_type in MOVES:
        source = captured(node)[0] if node.op_type == "If" and captured(node) else node.input[0]
        if grids.act(g, source):
            grids.same.join(outs[0], grids.key(g, source))
        else:
            grids.operands.append((site, 0, outs[0]))
    elif node.op_type == "Concat":
        for k, name in enumerate(node.input):
            if grids.act(g, name):
                grids.same.join(outs[0], grids.key(g, name))
            else:
                grids.operands.append((site, k, outs[0]))
    else:
        for out in outs:
            grids.producers[out] = site


def link_scan(grids: Grids, site: Site) -> None:
    """States and their next values, sequences and their steps."""
    node = site.node
    body = body_of(node)
    g = 1 + [s.output[0] for s in scans(site.graph)].index(node.output[0])
    for k, name in enumerate(node.input):
        inner = (g, body.input[k].name)
        if grids.act(0, name):
            grids.same.join(inner, (0, name))
        else:
            grids.operands.append((site, k, inner))
        if k < states_of(node):
            grids.same.join(inner, grids.key(g, body.output[k].name))
    for k, name in enumerate(node.output):
        if name:
            grids.same.join((0, name), grids.key(g, body.output[k].name))


def state_classes(grids: Grids, graph: GraphProto) -> Iterator[Key]:
    """The classes of states."""
    for g, scan in enumerate(scans(graph), 1):
        for port in body_of(scan).input[: states_of(scan)]:
            yield grids.root(g, port.name)


def settle(grids: Grids, graph: GraphProto, states: Iterable[Key], *, tied: bool) -> None:
    """Find the classes that need a quantiser, until nothing more is found."""
    for port in graph.input:
        if port.type.tensor_type.elem_type not in WHOLE:
            grids.needed.add(grids.root(0, port.name))
    grids.needed |= set(states)
    held = set(grids.needed)
    before = -1
    while before != len(grids.needed) + len(grids.exact):
        before = len(grids.needed) + len(grids.exact)
        for site in grids.sites:
            demand(grids, site, tied=tied)
    grids.exact -= held
    grids.needed -= grids.exact


def demand(grids: Grids, site: Site, *, tied: bool) -> None:
    """What one node wants to be quantised."""
    g, node = site.g, site.node
    if node.op_type in ("Scan", "Quant", *MOVES, "Concat") or not node.output:
        return
    if grids.kind.get((g, node.output[0])) != "act":
        return
    acts = [k for k, name in enumerate(node.input) if name and grids.act(g, name)]
    out = grids.root(g, node.output[0])
    classes = [grids.root(g, node.input[k]) for k in acts]
    if node.op_type in PRODUCTS:
        grids.needed |= set(classes)
        note_weight(grids, site, 1 - acts[0] if acts[0] < 2 else 1)
    elif node.op_type == "Mul" and len(acts) == 1:
        if not single(grids, site, 1 - acts[0]):
            grids.needed |= set(classes)
            note_weight(grids, site, 1 - acts[0])
    elif node.op_type in SUMS:
        demand_sum(grids, site, acts, tied=tied)
    elif node.op_type != "Div":
        made = set() if quantised_behind(site) else {out}
        grids.needed |= made if node.op_type == "Relu" else {*made, *classes}


def quantised_behind(site: Site) -> bool:
    """Whether whatever reads the result of a node is a quantiser."""
    name = site.node.output[0]
    readers = [n.op_type for n in site.graph.node if name in n.input]
    ends = any(port.name == name for port in site.graph.output)
    return bool(readers) and not ends and all(op == "Quant" for op in readers)


def demand_sum(grids: Grids, site: Site, acts: list[int], *, tied: bool) -> None:
    """Sums with a constant in front, and with scales of float sums of unlike values."""
    g, node = site.g, site.node
    classes = [grids.root(g, node.input[k]) for k in acts]
    if node.op_type == "Sub" and acts == [1]:
        grids.needed.add(classes[0])
        grids.exact.add(grids.root(g, node.output[0]))
        if not any(s.node is node for s, _, _ in grids.operands):
            grids.operands.append((site, 0, classes[0]))
    elif tied and len(acts) == 2:
        quantised = [c in grids.needed or c in grids.exact for c in classes]
        if any(quantised):
            grids.needed |= {c for c, q in zip(classes, quantised, strict=True) if not q}


def single(grids: Grids, site: Site, index: int) -> bool:
    """Whether a constant factor is one positive number, which only stretches the grid."""
    name = site.node.input[index]
    for entry in site.graph.initializer:
        if entry.name == name:
            value = numpy_helper.to_array(entry)
            return bool(value.size == 1 and (value > 0).all())
    return grids.key(site.g, name) in grids.quantised_consts


def note_weight(grids: Grids, site: Site, index: int) -> None:
    """A constant that multiplies activations."""
    key = grids.key(site.g, site.node.input[index])
    if grids.kind.get(key) == "const":
        users = grids.weights.setdefault(key, [])
        if not any(s.node is site.node for s, _ in users):
            users.append((site, index))


def find_sums(grids: Grids) -> None:
    """The leaves of every sum of two activations."""
    for site in grids.sites:
        names = site.node.input
        if site.node.op_type in SUMS and all(grids.act(site.g, n) for n in names):
            leaves = [leaf for n in names for leaf in leaves_of(grids, grids.root(site.g, n))]
            grids.sums.append(leaves)


def leaves_of(grids: Grids, root: Key) -> list[Leaf]:
    """The summands of a class that is not quantised; else the class itself."""
    if root in grids.needed:
        return [Leaf(root, None)]
    made = [s for key, s in grids.producers.items() if grids.same.find(key) == root]
    if len(made) != 1:
        return [Leaf(root, None)]
    site = made[0]
    g, node = site.g, site.node
    acts = [n for n in node.input if n and grids.act(g, n)]
    if node.op_type in PRODUCTS or (node.op_type == "Mul" and len(acts) == 1):
        others = [n for n in node.input[:2] if n not in acts]
        weight = grids.key(g, others[0]) if others else None
        known = weight in grids.weights
        return [Leaf(grids.root(g, acts[0]), weight if known else None)]
    if node.op_type in SUMS:
        return [leaf for n in acts for leaf in leaves_of(grids, grids.root(g, n))]
    return [Leaf(root, None)]
