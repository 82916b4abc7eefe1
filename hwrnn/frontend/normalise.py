# SPDX-License-Identifier: Apache-2.0
"""Models as others write them, brought into the one form that the walk over the graph knows.

* An opset of at least 13, where `Squeeze` and its kin take their axes as an input; a `Scan` of
  opset 8, which walks axis 1 of a batch, becomes one of today, which walks axis 0.
* Standard LSTM, GRU and RNN nodes become Scans (`onnx_rnn`).
* A quantiser of a scanned input inside of the body moves out of it: the first quantiser belongs
  to the host. It works element by element, so that its place makes no difference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)
from onnx.version_converter import convert_version

from hwrnn.errors import ImportFault, shorten
from hwrnn.frontend.cell_scan import named
from hwrnn.frontend.fold_constants import fold_constants
from hwrnn.frontend.lower_cells import EXAMPLE_STEPS, example_steps
from hwrnn.frontend.onnx_rnn import int_attribute
from hwrnn.frontend.onnx_rnn_steps import drop_unread_inputs, lower_standard, standard_cells
from hwrnn.frontend.ports import state_axes, time_axis
from hwrnn.frontend.walker import leads_to_state

LEAST_OPSET = 13
LEAST_OPSET_QDQ = 21  # onnx.reference has no older DequantizeLinear
LEAST_IR = 4  # before, every initialiser had to be an input, too
QUANTISERS = ("Quant", "QuantizeLinear")
CHAIN = ("Clip", "DequantizeLinear", "Identity")  # what may follow a QuantizeLinear


def normalised(model: ModelProto) -> ModelProto:
    """A copy of the model in the one form. Raises ImportFault for what has none."""
    copy: ModelProto = ModelProto.FromString(model.SerializeToString())
    copy = modern(copy)
    drop_constant_inputs(copy.graph)
    copy.ir_version = max(copy.ir_version, LEAST_IR)
    repair_squeeze(copy.graph)
    had_cells = bool(standard_cells(copy.graph))
    copy = lower_standard(copy)
    if had_cells:
        free_steps(copy)
    hoist_quantisers(copy.graph)
    live = alive(copy.graph)
    replace_nodes(copy.graph, [n for n in copy.graph.node if live.intersection(n.output)])
    drop_unread_inputs(copy)
    return copy


def repair_squeeze(graph: GraphProto) -> None:
    """Brevitas squeezes axis 1 of a sequence with `layout` 1, where the directions are axis 2."""
    known = {entry.name: entry for entry in graph.initializer}
    batch_first = {
        n.output[0] for n in standard_cells(graph) if int_attribute(n, "layout", 0) and n.output[0]
    }
    for node in graph.node:
        axes = known.get(node.input[1]) if len(node.input) > 1 else None
        wrong = node.op_type == "Squeeze" and node.input[0] in batch_first and axes is not None
        if wrong and axes is not None and numpy_helper.to_array(axes).tolist() == [1]:
            name = f"{node.input[0]}/directions"
            if name not in known:
                known[name] = numpy_helper.from_array(np.array([2], np.int64), name)
                graph.initializer.append(known[name])
            node.input[1] = name


def drop_constant_inputs(graph: GraphProto) -> None:
    """Initialisers are no inputs."""
    constants = {entry.name for entry in graph.initializer}
    kept = [p for p in graph.input if p.name not in constants]
    if len(kept) != len(graph.input):
        copies = [ValueInfoProto.FromString(port.SerializeToString()) for port in kept]
        del graph.input[:]
        graph.input.extend(copies)


def free_steps(model: ModelProto) -> None:
    """Batch and steps of the example are no property of a model with standard cells."""
    for port in model.graph.input:
        dims = port.type.tensor_type.shape.dim
        if leads_to_state(model.graph, port.name):
            dims[state_axes(model.graph, port).index("B")].dim_param = "batch"
        elif len(dims) == 3:
            time = time_axis(model.graph, port.name)
            steps = int(dims[time].dim_value)
            if steps > 0 and example_steps(model) is None:
                model.metadata_props.add(key=EXAMPLE_STEPS, value=str(steps))
            dims[time].dim_param, dims[1 - time].dim_param = "steps", "batch"
    for port in model.graph.output:
        for k, dim in enumerate(list(port.type.tensor_type.shape.dim)[:-1]):
            dim.dim_param = f"{port.name}_dim_{k}"


def opset(model: ModelProto) -> int:
    """The version of ONNX's own operators."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)


