# SPDX-License-Identifier: Apache-2.0
"""What an image writes in HLS C++: arrays with names, and where the RTL's memories hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hwrnn.backends.image import sources
from hwrnn.backends.rtl_config import ConfigMap, Region
from hwrnn.design.design import Design, Engine, Map
from hwrnn.errors import DesignError
from hwrnn.ir import IntType


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView:
    """Where the words of an array are in an image; numbers as (type, name, value)."""

    name: str
    comment: str
    numbers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The bits of an element that an array holds, from bit `low` of every `stride` bits."""

    stride: int
    bits: int
    signed: bool
    low: int = 0

    @staticmethod
    def of(t: IntType, bits: int | None = None) -> Field:
        """All bits of an element of a type."""
        return Field(stride=bits or t.bits, bits=bits or t.bits, signed=t.signed)

    def numbers(self) -> Iterator[tuple[str, str, str]]:
        """What the kernel has to know."""
        yield from ints(stride=self.stride, low=self.low, bits=self.bits)
        yield "bool", "is_signed", "true" if self.signed else "false"


def ints(**numbers: int) -> Iterator[tuple[str, str, str]]:
    """Numbers that are an int each."""
    return (("int", name, str(value)) for name, value in numbers.items())


@dataclass(slots=True)
class LayerImage:
    """The memories of a layer, and what writes its arrays from them."""

    module: str
    memories: dict[str, Region]
    regions: list[RegionView] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def find(self, name: str) -> Region | None:
        """The memory of a value of this layer; a value that nothing reads has none."""
        return self.memories.get(f"{self.module}_{name}")

    def read_at_any_stage(self, name: str) -> Region | None:
        """The first of the memories of a constant, which has one for each stage that reads it."""
        start = f"{self.module}_{name}_at"
        found = (r for k, r in self.memories.items() if k.startswith(start) and k[len(start) :])
        return next((r for r in found if r.name[len(start) :].isdecimal()), None)

    def rows(self, array: str, region: Region | None, of: Field, indices: int) -> None:
        """An array of which each word of a memory is a row, `indices` of its dimensions number."""
        if region is None:
            return
        numbers = (*place(region), *of.numbers())
        self.add(array, region, numbers, f"write_rows<at_{array}, {indices}>", [f"image.{array}"])

    def tables(self, array: str, region: Region | None, x: IntType, y: IntType, cells: int) -> None:
        """A table for each cell."""
        if region is None:
            return
        signed = ("bool", "x_signed", "true" if x.signed else "false")
        extra = (*ints(x_bits=x.bits, lo=x.lo), signed)
        several = [f"{k}, image.{array}[{k}]" for k in range(cells)]
        targets = several if cells > 1 else [f"0, image.{array}"]
        numbers = (*place(region), *Field.of(y).numbers(), *extra)
        self.add(array, region, numbers, f"write_table<at_{array}>", targets)

    def search(
        self, array: str, levels: Sequence[Sequence[Region]], of: Field, count: int, indices: int
    ) -> None:
        """Thresholds that are searched: a memory for each level, and for each lane that has its
        own.
        """
        lanes = len(levels[0])
        rows = ", ".join("{" + ", ".join(str(r.base) for r in row) + "}" for row in levels)
        region = levels[0][0]
        numbers = (
            *ints(levels=len(levels), lanes=lanes, count=count, slice_bits=region.slice_bits),
            ("int", "bases[levels][lanes]", "{" + rows + "}"),
            *of.numbers(),
        )
        self.add(array, region, numbers, f"write_search<at_{array}, {indices}>", [f"image.{array}"])

    def add(
        self,
        array: str,
        region: Region,
        numbers: Sequence[tuple[str, str, str]],
        function: str,
        targets: Sequence[str],
    ) -> None:
        """A place in the image, and the calls that take what comes there."""
        comment = f"Memory {region.name}: words of {region.width} bits"
        self.regions.append(RegionView(name=f"at_{array}", comment=comment, numbers=tuple(numbers)))
        self.calls += [f"hwrnn::{function}(arrival, {target})" for target in targets]


def place(region: Region) -> Iterator[tuple[str, str, str]]:
    """Where the words of a memory are."""
    return ints(base=region.base, slice_bits=region.slice_bits, depth=region.depth)


@dataclass(frozen=True, slots=True)
class ImageMap:
    """The address map of a design, which is that of its RTL, for each layer."""

    config: ConfigMap
    layout: int
    layers: dict[str, LayerImage]

    @staticmethod
    def of(design: Design) -> ImageMap | None:
        """The map of a design with writable weights."""
        if not design.writable:
            return None
        top = sources(design)[1]
        config = top.memories.config
        assert config is not None
        memories = {r.name: r for r in config.regions}
        if len(memories) != len(config.regions):
            raise DesignError(
                f"design {design.name}",
                "has values whose memories would have one name",
                "rename them in the model",
            )
        kernels = [k for k in design.kernels if isinstance(k, Engine | Map)]
        layers = {
            k.name: LayerImage(module.name, memories)
            for k, module in zip(kernels, top.kernels, strict=True)
        }
        return ImageMap(config=config, layout=top.layout, layers=layers)
