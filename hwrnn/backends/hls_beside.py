# SPDX-License-Identifier: Apache-2.0
"""Streams of an engine beside x and the result: vectors that states start with, more results."""

from __future__ import annotations

from collections.abc import Iterator

from hwrnn.backends.hls_layer import BesideView, FillView
from hwrnn.design.design import Engine


def started(k: Engine) -> set[str]:
    """The states that start as vectors from outside."""
    return {start.state for start in k.starts}


def start_views(k: Engine) -> Iterator[BesideView]:
    """The streams of vectors with which states start."""
    for n, start in enumerate(k.starts):
        yield BesideView(
            name=start.state,
            stream=f"s_{start.x.name}",
            beat=f"b_{start.x.name}",
            lanes=f"lane_{start.state}" if n else "lane",
            comment=f"{start.state} at the start",
        )


def fill_views(k: Engine) -> Iterator[FillView]:
    """What becomes of the vectors with which states start."""
    states = {s.value.name: s for s in k.states}
    for view in start_views(k):
        s = states[view.name]
        yield FillView(
            name=view.name,
            type=f"t_{view.name}",
            lanes=view.lanes,
            rows=s.recurrent,
            groups=s.elementwise,
        )


def result_views(k: Engine) -> Iterator[BesideView]:
    """The streams of the results, if there are several."""
    for n, r in enumerate(k.results if k.more else ()):
        yield BesideView(
            name=r.out.name,
            stream=f"s_{r.out.name}",
            beat=f"b_{r.out.name}",
            lanes=f"lane_{r.out.name}" if n else "lane",
            comment=r.value,
            value=f"v_{r.value}",
        )
