# SPDX-License-Identifier: Apache-2.0
"""The integer graph: types, ops, graph, text form."""

from hwrnn.ir.graph import Body, Graph, State, walk
from hwrnn.ir.ops import (
    Add,
    AnyOp,
    Concat,
    Const,
    Flatten,
    Input,
    Lut,
    MatVec,
    Mul,
    Op,
    Output,
    Requant,
    Reverse,
    Scan,
    ScanOutput,
    Select,
    Slice,
    Step,
    Sub,
)
from hwrnn.ir.quantiser import OutputGrid, Quantiser
from hwrnn.ir.requant import Realisation, Room, ScaleShift, Scaling, Thresholds, Ties
from hwrnn.ir.rounding import Rounding
from hwrnn.ir.types import IntMatrix, IntType, Rationals, Value

__all__ = [
    "Add",
    "AnyOp",
    "Body",
    "Concat",
    "Const",
    "Flatten",
    "Graph",
    "Input",
    "IntMatrix",
    "IntType",
    "Lut",
    "MatVec",
    "Mul",
    "Op",
    "Output",
    "OutputGrid",
    "Quantiser",
    "Rationals",
    "Realisation",
    "Requant",
    "Reverse",
    "Room",
    "Rounding",
    "ScaleShift",
    "Scaling",
    "Scan",
    "ScanOutput",
    "Select",
    "Slice",
    "State",
    "Step",
    "Sub",
    "Thresholds",
    "Ties",
    "Value",
    "walk",
]
