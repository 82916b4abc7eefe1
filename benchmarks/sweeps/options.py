# SPDX-License-Identifier: Apache-2.0
"""The sweep of all combinations of the cells' options (tests/option_matrix.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import option_matrix
from option_matrix import CELLS, ENGINES, PRODUCTS, SEED, TABLES, Case, combinations

NAME, SEEDS = "options", (SEED,)
Results = Mapping[str, Mapping[str, Any]]
run = option_matrix.run_case
LAYERS = {"lstm": "QuantLSTM", "rnn": "QuantRNN", "gru": "QuantGRU"}
WORDS = {
    "exact": "exact",
    "no quantiser": "refused 1",
    "weights": "refused 2",
    "table": "refused 3",
    "channels": "refused 4",
    "bits": "refused 5",
    "bias": "refused 6",
    "state": "refused 7",
}
SENTENCES = """\
The refusals, word by word in [Refusals](refusals.md); each names the layer or node, and a remedy:

1. `the LSTM has no exact integers: input_sigmoid has no quantiser`: a sigmoid, tanh or sum without
   end has no integers.
2. The same of `weights of the input gate`.
3. `needs a table with 18 input bits; 16 are the most`: an accumulator in front of a sigmoid or
   tanh, without a quantiser, of more than 16 bits. Fewer bits of weights or inputs are exact.
4. `has a scale or a bias for each channel around a table`: the same, with a bias that is no whole
   number of steps (`Int32Bias` rounds its scale).
5. `its integers need 72 bits; 62 are the most`: x and h on scales that have no common step.
6. `multiplies a value that has a bias but no quantiser`.
7. `its state is not quantised`: it would grow from step to step.
"""


def wanted(done: Results) -> Iterator[Case]:
    """The cases that have not run yet."""
    return (case for case in option_matrix.cases() if str(case) not in done)


def shortfalls(done: Results) -> list[str]:
    """What keeps the sweep from proving what it is for."""
    found = [f"{name} failed" for name, result in done.items() if "failed" in result]
    missing = sum(1 for _ in wanted(done))
    return found + ([f"{missing} combinations of options did not run"] if missing else [])


def page(done: Results) -> str:
    """What docs/sweeps.md says about it."""
    return "\n".join(
        [
            "## Options of the cells",
            "",
            f"Seed {SEED}: every combination, in [the option matrix](options_matrix.md).",
            "",
            *counts(done),
        ]
    )


def counts(done: Results) -> Iterator[str]:
    """How many combinations of each cell are exact, refused, wrong."""
    yield "| | combinations | exact | refused by name | wrong or crashed | csim | rtl |"
    yield "|---|---|---|---|---|---|---|"
    for cell in CELLS:
        total = sum(len(combinations(cell, table)) for table in TABLES)
        results = [done.get(str(c), {}) for c in option_matrix.cases() if c.cell == cell]
        plain, ran = results[:total], {e: engine(done, cell, e) for e in ENGINES}
        cells = [
            total,
            *(sum(key in r for r in plain) for key in ("exact", "refused", "failed")),
            *ran.values(),
        ]
        yield f"| {LAYERS[cell]} | {' | '.join(map(str, cells))} |"


def engine(done: Results, cell: str, name: str) -> int:
    """How many combinations ran as hardware, equal to the C-model."""
    found = [
        done.get(str(c), {}) for c in option_matrix.cases() if (c.cell, c.engine) == (cell, name)
    ]
    return sum("exact" in r for r in found)


def matrix(done: Results) -> str:
    """docs/options_matrix.md: every combination, those alike in one line."""
    parts = [
        "# Option matrix",
        "",
        "Written by `python benchmarks/option_matrix.py`. Every combination of the options of a "
        "layer, with random weights, bits and data: *exact* means that the C-models equal an "
        "independent model of the exported file (`tests/exact_cell.py`, "
        "`tests/exact_other_cells.py`), value by value; csim and rtl ran a seeded sample.",
        "",
        *counts(done),
        "",
        "A line stands for all combinations of what it names; an option that it leaves out, or "
        "`any`, has no influence there.",
        "",
    ]
    for cell, table in product(CELLS, TABLES):
        parts += [f"## {LAYERS[cell]}, {table}", "", *folded(done, cell, table), ""]
    return "\n".join([*parts, SENTENCES])


def folded(done: Results, cell: str, table: str) -> Iterator[str]:
    """The factors of one product, and its results without the factors that do not matter."""
    factors = PRODUCTS[cell][table]
    yield ", ".join(f"{n} ({' / '.join(map(str, v))})" for n, v in factors.items()) + "."
    yield ""
    results = {
        tuple(options.values()): word(done.get(str(Case(cell, table, k)), {}))
        for k, options in enumerate(combinations(cell, table))
    }
    rows = merged([(tuple((v,) for v in key), said) for key, said in results.items()])
    mattering = [
        k for k, values in enumerate(factors.values()) if any(row[0][k] != values for row in rows)
    ]
    names = [list(factors)[k] for k in mattering]
    yield f"| {' | '.join([*names, 'combinations', 'result'])} |"
    yield "|" + "---|" * (len(names) + 2)
    for chosen, said in rows:
        number = int(np_prod(len(values) for values in chosen))
        cells = [shown(chosen[k], list(factors.values())[k]) for k in mattering]
        yield f"| {' | '.join([*cells, str(number), said])} |"


def np_prod(numbers: Iterator[int]) -> int:
    """Their product."""
    total = 1
    for n in numbers:
        total *= n
    return total


def shown(values: tuple[Any, ...], every: tuple[Any, ...]) -> str:
    """Some values of a factor; `any` if all."""
    return "any" if set(values) == set(every) else " or ".join(map(str, values))


def word(result: Mapping[str, Any]) -> str:
    """The result of one combination."""
    if not result:
        return "did not run"
    return "exact" if "exact" in result else WORDS.get(str(result.get("refused")), "**wrong**")


Row = tuple[tuple[tuple[Any, ...], ...], str]


def merged(rows: list[Row]) -> list[Row]:
    """Rows that differ in one factor only, and agree in the result, become one; again and again."""
    for k in reversed(range(len(rows[0][0]))):
        groups: dict[Any, list[Any]] = {}
        for chosen, said in rows:
            rest = (*chosen[:k], *chosen[k + 1 :])
            groups.setdefault((rest, said), []).extend(chosen[k])
        rows = [
            ((*rest[:k], tuple(values), *rest[k:]), said) for (rest, said), values in groups.items()
        ]
    return rows
