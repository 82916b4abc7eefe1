# SPDX-License-Identifier: Apache-2.0
"""Boards: a part, a clock and a count of resources, read from TOML and checked key by key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TypeVar

from hwrnn.errors import BoardError, shorten

Choice = TypeVar("Choice", bound=StrEnum)


class Family(StrEnum):
    """FPGA family: decides the primitives and the synthesis script."""

    XC7 = "xc7"
    XCUP = "xcup"
    ECP5 = "ecp5"
    ICE40 = "ice40"
    GOWIN = "gowin"

    @property
    def lut_inputs(self) -> int:
        """Inputs of one LUT: 6 for AMD, 4 for the others."""
        return 6 if self in (Family.XC7, Family.XCUP) else 4


class Toolchain(StrEnum):
    """Who turns the project into a bitstream."""

    VIVADO = "vivado"
    OPEN = "open"


class DspKind(StrEnum):
    """The multiplier block, by its vendor's primitive name."""

    DSP48E1 = "DSP48E1"
    DSP48E2 = "DSP48E2"
    MULT18X18D = "MULT18X18D"
    SB_MAC16 = "SB_MAC16"
    MULT18X18 = "MULT18X18"

    @property
    def widths(self) -> tuple[int, int]:
        """Widths of the signed operands of one block, the wider first."""
        return _DSP_WIDTHS[self]


