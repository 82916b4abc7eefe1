# SPDX-License-Identifier: Apache-2.0
"""Every combination of the options of QuantLSTM, QuantRNN and QuantGRU: exact, or refused.

Three tables a cell, each a cross product: how a layer is built (`structure`), which quantisers it
has (`quantisers`), and which of them are left out (`partly`). `exact` is against the models of
tests/exact_cell.py and tests/exact_other_cells.py, which read the exported file and import nothing
of hwrnn. `benchmarks/option_matrix.py` runs all, tests/test_option_matrix.py a tenth, and what
failed once.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import exact_other_cells
import numpy as np
from exactness import real_values
from numpy.typing import NDArray

import hwrnn
from hwrnn.cmodel.data import arrange, one_by_one, take_batch
from hwrnn.cmodel.plain import run_plain
from hwrnn.errors import ExportFault, HwrnnError, ImportFault
from hwrnn.ir import Graph

SEED = 2028
INPUTS, HIDDEN, STEPS, SEQUENCES = 2, 3, 2, 2
CELLS = ("lstm", "rnn", "gru")
TABLES = ("structure", "quantisers", "partly")
ENGINES = {"csim": 9, "rtl": 9}
PARTLY = (
    ("lstm", "io_quant off"),
    ("rnn", "io_quant off"),
    ("gru", "hidden_state_quant off"),
    ("lstm", "gate_acc_quant off"),
)
"""Partly quantised layers that also run as hardware."""
PAST: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("lstm", "quantisers", {"activations": "zero point", "states": "inputs, returned"}),
    ("lstm", "quantisers", {"activations": "unsigned", "states": "constant"}),
    ("rnn", "quantisers", {"activations": "zero point", "states": "constant"}),
    ("gru", "quantisers", {"weights": "zero point", "states": "inputs, returned"}),
    ("lstm", "structure", {"num_layers": 2, "directions": "shared input weights"}),
    ("rnn", "structure", {"num_layers": 2, "batch_first": False, "directions": "two"}),
    ("lstm", "partly", {"scales": "power of two", "io_quant off": True}),
    ("gru", "partly", {"scales": "power of two", "hidden_state_quant off": True}),
)
"""What was wrong or crashed once: the first combination with these options."""
Factors = dict[str, tuple[Any, ...]]

COMMON: Factors = {
    "num_layers": (1, 2),
    "bias": (True, False),
    "batch_first": (True, False),
    "directions": ("one", "two", "shared input weights"),
}
SHARED: Factors = {
    "shared_intra_layer_weight_quant": (False, True),
    "shared_intra_layer_gate_acc_quant": (False, True),
    "return_quant_tensor": (False, True),
}
KINDS: Factors = {
    "weights": ("integer", "per channel", "power of two", "zero point", "binary", "ternary"),
    "activations": ("signed", "power of two", "zero point", "unsigned"),
    "bias_quant": ("Int32Bias", "None"),
    "states": ("zero", "constant", "inputs, returned"),
}
OFF = (False, True)
PRODUCTS: dict[str, dict[str, Factors]] = {
    "lstm": {
        "structure": COMMON
        | {"coupled_input_forget_gates": (False, True), "shared_cell_state_quant": (True, False)}
        | SHARED,
        "quantisers": KINDS,
        "partly": {
            "scales": ("float", "power of two"),
            "io_quant off": OFF,
            "gate_acc_quant off": OFF,
            "sigmoid_quant off": OFF,
            "tanh_quant off": OFF,
            "cell_state_quant off": OFF,
            "weight_quant off": OFF,
        },
    },
    "rnn": {
        "structure": COMMON | {"nonlinearity": ("tanh", "relu")},
        "quantisers": KINDS | {"nonlinearity": ("tanh", "relu")},
        "partly": {
            "scales": ("float", "power of two"),
            "nonlinearity": ("tanh", "relu"),
            "io_quant off": OFF,
            "gate_acc_quant off": OFF,
            "weight_quant off": OFF,
        },
    },
    "gru": {
        "structure": COMMON | {"reset_after": (True, False)} | SHARED,
        "quantisers": KINDS | {"reset_after": (True, False)},
        "partly": {
            "scales": ("float", "power of two"),
            "reset_after": (True, False),
            "io_quant off": OFF,
            "gate_acc_quant off": OFF,
            "sigmoid_quant off": OFF,
            "tanh_quant off": OFF,
            "hidden_state_quant off": OFF,
            "weight_quant off": OFF,
        },
    },
}

REFUSALS = {
    "no quantiser": r"the \w+ has no exact integers: [\w, ]+ has no quantiser",
    "weights": r"the \w+ has no exact integers: [\w, ]*weights of the \w+ gate[\w, ]* has no quanti"
    r"ser",
    "table": r"partly quantised, and has no exact integers: needs a table with \d+ input bits; 16 "
    r"are the most",
    "channels": r"partly quantised, and has no exact integers: has a scale or a bias for each "
    r"channel around a table",
    "bits": r"partly quantised, and has no exact integers: its integers need \d+ bits; 62 are the "
    r"most",
    "bias": r"partly quantised, and has no exact integers: multiplies a value that has a bias but "
    r"no quantiser",
    "state": r'partly quantised, and has no exact integers: its state "[^"]+" is not quantised',
}
"""Every sentence by which an option may be refused; the numbers in it differ from case to case."""


@dataclass(frozen=True)
class Case:
    """One combination of options; `engine` also runs it as hardware."""

    cell: str
    table: str
    index: int
    engine: str = ""

    @property
    def kind(self) -> str:
        return self.engine or self.table

    @property
    def options(self) -> dict[str, Any]:
        return combinations(self.cell, self.table)[self.index]

    def __str__(self) -> str:
        return "-".join(filter(None, (self.cell, self.table, str(self.index), self.engine)))


@cache
def combinations(cell: str, table: str) -> list[dict[str, Any]]:
    """The cross product of one table."""
    factors = PRODUCTS[cell][table]
    return [dict(zip(factors, chosen, strict=True)) for chosen in product(*factors.values())]


def cases() -> Iterator[Case]:
    """All combinations, then those that run as hardware."""
    for cell, table in product(CELLS, TABLES):
        yield from (Case(cell, table, k) for k in range(len(combinations(cell, table))))
    for engine, number in ENGINES.items():
        yield from hardware(engine, number)


def hardware(engine: str, number: int) -> Iterator[Case]:
    """A seeded sample of what one input and one output have, in turn of each cell and table."""
    rng = np.random.default_rng([SEED, len(engine)])
    for k in range(number):
        cell, table = CELLS[k % 3], TABLES[k // 3 % 2]
        fit = [
            n
            for n, o in enumerate(combinations(cell, table))
            if not str(o.get("states")).startswith("inputs")
        ]
        yield Case(cell, table, int(rng.choice(fit)), engine)
    for cell, off in PARTLY:
        wanted = {"scales": "power of two", "nonlinearity": "relu", "reset_after": True, off: True}
        for k, options in enumerate(combinations(cell, "partly")):
            if all(v == wanted.get(name, False) for name, v in options.items()):
                yield Case(cell, "partly", k, engine)


def sample(step: int) -> list[Case]:
    """Every `step`-th combination of each table, from a seeded one on; no hardware."""
    rng = np.random.default_rng([SEED, step])
    return [
        Case(cell, table, k)
        for cell, table in product(CELLS, TABLES)
        for k in range(int(rng.integers(step)), len(combinations(cell, table)), step)
    ]


def past() -> list[Case]:
    """The combinations that failed once."""
    return [
        Case(
            cell, table, next(k for k, o in enumerate(combinations(cell, table)) if o | wanted == o)
        )
        for cell, table, wanted in PAST
    ]


def run_case(case: Case, folder: Path) -> dict[str, Any]:
    """`exact` with the number of values, or `refused` with the sentence's name; else it raises."""
    path = folder / "model.onnx"
    try:
        module, state_count = build(case)
        x = data(case, 1, STEPS, SEQUENCES)
        states = [data_of_states(case, k, SEQUENCES) for k in range(state_count)]
        hwrnn.export(module, (*tensors(x), *tensors(*states)) if states else tensors(x)[0], path)
        graph = hwrnn.load(path)
    except (ExportFault, ImportFault) as fault:
        return {"refused": sentence(fault)}
    found = compared(path, graph, case, state_count)
    if case.engine:
        on_engine(graph, case)
    return found


