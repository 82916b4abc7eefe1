# SPDX-License-Identifier: Apache-2.0
"""The gate in front of a design whose states go on from fragment to fragment."""

from __future__ import annotations

from hwrnn.backends.rtl_netlist import Module
from hwrnn.design.design import Design, kernel_outputs

GATED_VALID, GATED_READY = "gated_tvalid", "gated_tready"  # the input port behind the gate
RESTART = "restart"  # up for a cycle: engines start anew


def fragment_gate(module: Module, design: Design) -> None:
    """The gate between the input port and its shell, and the pulse that it gives the engines."""
    for name in (GATED_VALID, GATED_READY, RESTART):
        module.wire(name)
    module.add(
        "hwrnn_fragment_gate",
        "u_fragments",
        {"MostFragments": most_fragments(design)},
        {
            "s_axis_tvalid": "s_axis_tvalid",
            "s_axis_tready": "s_axis_tready",
            "s_axis_tlast": "s_axis_tlast",
            "s_axis_tuser": "s_axis_tuser",
            "out_valid_o": GATED_VALID,
            "out_ready_i": GATED_READY,
            "done_i": "m_axis_tvalid && m_axis_tready && m_axis_tlast",
            "restart_o": RESTART,
        },
    )


def most_fragments(design: Design) -> int:
    """How many fragments can be inside: each fills an entry of a stream at least (credits hold
    one for what is in a pipeline), or is the one that a kernel works on.
    """
    entries = sum(s.depth for kernel in design.kernels for s in kernel_outputs(kernel))
    return entries + len(design.kernels)
