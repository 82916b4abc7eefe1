# SPDX-License-Identifier: Apache-2.0
"""How an estimate's resources are printed, with their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwrnn.cli_print import print_table

if TYPE_CHECKING:
    from hwrnn.design.estimate import Estimate


def print_resources(e: Estimate) -> None:
    """What a design takes of its board, how sure that is, and its energy."""
    title = f"{e.multipliers:,} multipliers, {e.weight_bits:,} weight bits"
    print_table(title, [*(row(e, name) for name in e.use()), *extra(e)])
    print("errors: against yosys, for nine designs in ten")
    spent = e.energy
    if spent is not None:
        print(f"energy: {spent.covers}; {spent.source}")


def row(e: Estimate, name: str) -> dict[str, str]:
    """A resource of the board."""
    used, has = e.use()[name]
    share = f"{100 * used / has:.1f} %" if has else ""
    return line(name, f"{used:,}", e.errors()[name], f"{has:,}", share)


def extra(e: Estimate) -> list[dict[str, str]]:
    """Weights in LUTs, whose number depends on the weights; energy, where it is known."""
    found = []
    if e.rom_luts:
        error = f"± {e.error_percent('rom_luts'):g} %"
        found.append(line("of the LUT: weight ROM", f"{e.rom_luts:,}", error))
    spent = e.energy
    known = f"{spent.microjoules:,.3g}" if spent else "no public coefficients"
    return [*found, line("µJ a sequence", known)]


def line(name: str, used: str, error: str = "", has: str = "", share: str = "") -> dict[str, str]:
    """A line of the table."""
    return {"": name, "used": used, "error": error, "on the board": has, "share": share}
