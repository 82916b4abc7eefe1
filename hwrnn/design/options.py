# SPDX-License-Identifier: Apache-2.0
"""What a user may choose of a design, beside the folding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from hwrnn.design.engine import Storage
from hwrnn.design.folding import as_whole
from hwrnn.design.latency import Pipeline
from hwrnn.design.multipliers import OPTIONS
from hwrnn.errors import DesignError

MOST_STREAMS = 256  # TID has up to 8 bits


class Directions(Enum):
    """Engines for the two directions of a bidirectional layer."""

    TWO = "two"
    SHARED = "shared"


class StateRule(Enum):
    """When recurrent states start anew."""

    RESET = "reset"  # with every sequence
    KEEP = "keep"  # where the first beat says so: a sequence may come in fragments


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `hwrnn.build` that change the hardware, checked."""

    pipeline: Pipeline = Pipeline.CLOCK
    streams: int = 1
    directions: Directions = Directions.TWO
    weights: str = "auto"
    multipliers: str = "auto"
    writable: bool = False
    state: StateRule = StateRule.RESET


def options(
    *,
    pipeline: str,
    streams: object,
    directions: str,
    weights: str,
    multipliers: str = "auto",
    writable_weights: object = False,
    state: str = "reset",
) -> Options:
    """The options from what a user wrote. Raises DesignError naming what is legal."""
    count = whole_number("streams", streams, MOST_STREAMS)
    if not isinstance(writable_weights, bool):
        raise DesignError("option writable_weights", f"is {writable_weights!r}", "True or False")
    return Options(
        pipeline=Pipeline(one_of("pipeline", pipeline, values(Pipeline))),
        streams=count,
        directions=Directions(one_of("directions", directions, values(Directions))),
        weights=one_of("weights", weights, ("auto", *(s.value for s in Storage))),
        multipliers=one_of("multipliers", multipliers, OPTIONS),
        writable=writable_weights,
        state=StateRule(one_of("state", state, values(StateRule))),
    )


def whole_number(name: str, value: object, most: int) -> int:
    """An option that is a number from 1 to `most`."""
    found = as_whole(value)
    if not 1 <= found <= most:
        raise DesignError(f"option {name}", f"is {value!r}", f"a whole number from 1 to {most:,}")
    return found


def values(known: type[Enum]) -> tuple[str, ...]:
    """What users write for the members."""
    return tuple(str(k.value) for k in known)


def one_of(name: str, value: object, legal: Sequence[str]) -> str:
    """A value that the option has."""
    if not isinstance(value, str) or value not in legal:
        raise DesignError(f"option {name}", f"is {value!r}", f"use {' or '.join(legal)}")
    return value
