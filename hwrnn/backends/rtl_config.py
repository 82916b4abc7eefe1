# SPDX-License-Identifier: Apache-2.0
"""Memories that are written at run time: their place in the address map, and their words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hwrnn.backends.rtl_netlist import Module, Port

FIRST_WORD = 64  # registers of the slave come before
BUS_BITS = 63  # valid, word address, data
SLICE = 32  # bits of a write
WORDS_MOST = 1 << 30  # of an address of 32 bits
ID, VERSION, MODEL_LOW, MODEL_HIGH, STATUS, LAYOUT, IMAGE_LOW, IMAGE_HIGH = range(0, 32, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A memory on the config bus: `depth` words of `width` bits from word address `base` on.

    A word takes a power of two of 32-bit slices, low bits first. `content`: a line of hexadecimal
    digits for each word.
    """

    name: str
    depth: int
    width: int
    base: int
    content: str

    @property
    def slice_bits(self) -> int:
        """The logarithm of the distance of two words."""
        return (-(-self.width // SLICE) - 1).bit_length()

    @property
    def size(self) -> int:
        """Addresses that it takes, a power of two."""
        return 1 << (self.slice_bits + (self.depth - 1).bit_length())

    def writes(self) -> Iterator[tuple[int, int]]:
        """(byte address, 32 bits) of every slice."""
        slices = -(-self.width // SLICE)
        for k, line in enumerate(self.content.split()):
            value = int(line, 16)
            for s in range(slices):
                address = self.base + (k << self.slice_bits) + s
                yield 4 * address, (value >> (SLICE * s)) & 0xFFFF_FFFF

    def as_dict(self) -> dict[str, object]:
        """What the project's map says of it."""
        return {
            "name": self.name,
            "address": 4 * self.base,
            "words": self.depth,
            "bits": self.width,
            "bytes_from_word_to_word": 4 << self.slice_bits,
        }


@dataclass(slots=True)
class ConfigMap:
    """The memories of a design in the order in which they are placed."""

    regions: list[Region] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The first word address behind all of them."""
        return max((r.base + r.size for r in self.regions), default=FIRST_WORD)

    def add(self, name: str, width: int, content: str) -> Region:
        """Place a memory at the next multiple of its size."""
        depth = content.count("\n")
        trial = Region(name=name, depth=depth, width=width, base=0, content=content)
        base = -(-self.end // trial.size) * trial.size
        if base + trial.size > WORDS_MOST:
            raise ValueError(f"{name}: beyond the addresses of 32 bits")
        region = Region(name=name, depth=depth, width=width, base=base, content=content)
        self.regions.append(region)
        return region

    def layout(self, modules: Iterable[Module]) -> int:
        """32 bits that name the map and what reads it: an image of another one means nothing."""
        lines = [f"{r.name} {r.depth} {r.width} {r.base}" for r in self.regions]
        for module in modules:
            for i in module.instances:
                known = [(k, v) for k, v in i.parameters if k.strip() != "File"]
                lines.append(f"{i.module} {i.name} {known} {i.ports}")
        return int(hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8], 16)

    def text(self, layout: int) -> str:
        """The map as JSON: name, byte address and size of every memory."""
        facts = {
            "layout": f"{layout:08x}",
            "bytes": 4 * self.end,
            "memories": [r.as_dict() for r in self.regions],
        }
        return json.dumps(facts, indent=2) + "\n"


def address_bits(config: ConfigMap) -> int:
    """Bits of a byte address: no more than the map needs."""
    return max((4 * config.end - 1).bit_length(), 9)


def axi_lite_ports(bits: int) -> list[Port]:
    """The ports of the AXI4-Lite slave."""
    widths = {"awaddr": bits, "araddr": bits, "wdata": 32, "rdata": 32}
    widths |= {"wstrb": 4, "bresp": 2, "rresp": 2}
    given = ("awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid")
    names: tuple[str, ...] = ("awaddr", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready")
    names += ("bresp", "bvalid", "bready", "araddr", "arvalid", "arready")
    names += ("rdata", "rresp", "rvalid", "rready")
    return [
        Port(direction="out" if n in given else "in", name=f"s_axi_{n}", width=widths.get(n))
        for n in names
    ]
