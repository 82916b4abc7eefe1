# SPDX-License-Identifier: Apache-2.0
"""The demo's report page."""

from __future__ import annotations

from hwrnn import __version__
from hwrnn.demo.result import DemoResult
from hwrnn.report.page import Fact, Page, Section, design_section, share_meters, table, write_page

LEAD = (
    "A quantised LSTM reads the handwritten digits of scikit-learn row by row. It was trained a "
    "moment ago, exported to QONNX, turned into hardware projects, and run on every test image by "
    "every engine; the outputs are compared bit by bit."
)


def demo_page(result: DemoResult) -> str:
    """The HTML text of the page."""
    engines, cycles, files = (
        Section(title=title, table=table(rows)) for title, rows in result.tables().items()
    )
    designs = (design_section(b.estimate) for b in result.boards)
    return write_page(
        Page(
            title="From a Brevitas LSTM to verified hardware",
            lead=LEAD,
            facts=facts(result),
            sections=(engines, cycles, *designs, clamps(result), files),
            foot=(
                f"Written by hwrnn {__version__}. C simulation by g++, RTL simulation by "
                "Verilator; no vendor tool was run."
            ),
        )
    )


def facts(result: DemoResult) -> tuple[Fact, ...]:
    """The numbers at the top."""
    bits = sum(e.bits or 0 for e in result.engines)
    hardware, board = result.engines[-1], result.boards[0]
    e = board.estimate
    return (
        Fact(value=f"{bits:,}", name="differing bits, all engines", good=bits == 0),
        Fact(value=f"{100 * hardware.accuracy:.2f} %", name="test accuracy of the hardware"),
        Fact(value=f"{hardware.digits:,}", name="test images on every engine"),
        Fact(value=f"{e.latency_cycles:,}", name=f"cycles a digit on {e.design.board.name}"),
        Fact(value=f"{e.latency_us:.2f} µs", name=f"a digit at {e.clock_mhz:g} MHz"),
    )


def clamps(result: DemoResult) -> Section:
    """How often each quantiser saturates."""
    shares = {s.quantiser: s.share for s in result.saturation}
    return Section(
        title="How often each quantiser saturates",
        text="The share of values beyond the range of a quantiser, which its clamp cut off, on the "
        "test split. A few per cent are what training chose; much more costs accuracy.",
        meters=share_meters(shares),
    )
