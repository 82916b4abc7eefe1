# SPDX-License-Identifier: Apache-2.0
"""The activations that a standard LSTM, GRU or RNN node may name, and what they become.

Names, formulas and defaults are those of the ONNX operators' page and of ONNX Runtime; names are
read in any case, `activation_alpha` and `activation_beta` are consumed in order by those
activations that take them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation with its numbers; None where it takes none."""

    name: str
    alpha: float | None = None
    beta: float | None = None


KNOWN = {
    known.name.lower(): known
    for known in (
        Activation("Relu"),
        Activation("Tanh"),
        Activation("Sigmoid"),
        Activation("Softsign"),
        Activation("Softplus"),
        Activation("Affine", 1.0, 0.0),
        Activation("LeakyRelu", 0.01),
        Activation("ThresholdedRelu", 1.0),
        Activation("ScaledTanh", 1.0, 1.0),
        Activation("HardSigmoid", 0.2, 0.5),
        Activation("Elu", 1.0),
    )
}


def activations(
    names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]
) -> list[Activation]:
    """The activations of these names. Raises KeyError with a name that is not known."""
    alpha, beta = iter(alphas), iter(betas)
    found = []
    for name in names:
        known = KNOWN.get(name.lower())
        if known is None:
            raise KeyError(name)
        found.append(
            Activation(known.name, _taken(alpha, known.alpha), _taken(beta, known.beta)),
        )
    return found


def _taken(given: Iterator[float], default: float | None) -> float | None:
    """The next given number for an activation that takes one."""
    return None if default is None else float(next(given, default))
