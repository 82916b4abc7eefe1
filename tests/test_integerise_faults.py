# SPDX-License-Identifier: Apache-2.0
"""What has no exact integer form, each beside the whole message that it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import ArrayLike
from onnx import helper
from small_onnx import Net

from hwrnn.errors import ImportFault
from hwrnn.frontend.integerise import integerise

W33 = np.eye(3)


@dataclass(frozen=True)
class Fault:
    """A model that is wrong at one place; `make` returns the network's output."""

    make: Callable[[Net], str]
    message: str


def dense(n: Net, x: str) -> str:
    return n.node("MatMul", x, n.weights(W33))


def captured(n: Net) -> str:
    """A body that reads an activation from outside of it."""
    b = Net(prefix="b_")
    new = b.quant(b.node("Add", "x_t", "outside"))
    n.node("Transpose", n.quant("x"), perm=[1, 0, 2])
    n.nodes[-1].output[0] = "outside"
    body = b.body(["h", "x_t"], [new, b.node("Identity", new)])
    n.node("Scan", n.const(np.zeros((1, 3))), "outside", outputs=2, body=body, num_scan_inputs=1)
    return str(n.nodes[-1].output[1])


def scanned(
    n: Net, start: ArrayLike, *, quantised: bool = True, perm: tuple[int, ...] = (1, 0, 2)
) -> str:
    b = Net(prefix="b_")
    new = b.node("Add", "x_t", "h")
    new = b.quant(new) if quantised else new
    body = b.body(["h", "x_t"], [new, b.node("Identity", new)])
    x = n.node("Transpose", n.quant("x"), perm=perm)
    n.node("Scan", n.const(start), x, outputs=2, body=body, num_scan_inputs=1)
    return str(n.nodes[-1].output[1])


def fifth_power(n: Net) -> str:
    x = n.quant("x", bits=16)
    square = n.node("Mul", x, x)
    return n.node("Mul", n.node("Mul", square, square), x)


def foreign(n: Net) -> str:
    y = n.node("Add", n.quant("x"), n.const([1, 2, 3]))
    n.nodes[-1].domain = "my.company"
    return y


