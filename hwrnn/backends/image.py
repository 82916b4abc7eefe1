# SPDX-License-Identifier: Apache-2.0
"""The image of a model for a design with writable weights: what to write, where.

The design is built once more, from the other model, in the ranges and forms of the first one. If
both are the same hardware, word for word of SystemVerilog, then the contents of the second one's
memories make the first one compute the second model.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hwrnn.backends.identity import version_word
from hwrnn.backends.rtl import library_modules, module_text, top_name
from hwrnn.backends.rtl_config import IMAGE_HIGH, IMAGE_LOW, Region
from hwrnn.backends.rtl_top import Top
from hwrnn.design.design import Design
from hwrnn.design.lower import build_design
from hwrnn.errors import DataError, DesignError, OutputError
from hwrnn.ir import Graph
from hwrnn.ir.ops import Op
from hwrnn.ir.printer import op_line
from hwrnn.ir.text import model_hash

FORMAT = "hwrnn image 1"
Write = tuple[int, int]  # byte address, 32 bits
OF_A_MODEL = ("// Generated", ".File", ".ModelHash", "assign model_hash_o")  # lines of the sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The contents of all writable memories of a design, for one model.

    `graph`: the model, whose input quantiser and output grid the host needs. `layout`: names the
    address map of the design; register 0x14 of the hardware reads it.
    """

    graph: Graph
    design: str
    layout: int
    regions: tuple[Region, ...]

    @property
    def model_hash(self) -> str:
        """The hash of the model, whose first 64 bits the registers 0x18 and 0x1c will hold."""
        return model_hash(self.graph)

    @property
    def words(self) -> tuple[Write, ...]:
        """(byte address, 32-bit word): every write, in order; the last two name the image."""
        return tuple(self._writes())

    def _writes(self) -> Iterator[Write]:
        for region in self.regions:
            yield from region.writes()
        named = int(self.model_hash[:16], 16)
        yield IMAGE_LOW, named & 0xFFFF_FFFF
        yield IMAGE_HIGH, named >> 32

    def header(self) -> dict[str, object]:
        """What the file says first."""
        source, *more = self.graph.inputs
        sink, *others = self.graph.outputs
        further: dict[str, list[Op]] = {"more_inputs": [*more], "more_outputs": [*others]}
        return {
            "format": FORMAT,
            "model": self.graph.name,
            "model_hash": self.model_hash[:16],
            "design": self.design,
            "layout": f"{self.layout:08x}",
            "words": len(self.words),
            "input": op_line(source, elide=False),
            "output": op_line(sink, elide=False),
            **{k: [op_line(op, elide=False) for op in ops] for k, ops in further.items() if ops},
        }

    def text(self) -> str:
        """A line of JSON, then a line for each write: address and word, 8 hexadecimal digits each,
        a space between them.
        """
        lines = [f"{address:08x} {word:08x}" for address, word in self.words]
        return "\n".join([json.dumps(self.header()), *lines]) + "\n"

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the text to a file. Raises OutputError."""
        target = Path(path)
        try:
            target.write_text(self.text(), encoding="utf-8")
        except OSError as error:
            raise OutputError(str(target), f"cannot be written: {error.strerror}") from error
        return target


def image(design: Design, graph: Graph) -> Image:
    """The image of `graph` for `design`.

    Raises DesignError, naming the op, for a model of another shape, weights or constants beyond
    what the design holds, and a requantiser that has no exact constants in the design's form.
    """
    check_writable(design)
    other = rebuilt(design, graph)
    ours, theirs = sources(design), sources(other)
    if ours[0] != theirs[0]:
        raise DesignError(
            f"model {graph.name}",
            "needs other hardware than the design",
            "build a design of its own",
        )
    made = theirs[1]
    assert made.memories.config is not None
    return Image(
        graph=graph,
        design=f"{design.name}, {design.board.name}",
        layout=made.layout,
        regions=tuple(made.memories.config.regions),
    )


def rebuilt(design: Design, graph: Graph) -> Design:
    """The design of another model, in the ranges and forms of this one; refusals name the model."""
    known = design.graph.name
    folds = {name: fold.as_dict() for name, fold in design.folds}
    try:
        return build_design(
            replace(graph, name=known),
            design.board,
            folds,
            design.max_steps or design.held_steps or None,
            design.options,
            like=design.graph,
        )
    except DesignError as fault:
        place = fault.place.replace(f"model {known}", f"model {graph.name}", 1)
        raise DesignError(place, fault.fact, fault.hint) from None


def check_writable(design: Design) -> None:
    """Refuse a design whose weights are part of the hardware."""
    if not design.writable:
        raise DesignError(
            f"design {design.name}",
            "has its weights in the hardware",
            "build it with writable_weights=True",
        )


def check_fits(design: Design, image: Image) -> None:
    """Refuse an image that was made for another design."""
    check_writable(design)
    layout = sources(design)[1].layout
    if image.layout != layout:
        raise DesignError(
            f"image of {image.graph.name}",
            f"is for layout {image.layout:08x}; the design has {layout:08x}",
            "make it with hwrnn.weights(design, graph)",
        )


def sources(design: Design) -> tuple[list[str], Top]:
    """The lines of the generated modules that do not name the model, and where they come from."""
    top = Top(design, top_name(design), library_modules(), version_word())
    last = top.build()
    texts = [module_text(design, m) for m in (*top.kernels, last)]
    lines = (line for text in texts for line in text.split("\n"))
    return [line for line in lines if not any(word in line for word in OF_A_MODEL)], top


def read_writes(path: str | os.PathLike[str]) -> tuple[dict[str, object], tuple[Write, ...]]:
    """Header and writes of a file that Image.write made. Raises DataError."""
    place = str(path)
    try:
        first, *lines = Path(path).read_text(encoding="utf-8").splitlines()
        header = json.loads(first)
        pairs = [line.split(" ") for line in lines]
        writes = tuple((int(address, 16), int(word, 16)) for address, word in pairs)
    except OSError as error:
        raise DataError(place, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(place, "is no image of hwrnn weights") from error
    if header.get("format") != FORMAT or header.get("words") != len(writes):
        raise DataError(place, "is no whole image of this version", "write it again")
    return header, writes
