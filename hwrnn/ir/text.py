# SPDX-License-Identifier: Apache-2.0
"""The text form of a graph: print_graph and parse_graph are each other's inverse.

    graph top {
      %x: -8..7 x 2 seq = input {quantiser = {scale = 2^-3}, axes = [B, T, F]}
      %h_all: -8..7 x 1 seq = scan %x {
        input %x_t: -8..7 x 2
        state %h: -8..7 x 1 = initial [0] -> %h_new
        %acc: -40..35 x 1 = matvec %x_t {weights = [[3, 2]]}
        %sum: -48..42 x 1 = add %acc, %h
        %h_new: -8..7 x 1 = requant %sum {ratio = 2^-3, offset = 0}
        yield %h_new
      }
      %y: -8..7 x 1 seq = output %h_all {grid = {scale = 2^-3}, axes = [B, T, F]}
    }

A value is `%name: lo..hi x size`, and `seq` if it has one vector for each time step. The fields
of an op stand in braces; one with a default may be left out, and so may the type of an input's
quantiser (the input's own). `[0 * 32]` is 32 zeros; a list of one entry needs no brackets. A
number is exact, however it is written: 3, 3/4, 2^-5, 5/2^7, 0.25, 0x1.8p-3. A comment runs from
// to the end of its line.
"""

from __future__ import annotations

import hashlib

from hwrnn.ir.graph import Graph
from hwrnn.ir.parser import parse_graph
from hwrnn.ir.printer import print_graph

__all__ = ["model_hash", "parse_graph", "print_graph"]


def model_hash(g: Graph) -> str:
    """sha256 of the full text, in hexadecimal: equal graphs, and only they, have equal hashes."""
    return hashlib.sha256(print_graph(g).encode()).hexdigest()