def modern(model: ModelProto) -> ModelProto:
    """The model at opset 13 or later."""
    least = LEAST_OPSET_QDQ if quantises(model.graph) else LEAST_OPSET
    if opset(model) >= least:
        return model
    if opset(model) == 8:
        scans_of_today(model)
    if any(node.domain not in ("", "ai.onnx") for node in model.graph.node):
        return axes_as_inputs(model, least)
    constants_as_inputs(model.graph)
    try:
        converted: ModelProto = convert_version(model, least)
    except RuntimeError as fault:
        fact = f"is of opset {opset(model)}, and cannot be converted to {least}"
        raise ImportFault("model", fact, "export it again with a newer exporter") from fault
    fold_constants(converted.graph)
    return converted


def quantises(graph: GraphProto) -> bool:
    """Whether a QuantizeLinear or DequantizeLinear stands in a graph, or in the body of a Scan."""
    inner = [body_of(node) for node in graph.node if node.op_type == "Scan"]
    linear = any(n.op_type in ("QuantizeLinear", "DequantizeLinear") for n in graph.node)
    return linear or any(quantises(body) for body in inner)


def axes_as_inputs(model: ModelProto, least: int) -> ModelProto:
    """What changed in opset 13, by hand: the converter does not know QONNX's operators."""
    for node in model.graph.node:
        axes = next((a for a in node.attribute if a.name == "axes"), None)
        if node.op_type in ("Squeeze", "Unsqueeze") and axes is not None:
            name = f"{node.output[0]}/axes"
            value = np.array(list(axes.ints), np.int64)
            model.graph.initializer.append(numpy_helper.from_array(value, name))
            node.input.append(name)
            node.attribute.remove(axes)
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = least
    return model


def constants_as_inputs(graph: GraphProto) -> None:
    """The converter, as old files, wants every initialiser among the inputs."""
    known = {port.name for port in graph.input}
    for entry in graph.initializer:
        if entry.name not in known:
            info = helper.make_tensor_value_info(entry.name, entry.data_type, list(entry.dims))
            graph.input.append(info)


def scans_of_today(model: ModelProto) -> None:
    """Every Scan of opset 8 as one of opset 9: the same body for a whole batch at each step."""
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        nodes += scan_of_today(node) if node.op_type == "Scan" else [node]
    replace_nodes(model.graph, nodes)
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = 9


def scan_of_today(node: NodeProto) -> list[NodeProto]:
    """One Scan, and the Transpose nodes around it."""
    place = f'node "{shorten(node.name or node.output[0], 48)}" (Scan)'
    lengths, *values = node.input
    known = {a.name: a for a in node.attribute}
    if lengths:
        raise ImportFault(place, "has sequence_lens", "give `lengths` to hwrnn.run instead")
    if "directions" in known and any(known["directions"].ints):
        raise ImportFault(place, "scans backwards", "reverse the sequence with a Slice around it")
    count = int(known["num_scan_inputs"].i)
    body = without_shapes(known["body"].g)
    states, scanned = values[: len(values) - count], values[len(values) - count :]
    name = node.name or node.output[0]
    turned = [f"{name}/steps_{k}" for k in range(count)]
    before = [
        named("Transpose", [x], t, perm=[1, 0, 2]) for x, t in zip(scanned, turned, strict=True)
    ]
    ends = list(node.output[len(states) :])
    made = [f"{name}/scanned_{k}" for k in range(len(ends))]
    scan = helper.make_node(
        "Scan",
        [*states, *turned],
        [*node.output[: len(states)], *made],
        name=name,
        body=body,
        num_scan_inputs=count,
    )
    after = [named("Transpose", [m], e, perm=[1, 0, 2]) for m, e in zip(made, ends, strict=True)]
    return [*before, scan, *after]


