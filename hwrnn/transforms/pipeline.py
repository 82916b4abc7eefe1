# SPDX-License-Identifier: Apache-2.0
"""The transforms in their order, and the runner that verifies the graph after each."""

from __future__ import annotations

from collections.abc import Callable

from hwrnn.ir import Graph
from hwrnn.transforms.clean import drop_dead, drop_identities, share_equal_ops
from hwrnn.transforms.constant_operands import constant_operands
from hwrnn.transforms.realise import realise_requants
from hwrnn.transforms.select_early import select_early

Transform = Callable[[Graph], Graph]
Pipeline = tuple[Transform, ...]

LOWER: Pipeline = (
    constant_operands,  # before drop_dead: the constants go
    share_equal_ops,  # early: both directions of a layer quantise the same input alike
    drop_identities,  # after sharing: an input quantised twice on one grid is quantised once
    select_early,  # after drop_identities: fewer ops to move through
    share_equal_ops,  # two outputs may have selected the same step
    drop_dead,  # what was computed for every step and is now computed for one
    realise_requants,  # last: ranges are final
)


def run_pipeline(g: Graph, passes: Pipeline = LOWER) -> Graph:
    """Apply the passes in order; a pass that breaks the graph is named in the error's notes."""
    g.verify()
    for transform in passes:
        try:
            g = transform(g).verify()
        except Exception as fault:
            fault.add_note(f"in the transform {transform.__name__}")
            raise
    return g