def sentence(fault: HwrnnError) -> str:
    """Which of the known sentences a refusal is; it names a place and a remedy, too."""
    assert fault.place, fault
    assert fault.hint, fault
    known = [name for name, form in REFUSALS.items() if re.fullmatch(form, fault.fact)]
    if not known:
        raise AssertionError(f"refused by an unknown sentence: {fault}")
    return known[-1]


def compared(path: Path, graph: Graph, case: Case, state_count: int) -> dict[str, Any]:
    """C-models == the exact model of the file, on other sequences than the example's."""
    x = data(case, 2, STEPS + 2, SEQUENCES)
    states = [data_of_states(case, 7 + k, SEQUENCES) for k in range(state_count)]
    given = (x, *states) if states else x
    batch = take_batch(graph, given)
    plain = [run_plain(graph, one) for one in one_by_one(graph, batch)]
    fast = hwrnn.run(graph, given, integers=True)
    exact = exact_other_cells.Exact(path).run_all(x, states)
    values = 0
    for output, expected in zip(graph.outputs, exact, strict=True):
        name = output.out.name
        parts = [v[name][:, 0] if v[name].ndim == 3 else v[name] for v in plain]
        q = arrange(output, parts)
        mine = real_of(graph, name, parts, q)
        other: NDArray[Any] = fast[name] if isinstance(fast, dict) else fast
        assert np.array_equal(q, other), f"fast C-model, {name}"
        assert np.array_equal(mine, expected), f"{name}: {mine.tolist()}, not {expected.tolist()}"
        values += q.size
    return {"exact": values}


