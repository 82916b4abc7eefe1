# SPDX-License-Identifier: Apache-2.0
"""The options of the command line that several commands share: those that choose a design, and
those by which a float model is quantised.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from hwrnn.cli_files import load_inputs
from hwrnn.errors import DataError


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


def _design(
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


class ScalesName(StrEnum):
    """What scales may be."""

    POT = "pot"
    FLOAT = "float"


class ObserverName(StrEnum):
    """Which numbers a scale is to cover."""

    MAX = "max"
    PERCENTILE = "percentile"
    MSE = "mse"


def _calibration(
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="X.NPY",
            help="Data to which a float model is quantised; several inputs by name: .npz.",
        ),
    ] = None,
    weight_bits: Annotated[
        int | None, typer.Option(help="With --calibration: bits of weights, 8 if absent.")
    ] = None,
    act_bits: Annotated[
        int | None, typer.Option(help="With --calibration: bits of activations, 8 if absent.")
    ] = None,
    scales: Annotated[
        ScalesName | None, typer.Option(help="With --calibration: powers of two (pot), or any.")
    ] = None,
    observer: Annotated[
        ObserverName | None, typer.Option(help="With --calibration: what a scale covers.")
    ] = None,
) -> None:
    """The options; never called."""


Command = Callable[..., None]


def chooses_design(command: Command, *, board: str | None = None) -> Command:
    """A command that takes the options of a design as well: it gets them as `chosen`, a dict of
    arguments of `hwrnn.build`. `board`: that of a command which does not ask for one.
    """
    more = dict(inspect.signature(_design).parameters)
    if board is not None:
        more["board"] = more["board"].replace(default=board)
    return _with(command, "chosen", _design, more, dict)


def calibrates(command: Command) -> Command:
    """A command that takes a float model, too: it gets `recipe`, a dict of arguments of
    `hwrnn.load`, empty without data.
    """
    more = dict(inspect.signature(_calibration).parameters)
    return _with(command, "recipe", _calibration, more, recipe_of)


def recipe_of(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `hwrnn.load`. Raises DataError for options that lack the data."""
    given = {name: value for name, value in values.items() if value is not None}
    path = given.pop("calibration", None)
    if path is None:
        for name in given:
            option = f"--{name.replace('_', '-')}"
            raise DataError(option, "means nothing without data", "give --calibration as well")
        return {}
    return {"calibration": load_inputs(path)} | given


def _with(
    command: Command,
    name: str,
    template: Command,
    more: dict[str, inspect.Parameter],
    made: Callable[[dict[str, Any]], dict[str, Any]],
) -> Command:
    """A command whose argument `name` is made of the options of a template."""

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:  # noqa: ANN401 - whatever the command takes
        found = {option: plain(values.pop(option)) for option in more}
        command(**values, **{name: made(found)})

    own = [p for p in inspect.signature(command).parameters.values() if p.name != name]
    hints = get_type_hints(command, include_extras=True)
    hints |= get_type_hints(template, include_extras=True)
    whole = sorted((*own, *more.values()), key=lambda p: p.default is not p.empty)
    wrapped.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(annotation=hints[p.name]) for p in whole]
    )
    wrapped.__annotations__ = {p.name: hints[p.name] for p in whole}
    del wrapped.__wrapped__  # typer would look through it
    return wrapped


def plain(value: object) -> object:
    """What the public functions take: a string for a member."""
    return str(value) if isinstance(value, StrEnum) else value
