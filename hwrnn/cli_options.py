# SPDX-License-Identifier: Apache-2.0
"""The options of the command line that choose a design, the same for every command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer


class PipelineName(StrEnum):
    """What may stand between two registers."""

    CLOCK = "clock"
    LATENCY = "latency"


class DirectionsName(StrEnum):
    """Engines for the two directions of a layer."""

    TWO = "two"
    SHARED = "shared"


class WeightsName(StrEnum):
    """What weights are kept in."""

    AUTO = "auto"
    LUT = "lut"
    BRAM = "bram"
    URAM = "uram"


class StateName(StrEnum):
    """When recurrent states start anew."""

    RESET = "reset"
    KEEP = "keep"


class MultipliersName(StrEnum):
    """How products are made."""

    AUTO = "auto"
    DSP = "dsp"
    PACKED = "packed"
    LUT = "lut"


def _template(
    board: Annotated[str, typer.Option("--board", "-b", help="Board name or .toml file.")],
    folding: Annotated[
        Path | None, typer.Option(help='JSON: {"pe": 4, "simd": 16}, or that per layer.')
    ] = None,
    target_latency_us: Annotated[
        float | None,
        typer.Option(help="The smallest design in which one sequence takes no longer."),
    ] = None,
    target_sequences_per_s: Annotated[
        float | None,
        typer.Option(help="The smallest design through which so many sequences pass."),
    ] = None,
    fill: Annotated[
        float | None, typer.Option(help="The fastest design on this share of the board: 0.7, say.")
    ] = None,
    pipeline: Annotated[
        PipelineName, typer.Option(help="Short paths (clock), or few cycles (latency).")
    ] = PipelineName.CLOCK,
    streams: Annotated[
        int, typer.Option(help="Independent sequences that interleave, told apart by TID.")
    ] = 1,
    directions: Annotated[
        DirectionsName, typer.Option(help="Engines of a bidirectional layer: two, or one shared.")
    ] = DirectionsName.TWO,
    weights: Annotated[
        WeightsName, typer.Option("--weights", help="What weights are kept in.")
    ] = WeightsName.AUTO,
    multipliers: Annotated[
        MultipliersName, typer.Option(help="One product in a DSP, several, or LUTs.")
    ] = MultipliersName.AUTO,
    state: Annotated[
        StateName, typer.Option(help="States start anew with each sequence, or on demand (RTL).")
    ] = StateName.RESET,
    max_steps: Annotated[
        int | None, typer.Option(help="The longest sequence of a bidirectional design.")
    ] = None,
    argmax: Annotated[
        bool, typer.Option("--argmax", help="Give the index of the largest output instead.")
    ] = False,
    writable_weights: Annotated[
        bool, typer.Option("--writable-weights", help="Weights that are written at run time (RTL).")
    ] = False,
) -> None:
    """The options; never called."""


Command = Callable[..., None]

OPTIONS = tuple(inspect.signature(_template).parameters)


def chooses_design(command: Command, *, board: str | None = None) -> Command:
    """A command that takes the options of a design as well: it gets them as `chosen`, a dict of
    arguments of `hwrnn.build`. `board`: that of a command which does not ask for one.
    """

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:  # noqa: ANN401 - whatever the command takes
        chosen = {name: plain(values.pop(name)) for name in OPTIONS}
        command(**values, chosen=chosen)

    own = [p for p in inspect.signature(command).parameters.values() if p.name != "chosen"]
    more = list(inspect.signature(_template).parameters.values())
    if board is not None:
        more = [p.replace(default=board) if p.name == "board" else p for p in more]
    hints = get_type_hints(command, include_extras=True)
    hints |= get_type_hints(_template, include_extras=True)
    required = [p for p in (*own, *more) if p.default is p.empty]
    optional = [p for p in (*own, *more) if p.default is not p.empty]
    wrapped.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(annotation=hints[p.name]) for p in (*required, *optional)]
    )
    wrapped.__annotations__ = {p.name: hints[p.name] for p in (*required, *optional)}
    del wrapped.__wrapped__  # typer would look through it
    return wrapped


def plain(value: object) -> object:
    """What `hwrnn.build` takes: a string for a member."""
    return str(value) if isinstance(value, StrEnum) else value
