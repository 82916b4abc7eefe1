# SPDX-License-Identifier: Apache-2.0
"""The gate in front of a design whose states go on from fragment to fragment."""

from __future__ import annotations

from hwrnn.backends.rtl_netlist import Module
from hwrnn.design.design import Design, kernel_outputs

GATED_VALID, GATED_READY = "gated_tvalid", "gated_tready"  # the input port behind the gate
PARTS = ("tvalid", "tready", "tlast", "tuser")
RESTART = "restart"  # up for a cycle: engines start anew


def fragment_gate(module: Module, design: Design) -> None:
    """The gate between the input port and its shell, and the pulse that it gives the engines."""
    port = design.source.port
    for name in (GATED_VALID, GATED_READY, RESTART):
        module.wire(name)
    module.add(
        "hwrnn_fragment_gate",
        "u_fragments",
        {"MostFragments": most_fragments(design)},
        {
            **{f"s_axis_{part}": f"{port}_{part}" for part in PARTS},
            "out_valid_o": GATED_VALID,
            "out_ready_i": GATED_READY,
            "done_i": left(module, design),
            "restart_o": RESTART,
        },
    )


def left(module: Module, design: Design) -> str:
    """What is up when a fragment has left, at the last of the output ports."""
    ends = [f"{k.port}_tvalid && {k.port}_tready && {k.port}_tlast" for k in design.sinks]
    if len(ends) == 1:
        return ends[0]
    module.add(
        "hwrnn_joint_pops",
        "u_left",
        {"Outputs": len(ends), "Most": most_fragments(design)},
        {"pops_i": f"{{{', '.join(reversed(ends))}}}", "pop_o": module.wire("left")},
    )
    return "left"


def most_fragments(design: Design) -> int:
    """How many fragments can be inside: each fills an entry of a stream at least (credits hold
    one for what is in a pipeline), or is the one that a kernel works on.
    """
    entries = sum(s.depth for kernel in design.kernels for s in kernel_outputs(kernel))
    return entries + len(design.kernels)
