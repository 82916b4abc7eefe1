# SPDX-License-Identifier: Apache-2.0
"""What commands show: tables and JSON on stdout, progress on stderr."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def stages(*names: str) -> Iterator[Iterator[None]]:
    """A progress bar on stderr, one step per name: call next() when a stage begins."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    silent = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=silent) as progress:
        task = progress.add_task("", total=len(names))

        def begin() -> Iterator[None]:
            for done, name in enumerate(names):
                progress.update(task, description=name, completed=done)
                yield

        yield begin()


@contextmanager
def timed_stage(name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr for one stage; a line with its seconds when it has ended."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    start = time.perf_counter()
    silent = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=silent) as progress:
        task = progress.add_task(name, total=total)
        yield lambda done: progress.update(task, completed=done)
    console.print(f"{time.perf_counter() - start:7.1f} s  {name}", highlight=False)


@contextmanager
def told() -> Iterator[Callable[[str], None]]:
    """A spinner on stderr with the seconds and what is going on: call it with a text."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    silent = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=silent) as progress:
        task = progress.add_task("", total=None)
        yield lambda text: progress.update(task, description=text)


def print_json(data: object) -> None:
    """Print data for scripts."""
    print(json.dumps(data, indent=2))


def print_table(title: str, rows: Iterable[Mapping[str, object]]) -> None:
    """Print rows that share their keys; numbers to the right, nothing cut off."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = list(rows)
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for key in lines[0] if lines else ():
        right = all(re.fullmatch(r"[-\d,.]*", str(line[key])) for line in lines)
        table.add_column(key, justify="right" if right else "left", no_wrap=True)
    for line in lines:
        table.add_row(*(Text(str(value)) for value in line.values()))
    wide = Console(width=1000)
    wide.width = table.__rich_measure__(wide, wide.options).maximum
    if len(title) > wide.width:  # rich would break it
        table.title = None
        Console(width=len(title)).print(Text(title, style="table.title"))
    wide.print(table)