_DSP_WIDTHS = {
    DspKind.DSP48E1: (25, 18),
    DspKind.DSP48E2: (27, 18),
    DspKind.MULT18X18D: (18, 18),
    DspKind.SB_MAC16: (16, 16),
    DspKind.MULT18X18: (18, 18),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What a bitstream needs of a board: its oscillator, and the pins of reset button, serial line
    and lights, by the names of the package. `reset_low`, `lights_low`: active low. `load` is the
    command that loads a bitstream, without the file.
    """

    oscillator_mhz: float
    clock: str
    reset: str
    reset_low: bool
    uart_rx: str
    uart_tx: str
    baud: int
    error_light: str
    busy_light: str
    lights_low: bool
    load: str


PINS = ("clock", "reset", "uart_rx", "uart_tx", "error_light", "busy_light")  # of a shell


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A target board; the resources are those of the whole device.

    `clock_mhz` is the default clock of a design in MHz; `block_ram_bits` and `uram_bits` are bits
    per block (0 where there is no such block). `shell`: of a board for which open tools make
    bitstreams.
    """

    name: str
    title: str
    vendor: str
    part: str
    family: Family
    toolchain: Toolchain
    clock_mhz: float
    luts: int
    ffs: int
    dsps: int
    dsp_kind: DspKind
    block_rams: int
    block_ram_bits: int
    urams: int
    uram_bits: int
    shell: Shell | None = None

    @property
    def period_ns(self) -> float:
        """Clock period in ns."""
        return 1000.0 / self.clock_mhz

    def as_dict(self) -> dict[str, object]:
        """The entries of the board's TOML file, ready for JSON."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self) if f.name != "shell")
        entries = {key: str(v) if isinstance(v, StrEnum) else v for key, v in values}
        return entries if self.shell is None else entries | {"shell": asdict(self.shell)}


def boards() -> tuple[Board, ...]:
    """Every board that hwrnn ships, by name.  Raises BoardError if one of the files is broken."""
    return tuple(_read(path) for path in sorted(_folder().glob("*.toml")))


def load_board(name: str | Path) -> Board:
    """The board called `name` (case, `-` and `_` do not matter), or that of a user's .toml file.

    Raises BoardError for an unknown name and for a file with an unknown, missing or impossible
    entry.
    """
    text = str(name)
    if isinstance(name, Path) or text.lower().endswith(".toml"):
        return _read(Path(name))
    known = {_key(path.stem): path for path in sorted(_folder().glob("*.toml"))}
    path = known.get(_key(text))
    if path is None:
        raise _unknown_board(text, [p.stem for p in known.values()])
    return _read(path)


def _key(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).lower()


@cache
def _folder() -> Path:
    """The board files: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "boards"
    return installed if installed.is_dir() else package.parent / "boards"


def _unknown_board(name: str, known: list[str]) -> BoardError:
    by_key = {_key(k): k for k in known}
    close = [by_key[k] for k in get_close_matches(_key(name), list(by_key), n=3)]
    asked = f"did you mean {' or '.join(close)}? " if close else ""
    return BoardError(
        "board",
        f'there is no board "{shorten(name)}"',
        f"{asked}known boards: {', '.join(known)}; or give the path of a .toml file",
    )


def _read(path: Path) -> Board:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BoardError(
            str(path), f"cannot be read: {error.strerror}", "see `hwrnn boards` for those by name"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardError(
            str(path), f"is not a TOML file: {error}", "copy one of the files in boards/"
        ) from error
    return _parse(str(path), entries)


def _parse(place: str, entries: Mapping[str, object]) -> Board:
    known = [f.name for f in fields(Board)]
    _check_keys(place, "unknown", [k for k in entries if k not in known], known)
    needed = [k for k in known if k != "shell"]
    _check_keys(place, "missing", [k for k in needed if k not in entries], known)
    board = Board(
        name=_text(place, entries, "name", r"[a-z0-9_]{1,40}", "letters a-z, digits and _"),
        title=_text(place, entries, "title", r"[ -~]{1,80}", "one line of ASCII"),
        vendor=_text(place, entries, "vendor", r"[ -~]{1,80}", "one line of ASCII"),
        # The part is written into Tcl and shell scripts: nothing but what part names contain.
        part=_text(place, entries, "part", r"[A-Za-z0-9][A-Za-z0-9/-]{0,59}", "A-Z a-z 0-9 / -"),
        family=_choice(place, entries, "family", Family),
        toolchain=_choice(place, entries, "toolchain", Toolchain),
        clock_mhz=_clock(place, entries, "clock_mhz"),
        luts=_count(place, entries, "luts", 1),
        ffs=_count(place, entries, "ffs", 1),
        dsps=_count(place, entries, "dsps"),
        dsp_kind=_choice(place, entries, "dsp_kind", DspKind),
        block_rams=_count(place, entries, "block_rams"),
        block_ram_bits=_count(place, entries, "block_ram_bits"),
        urams=_count(place, entries, "urams"),
        uram_bits=_count(place, entries, "uram_bits"),
        shell=_shell(f"{place}: shell", entries["shell"]) if "shell" in entries else None,
    )
    _check_sizes(place, board)
    return board


def _shell(place: str, entries: object) -> Shell:
    if not isinstance(entries, dict):
        raise BoardError(place, "is not a table", "write it as [shell]")
    known = [f.name for f in fields(Shell)]
    _check_keys(place, "unknown", [k for k in entries if k not in known], known)
    _check_keys(place, "missing", [k for k in known if k not in entries], known)
    pins = {k: _text(place, entries, k, r"[A-Z0-9]{1,8}", "A-Z 0-9") for k in PINS}
    return Shell(
        **pins,
        oscillator_mhz=_clock(place, entries, "oscillator_mhz"),
        reset_low=_flag(place, entries, "reset_low"),
        baud=_count(place, entries, "baud", 1200),
        lights_low=_flag(place, entries, "lights_low"),
        # It is written into a Makefile.
        load=_text(place, entries, "load", r"[A-Za-z][A-Za-z0-9 _.-]{0,79}", "A-Z a-z 0-9 _ . -"),
    )


def _check_keys(place: str, what: str, keys: list[str], known: list[str]) -> None:
    if keys:
        noun = "entry" if len(keys) == 1 else "entries"
        names = ", ".join(shorten(k) for k in keys)
        raise BoardError(place, f"{what} {noun} {names}", f"known entries: {', '.join(known)}")


def _text(place: str, entries: Mapping[str, object], key: str, pattern: str, allowed: str) -> str:
    value = entries[key]
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise _impossible(place, key, value, f"a non-empty text of {allowed}")
    return value


def _choice(place: str, entries: Mapping[str, object], key: str, kind: type[Choice]) -> Choice:
    value = entries[key]
    names: Iterable[str] = [str(member) for member in kind]
    if not isinstance(value, str) or value not in names:
        raise _impossible(place, key, value, f"one of {', '.join(names)}")
    return kind(value)


def _count(place: str, entries: Mapping[str, object], key: str, low: int = 0) -> int:
    value = entries[key]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= 10**9:
        raise _impossible(place, key, value, f"a whole number from {low} to 1000000000")
    return value


def _flag(place: str, entries: Mapping[str, object], key: str) -> bool:
    value = entries[key]
    if not isinstance(value, bool):
        raise _impossible(place, key, value, "true or false")
    return value


def _clock(place: str, entries: Mapping[str, object], key: str) -> float:
    value = entries[key]
    if not isinstance(value, int | float) or isinstance(value, bool) or not 1 <= value <= 2000:
        raise _impossible(place, key, value, "a number of MHz from 1 to 2000")
    return float(value)


def _check_sizes(place: str, board: Board) -> None:
    """A block that exists has a size."""
    for count, bits in (("block_rams", "block_ram_bits"), ("urams", "uram_bits")):
        if getattr(board, count) and not getattr(board, bits):
            raise _impossible(place, bits, 0, f"above 0, since {count} is {getattr(board, count)}")


def _impossible(place: str, key: str, value: object, need: str) -> BoardError:
    return BoardError(place, f"{key} is {shorten(repr(value))}; it must be {need}")
