# SPDX-License-Identifier: Apache-2.0
"""Synthesis, place and route of emitted SystemVerilog with open tools: yosys and nextpnr."""

from hwrnn.synth.board import Bitstream, bitstream
from hwrnn.synth.cells import Cells
from hwrnn.synth.nextpnr import Placed, place
from hwrnn.synth.yosys import Netlist, Source, synthesise

__all__ = ["Bitstream", "Cells", "Netlist", "Placed", "Source", "bitstream", "place", "synthesise"]
