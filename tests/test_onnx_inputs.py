# SPDX-License-Identifier: Apache-2.0
"""Float ONNX files with several inputs: initial states, lengths; and calibration by name."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes

import hwrnn
from hwrnn.errors import DataError, HwrnnError
from hwrnn.frontend.normalise import normalised
from hwrnn.sim.reference import Reference

Floats = NDArray[np.float32]
RNG = np.random.default_rng(11)
X = RNG.uniform(-1, 1, (6, 3, 3)).astype(np.float32)  # (steps, batch, features)
UNITS, BATCH = 4, 3


def states(*shape: int) -> Floats:
    return np.random.default_rng(sum(shape)).uniform(-0.6, 0.6, shape).astype(np.float32)


class File:
    """A float ONNX file, node by node."""

    def __init__(self, **inputs: Sequence[int | str]) -> None:
        self.nodes: list[Any] = []
        self.constants: list[TensorProto] = []
        self.inputs = inputs

    def const(self, name: str, value: Any, kind: type = np.float32) -> str:  # noqa: ANN401
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def node(self, op: str, inputs: Sequence[str], *outputs: str, **more: Any) -> None:  # noqa: ANN401
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"n_{outputs[0]}", **more))

    def cell(
        self,
        op: str,
        x: str,
        *,
        state: Sequence[str] = (),
        lens: str = "",
        label: str = "",
        features: int = 3,
        **more: Any,  # noqa: ANN401
    ) -> None:
        """Outputs are Y and Y_h, with the label in front."""
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
        both = 2 if more.get("direction") == "bidirectional" else 1
        rng = np.random.default_rng(4)
        shapes = {"W": features, "R": UNITS}
        weights = [
            self.const(label + k, rng.uniform(-0.6, 0.6, (both, gates * UNITS, n)))
            for k, n in shapes.items()
        ]
        bias = self.const(f"{label}B", rng.uniform(-0.4, 0.4, (both, 2 * gates * UNITS)))
        inputs = [x, *weights, bias, lens, *state]
        self.node(op, inputs, f"{label}Y", f"{label}Y_h", hidden_size=UNITS, **more)

    def model(self, *outputs: str, opset: int = 17) -> ModelProto:
        whole = dict.fromkeys(("lens", "other", "words"), TensorProto.INT32)
        ports = [
            helper.make_tensor_value_info(n, whole.get(n, TensorProto.FLOAT), list(shape))
            for n, shape in self.inputs.items()
        ]
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
        graph = helper.make_graph(self.nodes, "g", ports, ends, self.constants)
        opsets = [helper.make_opsetid("", opset)]
        return infer_shapes(helper.make_model(graph, opset_imports=opsets, ir_version=9))


SEQUENCE = ("steps", "batch", 3)


def stacked_by_hand() -> File:
    """States of (batch, units), as keras has them, side by side for two directions."""
    file = File(X=SEQUENCE, fwd=("batch", UNITS), bwd=("batch", UNITS))
    file.const("zero", [0], np.int64)
    for name in ("fwd", "bwd"):
        file.node("Unsqueeze", [name, "zero"], f"{name}_row")
    file.node("Concat", ["fwd_row", "bwd_row"], "h0", axis=0)
    file.cell("GRU", "X", state=["h0"], direction="bidirectional")
    return file


def two_layers() -> File:
    """One input for both layers, cut by Slice for one and by Split for the other."""
    file = File(X=SEQUENCE, h0=(2, "batch", UNITS), c0=(2, "batch", UNITS))
    for name, value in {"from": 0, "one": 1, "two": 2, "axis": 0}.items():
        file.const(name, [value], np.int64)
    file.const("sizes", [1, 1], np.int64)
    for k, (start, end) in enumerate([("from", "one"), ("one", "two")]):
        file.node("Slice", ["h0", start, end, "axis"], f"h_{k}")
    file.node("Split", ["c0", "sizes"], "c_0", "c_1", axis=0)
    file.cell("LSTM", "X", state=["h_0", "c_0"], label="a")
    file.node("Squeeze", ["aY", "one"], "steps_of_a")
    file.cell("LSTM", "steps_of_a", state=["h_1", "c_1"], features=UNITS)
    return file


def plain(op: str, **more: Any) -> File:  # noqa: ANN401
    both = 2 if more.get("direction") == "bidirectional" else 1
    file = File(X=SEQUENCE, h0=(both, "batch", UNITS))
    file.cell(op, "X", state=["h0"], **more)
    return file


STATES: dict[str, Callable[[], File]] = {
    "stacked by hand": stacked_by_hand,
    "two layers": two_layers,
    "reverse": lambda: plain("RNN", direction="reverse"),
    "both": lambda: plain("GRU", direction="bidirectional", linear_before_reset=1),
}


def data_of(file: File) -> dict[str, Any]:
    sizes = {"steps": 6, "batch": BATCH}
    made: dict[str, Any] = {
        name: states(*(sizes.get(str(n), n) for n in shape))  # type: ignore[arg-type]
        for name, shape in file.inputs.items()
    }
    return made | {"X": X}


def runtime(model: ModelProto, feed: dict[str, Any]) -> list[Any]:
    engine = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return list(engine.run(None, feed))


def close(made: Any, want: Sequence[Any]) -> None:  # noqa: ANN401
    """Sixteen bits are within 2e-3 of the largest number."""
    found = list(made.values()) if isinstance(made, dict) else [made]
    for got, expected in zip(found, want, strict=True):
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= 2e-3 * np.abs(expected).max()


@pytest.mark.parametrize("case", STATES)
@pytest.mark.parametrize("scales", ["pot", "float"])
def test_initial_states_are_inputs(case: str, scales: str, tmp_path: Path) -> None:
    file = STATES[case]()
    model = file.model("Y", "Y_h")
    feed = data_of(file)
    onnx.save(model, tmp_path / "m.onnx")
    graph = hwrnn.load(
        tmp_path / "m.onnx", calibration=feed, weight_bits=16, act_bits=16, scales=scales
    )
    assert [port.out.name for port in graph.inputs] == list(file.inputs)
    close(hwrnn.run(graph, feed), runtime(model, feed))
    hwrnn.verify(graph, feed, engines=("reference", "cmodel")).check()


def test_states_with_the_batch_first(tmp_path: Path) -> None:
    """Layout 1, which ONNX Runtime has not; it turns the states, too."""
    file = File(X=("batch", "steps", 3), h0=("batch", 1, UNITS))
    file.cell("GRU", "X", state=["h0"], layout=1)
    turned = plain("GRU")
    feed = {"X": X, "h0": states(1, BATCH, UNITS)}
    want = runtime(turned.model("Y", "Y_h"), feed)
    mine = {"X": np.ascontiguousarray(X.swapaxes(0, 1)), "h0": feed["h0"].swapaxes(0, 1)}
    onnx.save(file.model("Y", "Y_h"), tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=mine, weight_bits=16, act_bits=16)
    assert graph.inputs[1].axes == ("B", "S", "F")
    made = hwrnn.run(graph, mine)
    close(made, [np.moveaxis(want[0], 2, 0), want[1].swapaxes(0, 1)])


@pytest.mark.parametrize("way", ["ConstantOfShape", "Expand", "Expand of a static batch"])
def test_zeros_of_any_batch_are_constants(way: str, tmp_path: Path) -> None:
    """What exporters write for states that nobody gave."""
    static = way.endswith("batch")
    file = File(X=(6, BATCH, 3) if static else SEQUENCE)
    file.node("Identity", ["X"], "same")
    file.node("Shape", ["same"], "shape")
    file.const("batch_axis", [1], np.int64)
    file.node("Gather", ["shape", "batch_axis"], "batch", axis=0)
    file.const("one", [1], np.int64)
    file.const("units", [UNITS], np.int64)
    file.node("Concat", ["one", "batch", "units"], "whole", axis=0)
    if way == "ConstantOfShape":
        file.node("ConstantOfShape", ["whole"], "h0")
    else:
        row = np.linspace(-0.5, 0.5, UNITS)[None, None]
        file.const("row", np.repeat(row, BATCH, axis=1) if static else row)
        file.node("Expand", ["row", "whole"], "h0")
    file.cell("GRU", "X", state=["h0"])
    model = file.model("Y", "Y_h")
    onnx.save(model, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=X, weight_bits=16, act_bits=16)
    close(hwrnn.run(graph, X), runtime(model, {"X": X}))
    more = np.concatenate([X, X], axis=1)
    assert [y.shape[-2] for y in np_dict(hwrnn.run(graph, more)).values()] == [2 * BATCH] * 2


def np_dict(made: Any) -> dict[str, Any]:  # noqa: ANN401
    assert isinstance(made, dict)
    return made


def test_lists_of_batches_by_name(tmp_path: Path) -> None:
    file = plain("GRU")
    onnx.save(file.model("Y", "Y_h"), tmp_path / "m.onnx")
    feed = {"X": [X, 3 * X[:2]], "h0": [states(1, BATCH, UNITS), states(1, BATCH, UNITS)]}
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=feed)
    first = graph.inputs[0].quantiser
    assert first is not None
    assert first.scale[0] * 127 >= abs(float(X[:2].max())) * 2.9


REFUSED: dict[str, tuple[Any, str]] = {
    "one array": (
        X,
        "calibration: is one array; the model has 2 inputs\n"
        "  hint: give a dict of arrays with the names X, h0",
    ),
    "strange name": (
        {"X": X, "h1": states(1, BATCH, UNITS)},
        "calibration: has h1, which is no input\n"
        "  hint: give a dict of arrays with the names X, h0",
    ),
    "missing name": (
        {"X": X},
        "calibration: lacks the input h0\n  hint: give a dict of arrays with the names X, h0",
    ),
    "counts": (
        {"X": [X, X], "h0": states(1, BATCH, UNITS)},
        'calibration of "h0": has 1 arrays; those of X are 2\n'
        "  hint: give every input as many arrays",
    ),
    "shape": (
        {"X": X, "h0": states(BATCH, UNITS)},
        'calibration of "h0": has the shape (3, 4); the input has 3 dimensions\n'
        "  hint: pass what the model takes: real numbers in the model's own axes",
    ),
    "words": (
        {"X": np.array([[["a"]]]), "h0": states(1, 1, UNITS)},
        'calibration of "X": has the type <U1\n  hint: pass real numbers',
    ),
    "rows": (
        {"X": [[1.0], [1.0, 2.0]], "h0": states(1, 1, UNITS)},
        'calibration of "X": is no array: its rows differ in length\n'
        "  hint: pass arrays; sequences of different lengths as a list of batches",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_calibration_that_does_not_fit(case: str, tmp_path: Path) -> None:
    given, message = REFUSED[case]
    onnx.save(plain("GRU").model("Y", "Y_h"), tmp_path / "m.onnx")
    with pytest.raises(DataError) as caught:
        hwrnn.load(tmp_path / "m.onnx", calibration=given)
    assert str(caught.value) == message


def test_indices_are_calibration_data(tmp_path: Path) -> None:
    """A table of words in front of a cell: its input takes whole numbers."""
    file = File(words=("batch", "steps"))
    file.const("table", np.random.default_rng(2).uniform(-1, 1, (9, 3)))
    file.node("Gather", ["table", "words"], "rows", axis=0)
    file.node("Transpose", ["rows"], "x", perm=[1, 0, 2])
    file.cell("GRU", "x")
    model = file.model("Y_h")
    words = np.random.default_rng(3).integers(0, 9, (BATCH, 5)).astype(np.int32)
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(DataError, match="has the type float32"):
        hwrnn.load(tmp_path / "m.onnx", calibration=words.astype(np.float32))
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=words, weight_bits=16, act_bits=16)
    close(hwrnn.run(graph, words), runtime(model, {"words": words}))


def test_a_second_sequence_is_refused_by_name(tmp_path: Path) -> None:
    file = File(X=SEQUENCE, more=SEQUENCE)
    file.node("Concat", ["X", "more"], "both", axis=2)
    file.cell("GRU", "both", features=6)
    onnx.save(file.model("Y"), tmp_path / "m.onnx")
    with pytest.raises(HwrnnError) as caught:
        hwrnn.load(tmp_path / "m.onnx", calibration={"X": X, "more": X})
    assert str(caught.value) == (
        'm.onnx: input "more": is a second sequence\n'
        "  hint: make one input of both, their features side by side"
    )


def test_what_stands_in_front_keeps_the_order_of_axes(tmp_path: Path) -> None:
    """Steps come first in ONNX, whatever normalises them."""
    file = File(X=SEQUENCE)
    file.const("mean", [0.1, 0.2, 0.3])
    file.const("deviation", [2.0, 3.0, 4.0])
    file.node("Sub", ["X", "mean"], "centred")
    file.node("Div", ["centred", "deviation"], "x")
    file.cell("GRU", "x")
    model = file.model("Y")
    onnx.save(model, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=X, weight_bits=16, act_bits=16)
    assert graph.inputs[0].axes == ("T", "B", "F")
    close(hwrnn.run(graph, X), runtime(model, {"X": X}))


def with_lengths(*, second: str | None = "lens", label: str = "") -> File:
    """Two layers; `second`: the sequence_lens of the second one."""
    file = File(X=SEQUENCE, lens=("batch",))
    file.const("one", [1], np.int64)
    file.cell("GRU", "X", lens="lens", label="a")
    file.node("Squeeze", ["aY", "one"], "steps_of_a")
    if second is not None:
        file.cell("GRU", "steps_of_a", lens=second, label=label, features=UNITS)
    return file


def test_lengths_go_through_layers_and_dense_ones(tmp_path: Path) -> None:
    """Y is 0 behind the end; what a dense layer makes of that is its bias, here, too."""
    file = with_lengths()
    file.const("weights", RNG.uniform(-1, 1, (UNITS, 2)))
    file.const("bias", [0.5, -0.25])
    file.node("MatMul", ["Y", "weights"], "product")
    file.node("Add", ["product", "bias"], "dense")
    model = file.model("Y", "Y_h", "dense")
    lengths = [6, 2, 4]
    onnx.save(model, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=X, weight_bits=16, act_bits=16)
    assert [port.out.name for port in graph.inputs] == ["X"]
    want = runtime(model, {"X": X, "lens": np.array(lengths, np.int32)})
    for b, n in enumerate(lengths):
        assert (want[2][n:, :, b] == [0.5, -0.25]).all()
    close(hwrnn.run(graph, X, lengths=lengths), want)


def test_lengths_that_are_the_number_of_steps(tmp_path: Path) -> None:
    """Some exporters compute sequence_lens from the shape of the input."""
    file = File(X=SEQUENCE)
    file.node("Shape", ["X"], "steps", start=0, end=1)
    file.node("Shape", ["X"], "batch", start=1, end=2)
    file.node("Cast", ["steps"], "short", to=TensorProto.INT32)
    file.node("Expand", ["short", "batch"], "lens")
    file.cell("LSTM", "X", lens="lens", direction="bidirectional")
    model = file.model("Y", "Y_h")
    onnx.save(model, tmp_path / "m.onnx")
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=X, weight_bits=16, act_bits=16)
    close(hwrnn.run(graph, X), runtime(model, {"X": X}))


def last_of_y() -> File:
    file = with_lengths(second=None)
    file.const("last", -1, np.int64)
    file.node("Gather", ["aY", "last"], "Y", axis=0)
    return file


def mean_of_y() -> File:
    file = with_lengths(second=None)
    file.node("Transpose", ["steps_of_a"], "turned", perm=[1, 0, 2])
    file.node("ReduceMean", ["turned"], "Y", axes=[1])
    return file


def convolved() -> File:
    file = File(X=SEQUENCE, lens=("batch",))
    file.node("Transpose", ["X"], "wide", perm=[1, 2, 0])
    file.const("kernel", RNG.uniform(-1, 1, (3, 3, 3)))
    file.node("Conv", ["wide", "kernel"], "smooth", pads=[1, 1])
    file.node("Transpose", ["smooth"], "x", perm=[2, 0, 1])
    file.cell("GRU", "x", lens="lens")
    return file


def computed_lengths() -> File:
    file = with_lengths(second=None)
    file.const("more", [1], np.int32)
    file.node("Add", ["lens", "more"], "longer")
    file.cell("GRU", "X", lens="longer")
    return file


PADDING = (
    "looks at steps behind the ends of sequences, which sequence_lens gives\n"
    "  hint: take Y_h, that of the last step; or leave sequence_lens out, and give `lengths` to "
    "hwrnn.run, for which a sequence ends there"
)
UNLIKE: dict[str, tuple[Callable[[], File], str]] = {
    "last step": (last_of_y, f'"n_Y" (Gather): {PADDING}'),
    "mean": (mean_of_y, f'"n_Y" (ReduceMean): {PADDING}'),
    "convolution": (convolved, f'"n_smooth" (Conv): {PADDING}'),
    "second without": (
        lambda: with_lengths(second=""),
        '"n_Y" (GRU): has no sequence_lens, but another recurrent node has\n'
        "  hint: give all of them the same sequence_lens, or none",
    ),
    "computed": (
        computed_lengths,
        '"n_Y" (GRU): its sequence_lens is computed in the graph\n'
        "  hint: make it an input of the graph; of torch, pack with enforce_sorted=True",
    ),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_what_would_see_padding_is_refused(case: str, tmp_path: Path) -> None:
    make, message = UNLIKE[case]
    onnx.save(make().model("Y"), tmp_path / "m.onnx")
    with pytest.raises(HwrnnError) as caught:
        hwrnn.load(tmp_path / "m.onnx", calibration=X)
    assert str(caught.value) == f"m.onnx: node {message}"


def test_other_lengths_and_lengths_as_data(tmp_path: Path) -> None:
    file = with_lengths(second="other")
    file.inputs |= {"other": ("batch",)}
    onnx.save(file.model("Y"), tmp_path / "m.onnx")
    with pytest.raises(HwrnnError, match="has other sequence_lens than a node before it"):
        hwrnn.load(tmp_path / "m.onnx", calibration=X)
    onnx.save(with_lengths().model("Y"), tmp_path / "n.onnx")
    with pytest.raises(DataError, match="has lens, the sequence_lens of the file, which is no"):
        hwrnn.load(tmp_path / "n.onnx", calibration={"X": X, "lens": np.array([6, 2, 4])})


def test_a_constant_is_not_the_number_of_steps_of_a_free_sequence(tmp_path: Path) -> None:
    file = File(X=SEQUENCE)
    file.const("lens", [2, 2, 2], np.int32)
    file.cell("GRU", "X", lens="lens")
    onnx.save(file.model("Y"), tmp_path / "m.onnx")
    with pytest.raises(HwrnnError, match="its sequence_lens is the constant 2, 2, 2, not the"):
        hwrnn.load(tmp_path / "m.onnx", calibration=X)


def exported(net: Any, inputs: dict[str, Any], path: Path, **options: Any) -> None:  # noqa: ANN401
    torch = pytest.importorskip("torch")
    given = tuple(torch.as_tensor(v) for v in inputs.values())
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(net, given, str(path), input_names=list(inputs), **options)


TORCH: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("LSTM", {"num_layers": 2, "bidirectional": True}, {"dynamo": False}),
    ("LSTM", {}, {"dynamo": True}),
    ("GRU", {"num_layers": 2}, {"dynamo": False, "opset_version": 11}),
    ("RNN", {"bidirectional": True}, {"dynamo": False, "opset_version": 14}),
]


@pytest.mark.needs_train
@pytest.mark.parametrize(("kind", "options", "how"), TORCH, ids=str)
def test_states_of_files_that_torch_wrote(
    kind: str, options: dict[str, Any], how: dict[str, Any], tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = getattr(torch.nn, kind)(3, UNITS, batch_first=True, **options).eval()

    class Net(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = net

        def forward(self, x: Any, *first: Any) -> Any:  # noqa: ANN401
            y, last = self.rnn(x, first if kind == "LSTM" else first[0])
            return (y, *last) if kind == "LSTM" else (y, last)

    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    x = np.ascontiguousarray(X.swapaxes(0, 1))
    feed: dict[str, Any] = {"x": x, "h0": states(count, BATCH, UNITS)}
    feed |= {"c0": states(count, BATCH, UNITS) / 2} if kind == "LSTM" else {}
    axes = {"x": {0: "batch", 1: "steps"}, "h0": {1: "batch"}, "c0": {1: "batch"}}
    if not how["dynamo"]:
        how |= {"dynamic_axes": {name: axes[name] for name in feed}}
    exported(Net(), feed, tmp_path / "m.onnx", **how)
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=feed, weight_bits=16, act_bits=16)
    with torch.no_grad():
        want = Net()(*(torch.as_tensor(v) for v in feed.values()))
    close(hwrnn.run(graph, feed), [w.numpy() for w in want])


@pytest.mark.needs_train
def test_packed_sequences_of_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    utils = torch.nn.utils.rnn
    torch.manual_seed(0)

    class Net(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.LSTM(3, UNITS, 2, batch_first=True, bidirectional=True)

        def forward(self, x: Any, lens: Any) -> Any:  # noqa: ANN401
            y, _ = self.rnn(utils.pack_padded_sequence(x, lens, batch_first=True))
            return utils.pad_packed_sequence(y, batch_first=True)[0]

    x, lengths = np.ascontiguousarray(X.swapaxes(0, 1)), [6, 4, 2]
    axes = {"x": {0: "batch", 1: "steps"}, "lens": {0: "batch"}}
    feed: dict[str, Any] = {"x": x, "lens": np.array(lengths)}
    net = Net().eval()
    exported(net, feed, tmp_path / "m.onnx", dynamo=False, dynamic_axes=axes)
    graph = hwrnn.load(tmp_path / "m.onnx", calibration=x, weight_bits=16, act_bits=16)
    with torch.no_grad():
        want = net(torch.as_tensor(x), torch.tensor(lengths)).numpy()
    close(hwrnn.run(graph, x, lengths=lengths), [want])


def test_lowered_states_are_those_of_the_file() -> None:
    """The Scans in float, in another engine: equal to ONNX Runtime within 1e-5."""
    for make in STATES.values():
        file = make()
        model, feed = file.model("Y", "Y_h"), data_of(file)
        found = Reference(normalised(model)).run(feed).values()
        for got, want in zip(found, runtime(model, feed), strict=True):
            assert np.abs(got - want).max() <= 1e-5