FAULTS = {
    "an unsupported op": Fault(
        lambda n: n.node("Sin", n.quant("x")),
        'm.onnx: node "/Sin1" (Sin): is not an op that can be compiled\n'
        "  hint: leave it out of the exported module",
    ),
    "an op of somebody else's that has a known name": Fault(
        foreign,
        'm.onnx: node "/Add1" (Add): is not an op that can be compiled\n'
        "  hint: leave it out of the exported module",
    ),
    "a softmax at the end": Fault(
        lambda n: n.node("Softmax", dense(n, n.quant("x"))),
        'm.onnx: node "/Softmax3" (Softmax): is not an op that can be compiled\n'
        "  hint: leave it to the host: it does not change the largest output",
    ),
    "an argmax of the batch": Fault(
        lambda n: n.node("ArgMax", dense(n, n.quant("x")), axis=0),
        'm.onnx: node "/ArgMax3" (ArgMax): looks for the largest along another axis than the '
        "features\n  hint: take the argmax of the features",
    ),
    "weights that are not quantised": Fault(
        lambda n: n.node("MatMul", n.quant("x"), n.const(W33)),
        'm.onnx: node "/MatMul1" (MatMul): its weights are not quantised\n'
        "  hint: give the layer a weight quantiser",
    ),
    "weights with a scale for each input": Fault(
        lambda n: n.node("MatMul", n.quant("x"), n.weights(W33, [[0.25], [0.5], [1.0]])),
        'm.onnx: node "/MatMul2" (MatMul): its weights have a scale for each input\n'
        "  hint: use a scale for each output",
    ),
    "weights of another size": Fault(
        lambda n: n.node("MatMul", n.quant("x"), n.weights(np.eye(4))),
        'm.onnx: node "/MatMul2" (MatMul): its weights take 4 features, its input has 3\n'
        "  hint: check the sizes of this layer and of the one before it",
    ),
    "an input that is not quantised": Fault(
        lambda n: dense(n, "x"),
        'm.onnx: node "/MatMul1" (MatMul): works on the input before it is quantised\n'
        "  hint: put a QuantIdentity in front of the first layer",
    ),
    "a function that no quantiser follows": Fault(
        lambda n: dense(n, n.node("Sigmoid", n.quant("x"))),
        'm.onnx: node "/MatMul3" (MatMul): works on a sigmoid that no quantiser follows\n'
        "  hint: give the activation an output quantiser",
    ),
    "two layers without a quantiser in between": Fault(
        lambda n: dense(n, n.node("Add", dense(n, n.quant("x")), n.const([0.1, 2, 3]))),
        'm.onnx: node "/MatMul5" (MatMul): multiplies an activation that has a bias but no '
        "quantiser\n  hint: put a quantiser between the two layers",
    ),
    "an activation with a scale for each feature": Fault(
        lambda n: dense(n, n.quant("x", [1, 0.5, 0.25])),
        'm.onnx: node "/MatMul2" (MatMul): its input has a scale for each feature\n'
        "  hint: use one scale for the activation; behind a concatenation, put a QuantIdentity",
    ),
    "a quantiser with scales for other features": Fault(
        lambda n: n.quant(dense(n, n.quant("x")), [1, 0.5]),
        'm.onnx: node "/Quant3" (Quant): has 2 scales for 3 features\n'
        "  hint: use one scale, or one for each feature",
    ),
    "an input that is quantised twice": Fault(
        lambda n: n.node("Add", n.quant("x"), n.quant("x", 1 / 4)),
        'm.onnx: node "/Quant1" (Quant): quantises the input "x" in another way than a node '
        "before it\n  hint: put one QuantIdentity in front of everything that reads the input",
    ),
    "a zero point": Fault(
        lambda n: n.quant(dense(n, n.quant("x")), zero=3.5),
        'm.onnx: node "/Quant3" (Quant): has a zero point that is no whole number\n'
        "  hint: export the model again",
    ),
    "an unknown rounding mode": Fault(
        lambda n: n.quant("x", mode="STOCHASTIC\n" * 30),
        'm.onnx: node "/Quant0" (Quant): has the unknown rounding mode '
        '"STOCHASTIC\\x0aSTOCHASTIC\\x0aSTOCHASTIC\\x0aSTO..."\n  hint: known: ROUND, HALF_EVEN, '
        "HALF_UP, HALF_DOWN, FLOOR, CEIL, UP, DOWN, ROUND_TO_ZERO",
    ),
    "a constant that is quantised twice": Fault(
        lambda n: n.node("MatMul", n.quant("x"), n.quant(n.weights(W33))),
        'm.onnx: node "/Quant2" (Quant): quantises a constant that is quantised already\n'
        "  hint: quantise a constant once",
    ),
    "a table that is too large": Fault(
        lambda n: n.quant(n.node("Sigmoid", n.quant("x", bits=17))),
        'm.onnx: node "/Quant2" (Quant): needs a table with 17 input bits; 16 are the most\n'
        "  hint: quantise the value in front of the sigmoid",
    ),
    "a table for each channel": Fault(
        lambda n: n.quant(n.node("Tanh", n.quant("x", [1, 0.5, 0.25]))),
        'm.onnx: node "/Quant2" (Quant): has a scale or a bias for each channel around '
        "a table\n  hint: use one scale; quantise the value in front of the tanh",
    ),
    "a step that is neither first nor last": Fault(
        lambda n: n.node("Gather", n.quant("x"), n.index(3), axis=1),
        'm.onnx: node "/Gather1" (Gather): takes step 3, which fixes the number of steps\n'
        "  hint: take the first step [0] or the last [-1]",
    ),
    "a feature that is selected": Fault(
        lambda n: n.node("Gather", n.quant("x"), n.index(0), axis=2),
        'm.onnx: node "/Gather1" (Gather): selects along the features\n  hint: select a time step',
    ),
    "several steps": Fault(
        lambda n: n.node("Slice", n.quant("x"), n.ints(1), n.ints(3), n.ints(1)),
        'm.onnx: node "/Slice1" (Slice): takes steps 1 to 3\n'
        "  hint: take the first, the last or all steps",
    ),
    "other axes flattened": Fault(
        lambda n: n.node("Flatten", n.node("Transpose", n.quant("x"), perm=[1, 0, 2])),
        'm.onnx: node "/Flatten2" (Flatten): flattens other axes than steps and features of '
        "each sequence\n"
        "  hint: flatten a batch-first sequence with flatten(1)",
    ),
    "batch and steps merged": Fault(
        lambda n: dense(n, n.node("Reshape", n.quant("x"), n.ints(-1, 3))),
        'm.onnx: node "/Reshape1" (Reshape): reshapes the axes batch, steps, features\n'
        "  hint: flatten a batch-first sequence with flatten(1)",
    ),
    "a flattened sequence that does not fit": Fault(
        lambda n: n.node("MatMul", n.node("Flatten", n.quant("x")), n.weights(np.eye(7))),
        'm.onnx: node "/MatMul3" (MatMul): takes 7 features, not a multiple of 3\n'
        "  hint: flatten sequences of the length of the exported example",
    ),
    "a flattened output": Fault(
        lambda n: n.node("Flatten", n.quant("x")),
        'm.onnx: output "flatten1": is a flattened sequence, whose length is that of the input\n'
        "  hint: return the sequence itself, and flatten it on the host",
    ),
    "an output straight from a sigmoid": Fault(
        lambda n: n.node("Sigmoid", n.quant("x")),
        'm.onnx: output "sigmoid1": comes straight from a sigmoid, whose values are not integers\n'
        "  hint: put a quantiser behind it, or leave the function to the host",
    ),
    "an output that is a constant": Fault(
        lambda n: n.weights(W33),
        'm.onnx: output "quant0": is no activation behind a quantiser\n'
        "  hint: return what a quantised layer makes",
    ),
    "numbers that need too many bits": Fault(
        fifth_power,
        'm.onnx: node "/Mul3" (Mul): its integers need 76 bits; 62 are the most\n'
        "  hint: use scales that are equal or powers of two, or fewer bits",
    ),
    "a state without a quantiser": Fault(
        lambda n: scanned(n, np.zeros((1, 3)), quantised=False),
        'm.onnx: node "/Scan2" (Scan): its state "h" is not quantised\n'
        "  hint: give the cell a quantiser for that state",
    ),
    "an initial state off the grid": Fault(
        lambda n: scanned(n, np.full((1, 3), 0.1)),
        'm.onnx: node "/Scan2" (Scan): its initial state 0 is not a number of the state\'s '
        "quantiser\n  hint: start with what that quantiser gives back as it is, 0 for example",
    ),
    "a scan over the features": Fault(
        lambda n: scanned(n, np.zeros((1, 3)), perm=(2, 0, 1)),
        'm.onnx: node "/Scan2" (Scan): scans the axes features, batch, steps\n'
        "  hint: scan (steps, batch, features), steps first",
    ),
    "a body that reads an outer activation": Fault(
        captured,
        'm.onnx: node "/Add0" (Add): its input 1 is an activation from outside of the scan\n'
        "  hint: make it an input of the scan",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_has_no_integer_form_is_refused_in_words(case: str) -> None:
    n = Net()
    model = n.model(FAULTS[case].make(n))
    with pytest.raises(ImportFault) as caught:
        integerise(model, "m.onnx")
    assert str(caught.value) == FAULTS[case].message


@pytest.mark.parametrize("dims", [["batch", 3], ["batch", "steps", "features"], []])
def test_an_input_that_is_no_sequence(dims: list[str | int | None]) -> None:
    model = Net().model()
    port = model.graph.input[0]
    port.CopyFrom(helper.make_tensor_value_info("x" * 500, 1, dims))
    with pytest.raises(ImportFault) as caught:
        integerise(model, "m.onnx")
    assert str(caught.value) == (
        f'm.onnx: input "{"x" * 45}...": has {len(dims)} dimensions; a sequence input has batch, '
        "steps and features\n  hint: export with an example of three dimensions, features last"
    )


def test_names_in_messages_are_short_and_printable() -> None:
    n = Net()
    n.node("Erf", n.quant("x"))
    n.nodes[-1].name = "evil\n\x1b[31m" * 2000
    n.nodes[-1].op_type = "Soft\nplus" * 2000
    with pytest.raises(ImportFault) as caught:
        integerise(n.model("softplus1"), "m.onnx")
    first, hint = str(caught.value).split("\n")
    assert first.isprintable()
    assert len(first) < 200
    assert hint == "  hint: leave it out of the exported module"
