# SPDX-License-Identifier: Apache-2.0
"""Contents of memories: integers become the hexadecimal words that $readmemh reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwrnn.backends.rtl_config import ConfigMap
from hwrnn.backends.rtl_netlist import Bits, Module, Parameter, packed
from hwrnn.design.engine import Storage
from hwrnn.ir import IntType

STYLES = {Storage.LUT: "distributed", Storage.BRAM: "block", Storage.URAM: "ultra"}


def hex_words(elements: NDArray[np.int64], width: int) -> str:
    """A line for each row: its elements side by side, the first in the low bits."""
    rows, count = elements.shape
    if elements.size and not (
        -(1 << (width - 1)) <= int(elements.min()) and int(elements.max()) < 1 << width
    ):
        raise ValueError(f"{elements.min()}..{elements.max()} does not fit {width} bits")
    shifts = np.arange(width, dtype=np.int64)
    digits = max(-(-count * width // 4), 1)
    lines = []
    for start in range(0, rows, 4096):  # a bit is a byte here: not all of them at once
        part = elements[start : start + 4096]
        bits = ((part[:, :, None] >> shifts) & 1).astype(np.uint8).reshape(len(part), -1)
        octets = np.packbits(bits, axis=1, bitorder="little")[:, ::-1]
        lines += [row.tobytes().hex()[-digits:].rjust(digits, "0") for row in octets]
    return "\n".join(lines) + "\n"


def constant_words(words: Sequence[Sequence[int]], width: int) -> str:
    """The same for integers of any size, which numpy does not hold."""
    digits = -(-len(words[0]) * width // 4)
    return "".join(f"{packed(row, width).value:0{digits}x}\n" for row in words)


def lut_words(x: IntType, y: IntType, table: tuple[int, ...]) -> str:
    """The table in the order of x's bit patterns; patterns that x never has read 0."""
    entries = np.zeros((1 << x.bits, 1), dtype=np.int64)
    mask = (1 << x.bits) - 1
    for k, value in enumerate(table):
        entries[(x.lo + k) & mask, 0] = value
    return hex_words(entries, y.bits)


@dataclass(slots=True)
class Memories:
    """The memory files of a design; equal contents share one file.

    `config`: where they stand on the config bus, if they are writable.
    """

    files: dict[str, str] = field(default_factory=dict)
    config: ConfigMap | None = None
    _by_content: dict[str, str] = field(default_factory=dict)

    def file(self, name: str, content: str) -> str:
        """The name of the file that holds `content`: `name`.mem, or an earlier one."""
        if content not in self._by_content:
            self._by_content[content] = f"{name}.mem"
            self.files[f"{name}.mem"] = content
        return self._by_content[content]

    def parts(
        self, name: str, width: int, content: str
    ) -> tuple[dict[str, Parameter], dict[str, str | Bits]]:
        """Parameters and ports of an instance that holds `content`, and may be writable."""
        parameters: dict[str, Parameter] = {"File": self.file(name, content)}
        if self.config is None:
            return parameters, {}
        base = self.config.add(name, width, content).base
        return {"Base": base} | parameters, {"config_i": "config_i"}

    def place(
        self,
        module: Module,
        name: str,
        content: Content,
        ports: Mapping[str, str],
        storage: Storage | None = None,
    ) -> None:
        """A memory that is read a word a cycle; `name` is that of the instance."""
        parameters, config = self.parts(content.name, content.width, content.text)
        if storage is not None:
            parameters["Style"] = STYLES[storage]
        if storage is Storage.URAM:
            parameters["File"] = ""  # it has no contents at power-on: they come from an image
        size: dict[str, Parameter] = {
            "Width": content.width,
            "Depth": content.text.count("\n"),
        }
        module.add(
            "hwrnn_rom" if self.config is None else "hwrnn_ram",
            name,
            size | parameters,
            {**config, **ports},
            reset=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a memory holds, word by word, and what its file is called."""

    name: str
    width: int
    text: str
