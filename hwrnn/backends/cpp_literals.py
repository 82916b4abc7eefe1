# SPDX-License-Identifier: Apache-2.0
"""How types and numbers are printed in C++; a number that does not fit its type is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwrnn.ir import IntType

COLUMNS = 100
INT64 = IntType(-(2**63), 2**63 - 1)
WORD = IntType(INT64.lo, 2**64 - 1)
MACHINE = (
    *((IntType(-(2 ** (b - 1)), 2 ** (b - 1) - 1), f"std::int{b}_t") for b in (8, 16, 32, 64)),
    (IntType(0, 2**64 - 1), "std::uint64_t"),
)


def cpp_int(value: int, type: IntType) -> str:  # noqa: A002 - the word the field uses
    """`value` as a C++ literal. Raises ValueError if `type`, or 64 bits, cannot hold it."""
    if not type.lo <= value <= type.hi:
        raise ValueError(f"{value} does not fit {type}")
    if value == INT64.lo:
        return "(-9223372036854775807LL - 1)"
    if not INT64.lo <= value < 2**64:
        raise ValueError(f"{value} needs more than 64 bits")
    if value > INT64.hi:
        return f"{value}ULL"
    return f"{value}LL" if not -(2**31) < value < 2**31 else str(value)


def cpp_type(t: IntType) -> str:
    """The ap_int or ap_uint of exactly the bits that `t` needs."""
    return f"ap_int<{t.bits}>" if t.signed else f"ap_uint<{t.bits}>"


def machine_type(t: IntType) -> str:
    """The narrowest machine integer that holds `t`, signed if it can be; constants live in it.

    Raises ValueError beyond 64 bits.
    """
    for held, name in MACHINE:
        if held.covers(t):
            return name
    raise ValueError(f"{t} needs more than 64 bits")


def cpp_array(
    values: NDArray[Any] | Iterable[int],
    type: IntType,  # noqa: A002
    indent: int = 0,
) -> str:
    """The braced initialiser of an array of any rank, of a declaration that is indented so far.

    Raises ValueError if `type` does not cover the values.
    """
    array = values if isinstance(values, np.ndarray) else np.array(list(values), dtype=object)
    if array.size and not type.covers(IntType(int(array.min()), int(array.max()))):
        raise ValueError(f"{array.min()}..{array.max()} does not fit {type}")
    return _braced(array, indent)


def _braced(array: NDArray[Any], indent: int) -> str:
    """One line if it fits, else the parts on lines of their own, or numbers filling lines."""
    if 3 * array.size < COLUMNS:
        line = _flat(array)
        if len(line) + indent < COLUMNS - 1:
            return line
    pad = " " * (indent + 2)
    if array.ndim == 1:
        lines = _filled(_literals(array), COLUMNS - 1 - len(pad))
    else:
        lines = [_braced(part, indent + 2) + "," for part in array]
    body = "\n".join(pad + line for line in lines)
    return f"{{\n{body}\n{' ' * indent}}}"


def _flat(array: NDArray[Any]) -> str:
    parts = _literals(array) if array.ndim == 1 else [_flat(part) for part in array]
    return "{" + ", ".join(parts) + "}"


def _literals(array: NDArray[Any]) -> list[str]:
    return [cpp_int(v, WORD) for v in array.tolist()]


def _filled(words: list[str], width: int) -> list[str]:
    """The words, a comma behind each, on as few lines as they need."""
    lines: list[str] = []
    line: list[str] = []
    used = 0
    for word in words:
        if line and used + len(word) + 2 > width:
            lines.append(" ".join(line))
            line, used = [], 0
        line.append(word + ",")
        used += len(word) + 2
    return [*lines, " ".join(line)]
