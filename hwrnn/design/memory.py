# SPDX-License-Identifier: Apache-2.0
"""Which memories a design has, and how many memory blocks each takes on its board."""

from __future__ import annotations

from dataclasses import dataclass

from hwrnn.board import Board
from hwrnn.design.design import AxisIn, Design, Engine, Reverse, ceil_div

BLOCK_FROM_BITS = 4096  # a smaller memory is made of LUTs
BLOCK_FROM_DEPTH = 32  # so is a shallower one


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`depth` words of `width` bits; `rom`: never written."""

    name: str
    depth: int
    width: int
    rom: bool

    @property
    def bits(self) -> int:
        """Its contents."""
        return self.depth * self.width

    @property
    def in_blocks(self) -> bool:
        """True when it is large and deep enough for memory blocks."""
        return self.bits >= BLOCK_FROM_BITS and self.depth >= BLOCK_FROM_DEPTH

    def blocks(self, board: Board) -> int:
        """Memory blocks of the board, over all shapes of a block: the fewest."""
        if not self.in_blocks or not board.block_ram_bits:
            return 0
        full = board.block_ram_bits
        widest = 72 if full >= 32768 else 36 if full >= 16384 else 16
        shapes = [(full // w, w) for w in (1, 2, 4, 9, 18, 36, 72, 8, 16) if w <= widest]
        return min(ceil_div(self.depth, d) * ceil_div(self.width, w) for d, w in shapes)


def memories(design: Design) -> tuple[Memory, ...]:
    """Weight memories and whole-sequence buffers; FIFOs and states are made of LUTs."""
    found: list[Memory] = []
    for kernel in design.kernels:
        match kernel:
            case Engine():
                found.append(weight_memory(kernel))
            case AxisIn(max_steps=int(steps)):
                bits = kernel.out.lanes * kernel.out.type.bits + 1
                depth = 2 * steps * kernel.out.beats
                found.append(Memory(name=kernel.name, depth=depth, width=bits, rom=False))
            case Reverse():
                bits = kernel.x.lanes * kernel.x.type.bits
                depth = 2 * kernel.max_steps * kernel.x.beats
                found.append(Memory(name=kernel.name, depth=depth, width=bits, rom=False))
            case _:
                pass
    return tuple(found)


def weight_memory(kernel: Engine) -> Memory:
    """A word holds the weights of one cycle: gates x pe x simd."""
    depth = len(kernel.cells) * len(kernel.blocks) * kernel.groups
    width = len(kernel.gates) * kernel.pe * kernel.simd * kernel.weight_type.bits
    return Memory(name=kernel.name, depth=depth, width=width, rom=True)