def real_of(graph: Graph, name: str, parts: Any, q: NDArray[Any]) -> NDArray[Any]:  # noqa: ANN401
    """Exact real values of an output, stacked states state by state."""
    output = next(o for o in graph.outputs if o.out.name == name)
    if output.stacked == 1:
        return real_values(output, q)
    rows = real_values(output, np.concatenate(parts))
    made: NDArray[Any] = rows.reshape(len(rows), output.stacked, -1).swapaxes(0, 1)
    return made


def on_engine(graph: Graph, case: Case) -> None:
    """The emitted hardware == the C-model."""
    rng = np.random.default_rng([SEED, case.index])
    design = hwrnn.build(graph, "alveo_u250", folding={"pe": int(rng.integers(1, 4)), "simd": 2})
    x = data(case, 3, STEPS, SEQUENCES)
    got = hwrnn.simulate(design, x, engine=case.engine).outputs
    want = hwrnn.run(graph, x, integers=True)
    assert not isinstance(want, dict)
    assert np.array_equal(got, want), case.engine


def tensors(*arrays: NDArray[np.float32]) -> list[Any]:
    import torch

    return [torch.from_numpy(a) for a in arrays]


def data(case: Case, salt: int, steps: int, batch: int) -> NDArray[np.float32]:
    """Random sequences in the layer's axes."""
    rng = np.random.default_rng([SEED, case.index, salt])
    x = rng.standard_normal((batch, steps, INPUTS)).astype(np.float32) + np.float32(0.5)
    return x if case.options.get("batch_first", True) else np.ascontiguousarray(x.swapaxes(0, 1))


def data_of_states(case: Case, salt: int, batch: int) -> NDArray[np.float32]:
    """Random states of all layers and directions."""
    count = stacked(case.options)
    rng = np.random.default_rng([SEED, case.index, 100 + salt])
    return rng.uniform(-1, 1, (count, batch, HIDDEN)).astype(np.float32)


def stacked(options: Mapping[str, Any]) -> int:
    """Layers times directions."""
    directions = 1 if options.get("directions", "one") == "one" else 2
    return int(options.get("num_layers", 1)) * directions


def build(case: Case) -> tuple[Any, int]:
    """The calibrated module in eval mode, and how many initial states it takes as inputs."""
    import torch
    from option_layers import Net

    options = case.options
    states = options.get("states", "zero")
    count = (2 if case.cell == "lstm" else 1) if states != "zero" else 0
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(SEED + case.index)
        bits = np.random.default_rng([SEED, case.index, 5])
        net = Net(case.cell, options, bits)
        if states == "constant":
            net.hold(tensors(*(data_of_states(case, k, 1) for k in range(count))))
        taken = count if states.startswith("inputs") else 0
        net.train()
        with torch.no_grad():
            first = [data_of_states(case, 60 + k, 8) for k in range(taken)]
            net(*tensors(data(case, 50, 3, 8), *first))
        return net.eval(), taken
