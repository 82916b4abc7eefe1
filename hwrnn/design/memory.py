# SPDX-License-Identifier: Apache-2.0
"""Which memories a design has, what each is made of, and how many blocks of its board it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hwrnn.board import Board, Family, Toolchain
from hwrnn.design.design import AxisIn, Design, Engine, Kernel, Reverse, ceil_div, kernel_outputs
from hwrnn.design.engine import Storage
from hwrnn.design.resources.blocks import fewest
from hwrnn.errors import DesignError

BLOCK_FROM_BITS = 4096  # a smaller memory is made of LUTs
BLOCK_FROM_DEPTH = 32  # so is a shallower one
SPARED_BITS = 160  # registers that a block of an iCE40 must spare, which has no LUT memory
URAM_WIDTH = 72  # UltraRAM has this one shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`depth` words of `width` bits, made of `storage`; `rom`: it holds weights."""

    name: str
    depth: int
    width: int
    rom: bool
    storage: Storage = Storage.LUT

    @property
    def bits(self) -> int:
        """Its contents."""
        return self.depth * self.width

    @property
    def worth_blocks(self) -> bool:
        """True when it is large and deep enough for memory blocks."""
        return self.bits >= BLOCK_FROM_BITS and self.depth >= BLOCK_FROM_DEPTH

    def blocks(self, board: Board) -> int:
        """Block RAMs of the board, halves rounded up."""
        if self.storage is not Storage.BRAM:
            return 0
        return math.ceil(fewest(board.family, self.depth, self.width))

    def urams(self, board: Board) -> int:
        """UltraRAM blocks of the board."""
        if self.storage is not Storage.URAM:
            return 0
        return ceil_div(self.depth, board.uram_bits // URAM_WIDTH) * ceil_div(
            self.width, URAM_WIDTH
        )


def buffer_style(board: Board, depth: int, width: int, *, registered: bool = True) -> str:
    """What a buffer is made of, as its `ram_style`: blocks if it is worth them, else LUT memory, or
    registers where LUTs hold none.

    `registered`: it is read a cycle after its address, as blocks of any tool are; without that only
    yosys finds the address register in front of it.
    """
    memory = Memory(name="", depth=depth, width=width, rom=False, storage=Storage.BRAM)
    small = board.family is Family.ICE40
    readable = registered or board.toolchain is Toolchain.OPEN
    if board.block_rams and readable:
        worth = memory.bits >= SPARED_BITS * memory.blocks(board) if small else memory.worth_blocks
        if worth:
            return "block"
    return "registers" if small else "distributed"


def memories(design: Design) -> tuple[Memory, ...]:
    """Weight memories and whole-sequence buffers; FIFOs and states are made of LUTs."""
    found = [m for k in design.kernels if (m := memory_of(k)) is not None]
    blocks = bool(design.board.block_rams)
    return tuple(
        m if m.rom or not (blocks and m.worth_blocks) else replace(m, storage=Storage.BRAM)
        for m in found
    )


def memory_of(kernel: Kernel) -> Memory | None:
    """The memory of a kernel, if it has one."""
    match kernel:
        case Engine():
            return weight_memory(kernel)
        case AxisIn(max_steps=int(steps)):
            bits = kernel.out.lanes * kernel.out.type.bits + 1
            return Memory(
                name=kernel.name, depth=2 * steps * kernel.out.beats, width=bits, rom=False
            )
        case Reverse():
            bits = kernel.x.lanes * kernel.x.type.bits
            depth = 2 * kernel.max_steps * kernel.x.beats
            return Memory(name=kernel.name, depth=depth, width=bits, rom=False)
        case _:
            return None


def weight_memory(kernel: Engine) -> Memory:
    """A word holds the weights of one cycle: gates x pe x simd."""
    depth = len(kernel.cells) * len(kernel.blocks) * kernel.groups
    width = len(kernel.gates) * kernel.pe * kernel.simd * kernel.weight_type.bits
    return Memory(name=kernel.name, depth=depth, width=width, rom=True, storage=kernel.storage)


def store_weights(
    kernels: Sequence[Kernel], board: Board, wishes: Mapping[str, str], *, writable: bool
) -> tuple[Kernel, ...]:
    """The kernels with a storage for the weights of every engine.

    `wishes`: for each engine `auto`, `lut`, `bram` or `uram`. `auto` takes block RAM for what is
    worth it, the largest first, as long as the board has blocks. Raises DesignError for what the
    board does not have.
    """
    engines = {k.name: k for k in kernels if isinstance(k, Engine)}
    chosen = {
        name: asked(name, wish, board, writable=writable)
        for name, wish in wishes.items()
        if wish != "auto"
    }
    made = [replace(weight_memory(engines[n]), storage=s) for n, s in chosen.items()]
    left = board.block_rams - sum(m.blocks(board) for m in made) - buffer_blocks(kernels, board)
    free = [weight_memory(k) for name, k in engines.items() if name not in chosen]
    for memory in sorted(free, key=lambda m: (-m.bits, m.name)):
        in_blocks = replace(memory, storage=Storage.BRAM)
        need = in_blocks.blocks(board) if board.block_rams else 0
        fits = memory.worth_blocks and 0 < need <= left
        chosen[memory.name] = Storage.BRAM if fits else Storage.LUT
        left -= need if fits else 0
    return tuple(
        replace(k, storage=chosen[k.name]) if isinstance(k, Engine) else k for k in kernels
    )


def buffer_blocks(kernels: Sequence[Kernel], board: Board) -> int:
    """Block RAMs of the FIFOs behind kernels."""
    found = 0
    for stream in (s for k in kernels for s in kernel_outputs(k) if s.depth > 2):
        width = stream.lanes * stream.type.bits + 1 + stream.id_bits
        if buffer_style(board, stream.depth, width, registered=False) == "block":
            found += math.ceil(fewest(board.family, stream.depth, width))
    return found


def asked(name: str, wish: str, board: Board, *, writable: bool) -> Storage:
    """The storage that a user asks for. Raises DesignError naming what the board has instead."""
    storage = Storage(wish)
    have = {Storage.LUT: True, Storage.BRAM: bool(board.block_rams), Storage.URAM: board.urams > 0}
    legal = ", ".join(s.value for s in Storage if have[s])
    if not have[storage]:
        raise DesignError(
            f'weights of layer "{name}"',
            f"are to be in {wish}, which {board.title} does not have",
            f"use auto, {legal}",
        )
    if storage is Storage.URAM and not writable:
        raise DesignError(
            f'weights of layer "{name}"',
            "are to be in uram, which has no contents at power-on",
            "use auto, lut or bram; or load them at run time with writable_weights=True",
        )
    return storage
