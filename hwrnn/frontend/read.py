# SPDX-License-Identifier: Apache-2.0
"""Read a QONNX file, and refuse in words whatever could not be compiled exactly.

`read_model` gives the file's graph with four harmless tidyings: constants are initialisers (no
`Constant` nodes, no copies of an initialiser through `Identity`), initialisers are no graph
inputs, and `IntQuant` is called by its older name `Quant`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    numpy_helper,
)
from qonnx.core.modelwrapper import ModelWrapper

from hwrnn.errors import ImportFault, shorten
from hwrnn.frontend.cell_nodes import (
    KINDS,
    QONNX_DOMAIN,
    CellKind,
    attribute,
    kind_of,
    quantiser_attributes,
    readable_name,
)
from hwrnn.frontend.cell_scan import wrong_inputs
from hwrnn.frontend.fold_constants import bodies, fold_constants, graphs
from hwrnn.frontend.lower_cells import LowerRecurrentCells
from hwrnn.frontend.normalise import normalised

ROUNDING_MODES = (
    "ROUND",
    "HALF_EVEN",
    "CEIL",
    "FLOOR",
    "UP",
    "DOWN",
    "ROUND_TO_ZERO",
    "HALF_UP",
    "HALF_DOWN",
)
_COMPILED = (*dict.fromkeys(kind.op for kind in KINDS), "Scan")
_STANDARD_CELLS = {
    "LSTM": "brevitas.nn.QuantLSTM",
    "GRU": "hwrnn.nn.QuantGRU",
    "RNN": "brevitas.nn.QuantRNN",
}
_RECURRENT = (*_COMPILED, *_STANDARD_CELLS)
_FOREIGN = (
    "DynamicQuantizeLSTM",
    "DynamicQuantizeLinear",
    "DynamicQuantizeMatMul",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "QGemm",
    "QLinearMatMul",
    "QLinearConv",
    "QLinearAdd",
    "ConvInteger",
)
_EXPORT_HINT = "export it again with hwrnn.export(module, example_input, path)"
_SCALE_HINT = "calibrate again; an activation that is always zero gives a scale of 0"
_MAX_BITS = 32


def lower(model: ModelWrapper) -> ModelWrapper:
    """Turn every recurrent cell node of `model` into a Scan; changes `model` itself."""
    lowered, _ = LowerRecurrentCells().apply(model)
    return lowered


def read_model(path: str | os.PathLike[str], *, floats: bool = False) -> ModelWrapper:
    """The graph in the file at `path`; `floats`: layers that are not quantised are taken, too.

    Raises ImportFault, with the place, the fact and a remedy, if the file is missing or damaged,
    holds no recurrent layer, or holds numbers that have no exact integer meaning.
    """
    file = Path(path)
    return ModelWrapper(tidied(_parse(file), shorten(file.name, 48), floats=floats))


def tidied(model: ModelProto, file: str, *, floats: bool = False) -> ModelProto:
    """A parsed model, changed in place, with all checks done; `file`: how messages call it."""
    _Reader(file, model, floats=floats).check()
    return model


@contextmanager
def naming(file: str) -> Iterator[None]:
    """Put the file in front of the place of a refusal."""
    try:
        yield
    except ImportFault as fault:
        raise ImportFault(f"{file}: {fault.place}", fault.fact, fault.hint) from fault


def _parse(file: Path) -> ModelProto:
    """The bytes of the file as a model, or the reason why not."""
    if file.is_dir():
        raise ImportFault(str(file), "this is a folder", "name the .onnx file inside it")
    try:
        model: ModelProto = onnx.load(file, load_external_data=False)
    except FileNotFoundError as fault:
        hint = "check the path; hwrnn.export(module, example_input, path) writes one"
        raise ImportFault(str(file), "there is no such file", hint) from fault
    except OSError as fault:
        raise ImportFault(
            str(file),
            f"cannot be read: {fault.strerror or fault}",
            "check the permissions of the file",
        ) from fault
    except DecodeError as fault:
        raise _damaged(file) from fault
    if not model.ir_version or not model.opset_import or not model.graph.output:
        raise _damaged(file)
    try:
        onnx.load_external_data_for_model(model, str(file.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as fault:
        fact = "the external data of this model cannot be read"
        hint = "keep its data file beside it, under the name it had when it was saved"
        raise ImportFault(shorten(file.name, 48), fact, hint) from fault
    return model


def _damaged(file: Path) -> ImportFault:
    fact = "not an ONNX file, or one that was cut short"
    return ImportFault(shorten(file.name, 48), fact, f"copy it again, or {_EXPORT_HINT}")


class _Reader:
    """The checks on one parsed file, and its tidying."""

    def __init__(self, file: str, model: ModelProto, *, floats: bool) -> None:
        self.file = file
        self.floats = floats
        self.model = model
        self.graph: GraphProto = model.graph

    def check(self) -> None:
        """Tidy the model in place; raise for the first thing that cannot be compiled."""
        for graph in graphs(self.graph):
            fold_constants(graph)
            _spell_quant_one_way(graph)
        _drop_constant_inputs(self.graph)
        self._check_recurrent()
        if not self.floats:
            self._check_standard_cells()
        if not any(kind_of(node) for node in self.graph.node):
            with naming(self.file):
                self.model.CopyFrom(normalised(self.model))
        self._check_quantisers(self.graph, {})
        self._check_numbers()
        self._check_well_formed()

    def _fault(self, node: NodeProto, fact: str, hint: str) -> ImportFault:
        name = shorten(readable_name(node), 60)
        return ImportFault(f'{self.file}: node "{name}"', fact, hint)

    def _check_recurrent(self) -> None:
        for node in self.graph.node:
            if node.op_type in _FOREIGN:
                raise self._fault(
                    node,
                    f"a {node.op_type} node, quantised for another engine",
                    "give the float file with calibration=x, or quantise to QuantizeLinear and "
                    "DequantizeLinear (QuantFormat.QDQ)",
                )
        if any(node.op_type in _RECURRENT for node in self.graph.node):
            return
        if not self._input_is_used():
            raise ImportFault(
                self.file,
                "the graph holds constants only: nothing in it reads the input",
                "Brevitas' default exporter loses recurrent layers; use hwrnn.export(module, "
                "example_input, path), or export_qonnx(..., dynamo=False)",
            )
        if self._is_unrolled():
            raise ImportFault(
                self.file,
                "its recurrent layers are unrolled, step by step",
                "export with dynamo=False, which keeps torch.nn.RNN whole; use torch.nn.LSTM, GRU "
                "or RNN instead of their cells",
            )
        raise ImportFault(
            self.file,
            f"there is no recurrent layer in this graph ({', '.join(_RECURRENT)})",
            "hwrnn compiles recurrent networks; for others use FINN or hls4ml",
        )

    def _is_unrolled(self) -> bool:
        """Whether some weights multiply one step after the other."""
        constants = {entry.name for entry in self.graph.initializer}
        made = {name: node for node in self.graph.node for name in node.output}

        def weights(name: str) -> str:
            while name in made and made[name].op_type in ("Transpose", "Identity"):
                name = made[name].input[0]
            return name if name in constants else ""

        products = [n for n in self.graph.node if n.op_type in ("MatMul", "Gemm")]
        used = [weights(name) for n in products for name in n.input[:2]]
        return any(name and used.count(name) > 1 for name in used)

    def _input_is_used(self) -> bool:
        """Whether a graph output depends on a graph input."""
        reached = {port.name for port in self.graph.input}
        for node in self.graph.node:
            if reached.intersection(node.input):
                reached.update(node.output)
        return any(port.name in reached for port in self.graph.output)

    def _check_standard_cells(self) -> None:
        for node in self.graph.node:
            if node.op_type in _STANDARD_CELLS and node.domain in ("", "ai.onnx"):
                raise self._fault(
                    node,
                    f"a standard {node.op_type} node, whose state and gates are not quantised",
                    "quantise it with hwrnn.load(path, calibration=x) or --calibration x.npy, or "
                    f"train with {_STANDARD_CELLS[node.op_type]}, all its quantisers on",
                )

    def _check_quantisers(self, graph: GraphProto, outer: dict[str, TensorProto]) -> None:
        """Check every Quant and every cell in `graph` and its bodies."""
        constants = outer | {entry.name: entry for entry in graph.initializer}
        for node in graph.node:
            if node.domain == QONNX_DOMAIN and node.op_type == "Quant":
                mode = str(attribute(node, "rounding_mode", "ROUND"))
                self._check_quantiser(node, "", list(node.input[1:4]), mode, constants)
            elif node.domain == QONNX_DOMAIN and node.op_type == "BipolarQuant":
                self._check_scale(node, "this quantiser", list(node.input[1:2]), constants)
            elif kind := kind_of(node):
                self._check_cell(node, kind, constants)
            for body in bodies(node):
                self._check_quantisers(body, constants)

    def _check_cell(
        self, node: NodeProto, kind: CellKind, constants: dict[str, TensorProto]
    ) -> None:
        if len(node.input) != kind.inputs:
            raise self._fault(node, wrong_inputs(node, kind), _EXPORT_HINT)
        for quantiser in kind.quantisers:
            mode = str(quantiser_attributes(node, quantiser)["rounding_mode"])
            inputs = list(node.input[kind.quantiser(quantiser)])
            bits = constants.get(inputs[2])
            if kind.optional and bits is not None and not numpy_helper.to_array(bits).any():
                continue
            self._check_quantiser(node, quantiser, inputs, mode, constants)
        weights = node.input[kind.first_weight : kind.first_bias]
        for index, name in enumerate(weights):
            if name in constants:
                gate = kind.gates[index % len(kind.gates)]
                raise self._fault(
                    node,
                    f"the weights of the {gate} gate are not quantised",
                    "give the layer a weight_quant, such as Int8WeightPerTensorFloat",
                )

    def _check_quantiser(
        self,
        node: NodeProto,
        quantiser: str,
        inputs: list[str],
        mode: str,
        constants: dict[str, TensorProto],
    ) -> None:
        """Scale, zero point, bit width and rounding of one quantiser."""
        who = f"quantiser {quantiser}" if quantiser else "this quantiser"
        self._check_scale(node, who, inputs, constants)
        zero, bits = (numpy_helper.to_array(constants[name]) for name in inputs[1:])
        broken = zero[zero != np.rint(zero)]
        if broken.size:
            fact = f"{who} has a zero point of {_number(broken)}; it must be a whole number"
            raise self._fault(node, fact, "round the zero point, as Brevitas' quantisers do")
        width = float(bits.reshape(-1)[0])
        if bits.size != 1 or not width.is_integer() or not 2 <= width <= _MAX_BITS:
            fact = f"{who} has a bit width of {_number(bits)}; it must be a whole number, 2 to 32"
            raise self._fault(node, fact, "choose a bit width from 2 to 16 for activations")
        if mode.upper() not in ROUNDING_MODES:
            known = ", ".join(ROUNDING_MODES)
            raise self._fault(node, f"{who} rounds by {mode!r}", f"known: {known}")

    def _check_scale(
        self, node: NodeProto, who: str, inputs: list[str], constants: dict[str, TensorProto]
    ) -> None:
        """All parameters are constants, and the first of them is a scale."""
        if not inputs or any(name not in constants for name in inputs):
            raise self._fault(
                node,
                f"{who} has a scale, zero point or bit width that the graph computes",
                "export the module in eval mode, with scales that are constants",
            )
        scale = numpy_helper.to_array(constants[inputs[0]])
        wrong = scale[~(np.isfinite(scale) & (scale > 0))]
        if wrong.size:
            fact = f"{who} has a scale of {_number(wrong)}; a scale must be positive and finite"
            raise self._fault(node, fact, _SCALE_HINT)

    def _check_numbers(self) -> None:
        for graph in graphs(self.graph):
            for entry in graph.initializer:
                if entry.data_type not in _FLOAT_TYPES:
                    continue
                value = numpy_helper.to_array(entry)
                if not np.isfinite(value).all():
                    what = "NaN" if np.isnan(value).any() else "an infinite value"
                    raise ImportFault(
                        f'{self.file}: tensor "{shorten(entry.name, 60)}"',
                        f"it holds {what}",
                        "the training diverged here; load an earlier checkpoint",
                    )

    def _check_well_formed(self) -> None:
        try:
            onnx.checker.check_model(self.model)
        except onnx.checker.ValidationError as fault:
            fact = f"the graph breaks a rule of ONNX: {shorten(str(fault).splitlines()[0], 160)}"
            raise ImportFault(self.file, fact, _EXPORT_HINT) from fault


_FLOAT_TYPES = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
)


def _number(values: np.ndarray) -> str:
    """The first of some numbers, as a person would write it."""
    return f"{float(values.reshape(-1)[0]):g}"


def _spell_quant_one_way(graph: GraphProto) -> None:
    for node in graph.node:
        if node.op_type == "IntQuant" and node.domain == QONNX_DOMAIN:
            node.op_type = "Quant"


def _drop_constant_inputs(graph: GraphProto) -> None:
    """Brevitas lists every weight among the graph's inputs; keep the real ones."""
    known = {entry.name for entry in graph.initializer}
    kept: Iterable[ValueInfoProto] = [port for port in graph.input if port.name not in known]
    ports = [ValueInfoProto.FromString(port.SerializeToString()) for port in kept]
    del graph.input[:]
    graph.input.extend(ports)
