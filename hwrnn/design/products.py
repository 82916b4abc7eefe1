# SPDX-License-Identifier: Apache-2.0
"""Which multipliers the engines of a design get: the board's hard ones go to the largest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hwrnn.board import Board
from hwrnn.design.area import cell_area, datapath_area
from hwrnn.design.design import Engine, Kernel, Map
from hwrnn.design.multipliers import Kind, Multiplier, choose


def make_products(kernels: Sequence[Kernel], board: Board, option: str) -> tuple[Kernel, ...]:
    """The kernels with a multiplier for every engine.

    `option`: "auto", "dsp", "packed" or "lut", see `hwrnn.design.multipliers`. With "auto" an
    engine whose products no longer fit the board's hard multipliers, beside those of all
    datapaths, makes them of LUTs.
    """
    chosen: dict[str, Multiplier] = {}
    engines = [k for k in kernels if isinstance(k, Engine)]
    maps = [k for k in kernels if isinstance(k, Map)]
    left = board.dsps
    left -= sum(cell_area(k, board).dsps for k in engines)
    left -= sum(datapath_area(k.datapath, board).dsps for k in maps)
    for engine in sorted(engines, key=lambda e: (-e.rows * e.simd, e.name)):
        made = choose(board, engine.weight_type, engine.operand_type, option)
        if option == "auto" and made.hard(engine.rows, engine.simd) > left:
            made = choose(board, engine.weight_type, engine.operand_type, Kind.LUT)
        left -= made.hard(engine.rows, engine.simd)
        chosen[engine.name] = made
    return tuple(
        replace(k, multiplier=chosen[k.name]) if isinstance(k, Engine) else k for k in kernels
    )