def without_shapes(body: GraphProto) -> GraphProto:
    """A body whose ports take any shape."""
    copy: GraphProto = GraphProto.FromString(body.SerializeToString())
    for port in (*copy.input, *copy.output):
        kind = port.type.tensor_type.elem_type or TensorProto.FLOAT
        port.CopyFrom(helper.make_tensor_value_info(port.name, kind, None))
    del copy.value_info[:]
    return copy


def hoist_quantisers(graph: GraphProto) -> None:
    """Move what quantises a scanned port from the body to the sequence outside."""
    for scan in [n.output[:] for n in graph.node if n.op_type == "Scan"]:
        for k in range(len(scan_named(graph, scan).input)):
            node = scan_named(graph, scan)
            body = body_of(node)
            chain = quantiser_of_port(body, body.input[k].name) if k >= states_of(node) else []
            if chain:
                hoist(graph, node, k, chain)


def scan_named(graph: GraphProto, outputs: Sequence[str]) -> NodeProto:
    """The Scan that makes these values, as it is now."""
    found: NodeProto = next(n for n in graph.node if n.output == outputs)
    return found


def body_of(scan: NodeProto) -> GraphProto:
    """The body of a Scan."""
    found: GraphProto = next(a.g for a in scan.attribute if a.name == "body")
    return found


def states_of(scan: NodeProto) -> int:
    """How many of a Scan's inputs are states."""
    return len(scan.input) - next(int(a.i) for a in scan.attribute if a.name == "num_scan_inputs")


def quantiser_of_port(body: GraphProto, port: str) -> list[NodeProto]:
    """The nodes that quantise a port and do nothing else; none if something else reads it."""
    live = alive(body)
    readers = [n for n in body.node if port in n.input and live.intersection(n.output)]
    if len(readers) != 1 or readers[0].op_type not in QUANTISERS:
        return []
    chain = [readers[0]]
    while chain[-1].op_type not in ("Quant", "DequantizeLinear"):
        value = chain[-1].output[0]
        after = [n for n in body.node if value in n.input and live.intersection(n.output)]
        if len(after) != 1 or after[0].op_type not in CHAIN:
            return []
        chain.append(after[0])
    return chain


def alive(body: GraphProto) -> set[str]:
    """The values of a body on which its outputs depend."""
    needed = {port.name for port in body.output}
    for node in reversed(body.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            for entry in node.attribute:
                if entry.type == AttributeProto.GRAPH:
                    needed |= alive(entry.g)
    return needed


def hoist(graph: GraphProto, scan: NodeProto, index: int, chain: Sequence[NodeProto]) -> None:
    """Copy a chain in front of a Scan; what it made inside is then the port itself."""
    body = body_of(scan)
    port, end = body.input[index].name, chain[-1].output[0]
    base = f"{scan.name or scan.output[0]}/in_{index}"
    inner = {entry.name: entry for entry in body.initializer}
    names = {port: scan.input[index]}
    made: list[NodeProto] = []
    for k, link in enumerate(chain):
        copy: NodeProto = NodeProto.FromString(link.SerializeToString())
        for slot, name in enumerate(copy.input):
            if name in inner and name not in names:
                names[name] = f"{base}/{name}"
                tensor = TensorProto.FromString(inner[name].SerializeToString())
                tensor.name = names[name]
                graph.initializer.append(tensor)
            copy.input[slot] = names.get(name, name)
        names[copy.output[0]] = f"{base}/{k}"
        copy.output[0] = copy.name = f"{base}/{k}"
        made.append(copy)
    scan.input[index] = made[-1].output[0]
    moved = {n.output[0] for n in chain}
    live = alive(body) - moved
    replace_nodes(body, [n for n in body.node if live.intersection(n.output)])
    rename(body, end, port)
    at = next(k for k, n in enumerate(graph.node) if n.output == scan.output)
    replace_nodes(graph, [*graph.node[:at], *made, *graph.node[at:]])


def rename(graph: GraphProto, old: str, new: str) -> None:
    """Let everything in a graph that reads one value read another."""
    for node in graph.node:
        for k, name in enumerate(node.input):
            if name == old:
                node.input[k] = new
        for entry in node.attribute:
            if entry.type == AttributeProto.GRAPH:
                rename(entry.g, old, new)


def replace_nodes(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    """Give a graph other nodes."""
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
