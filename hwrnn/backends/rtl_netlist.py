# SPDX-License-Identifier: Apache-2.0
"""A generated SystemVerilog module: ports, wires, instances of library modules, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hwrnn.backends.jinja import sv_int
from hwrnn.ir import IntType


@dataclass(frozen=True, slots=True, kw_only=True)
class Bits:
    """A constant of exactly `width` bits."""

    value: int
    width: int

    def __str__(self) -> str:
        if self.width <= 32 or self.value == 0:
            return sv_int(self.value, self.width)
        return f"{self.width}'h{self.value:x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Unsigned numbers side by side, the first in the low bits, each in 32 bits."""

    values: tuple[int, ...]

    def __str__(self) -> str:
        texts = [sv_int(v, 32) for v in self.values]
        if len(texts) > 1 and len(set(texts)) == 1:
            return f"{{{len(texts)}{{{texts[0]}}}}}"
        return texts[0] if len(texts) == 1 else f"{{{', '.join(reversed(texts))}}}"


Parameter = bool | int | str | Bits | Numbers


def sv_parameter(value: Parameter) -> str:
    """The value of a module parameter, as SystemVerilog."""
    match value:
        case bool():
            return f"1'b{int(value)}"
        case int():
            if -(1 << 31) < value < 1 << 31:
                return str(value)
            if not -(1 << 31) <= value < 1 << 32:  # an int parameter would cut it off in silence
                raise ValueError(f"the parameter {value} needs more than 32 bits")
            return f"32'd{value}" if value > 0 else f"-32'sd{-value}"
        case str():
            if not value.isascii() or any(ch in value for ch in '"\\\n'):
                raise ValueError(f"{value!r} cannot be a SystemVerilog string")
            return f'"{value}"'
        case Bits() | Numbers():
            return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of a generated module; `width` None is a single bit."""

    direction: str
    name: str
    width: int | None = None

    @property
    def declaration(self) -> str:
        """Direction, type and name."""
        head = "input  wire logic" if self.direction == "in" else "output logic"
        return f"{head}{range_of(self.width)} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A signal inside a generated module; `width` None is a single bit."""

    name: str
    width: int | None

    @property
    def declaration(self) -> str:
        """Type and name."""
        return f"logic{range_of(self.width)} {self.name}"


def range_of(width: int | None) -> str:
    """` [7:0]` for 8 bits."""
    return "" if width is None else f" [{width - 1}:0]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance of a library module: parameters and connections as they are printed.

    `given`: the parameters as they are.
    """

    module: str
    name: str
    parameters: tuple[tuple[str, str], ...]
    ports: tuple[tuple[str, str], ...]
    given: Mapping[str, Parameter]


@dataclass(slots=True, kw_only=True)
class Module:
    """A module while it is being put together."""

    name: str
    title: str
    ports: list[Port] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    assigns: list[tuple[str, str]] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)

    def wire(self, name: str, width: int | None = None) -> str:
        """Declare a signal and return its name."""
        self.wires.append(Wire(name=name, width=width))
        return name

    def add(
        self,
        module: str,
        name: str,
        parameters: Mapping[str, Parameter],
        ports: Mapping[str, str | Bits],
        *,
        clocked: bool = True,
        reset: bool = True,
    ) -> None:
        """Place an instance; clock and reset are connected as well."""
        clock = {"clk_i": "clk_i"} if clocked else {}
        clock |= {"rst_i": "rst_i"} if clocked and reset else {}
        self.instances.append(
            Instance(
                module=module,
                name=name,
                parameters=padded({k: sv_parameter(v) for k, v in parameters.items()}),
                ports=padded({k: str(v) for k, v in (clock | dict(ports)).items()}),
                given=dict(parameters),
            )
        )

    def keep_used(self, names: Iterable[str]) -> None:
        """Note, as unused, the signals that nothing reads: linters then know that it is meant."""
        read = [right for _, right in self.assigns]
        for i in self.instances:
            read += [value for port, value in i.ports if not port.strip().endswith("_o")]
        words = {word for text in read for word in re.findall(r"\w+", text)}
        for name in names:
            if name not in words:
                self.assigns.append((self.wire(f"unused_{name}"), f"&{{1'b0, {name}}}"))

    def resized(self, signal: str, name: str, lanes: int, old: IntType, new: IntType) -> str:
        """`signal`, lane by lane, as the bits of another type that covers it."""
        if old.bits == new.bits:
            return signal
        wide = self.wire(name, lanes * new.bits)
        self.add(
            "hwrnn_resize",
            f"u_{name}",
            {"Lanes": lanes, "XWidth": old.bits, "XSigned": old.signed, "YWidth": new.bits},
            {"x_i": signal, "y_o": wide},
            clocked=False,
        )
        return wide


def padded(pairs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Names brought to one length, so that the parentheses stand in a column."""
    length = max((len(k) for k in pairs), default=0)
    return tuple((k.ljust(length), v) for k, v in pairs.items())


def packed(values: Sequence[int], width: int) -> Bits:
    """Values side by side, the first in the low bits, each in `width` bits."""
    mask = (1 << width) - 1
    total = 0
    for k, v in enumerate(values):
        sv_int(v, width)  # refuses what does not fit
        total |= (v & mask) << (k * width)
    return Bits(value=total, width=width * len(values))


def signed_bits(*values: int) -> int:
    """Bits of the smallest two's complement number that holds all values."""
    return max((v if v >= 0 else -v - 1).bit_length() + 1 for v in values)


def index_bits(count: int) -> int:
    """Bits of an index below `count`, at least 1."""
    return max((count - 1).bit_length(), 1)
