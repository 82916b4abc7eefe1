# SPDX-License-Identifier: Apache-2.0
"""Watches a Brevitas module compute: every value that its quantisers make, in order.

Forward hooks sit on the part of each activation quantiser that both forms of Brevitas' cell call
(`fused_activation_quant_proxy`), on the quantisers of weights and biases, and on each direction
of each recurrent layer, so that the calls of its steps can be told from those around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwrnn.errors import DataError, ToolError, VerifyError

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float64]
PROXIES = ("FusedActivationQuantProxy",)
LAYERS = ("_QuantLSTMLayer", "_QuantRNNLayer", "QuantGRULayer")
PARAMETERS = ("ParameterQuantProxyFromInjector",)
AXIS_OF_BATCH = {True: 0, False: 1}  # by batch_first


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a quantiser: the real values that it gave, exactly, and its scale.

    The zero point is that of an activation; integers of constants are without theirs.
    """

    value: Floats
    scale: Floats
    zero: int = 0

    @property
    def integers(self) -> NDArray[np.int64]:
        """The integers behind the values."""
        return np.rint(self.value / self.scale).astype(np.int64) + self.zero


@dataclass(frozen=True, slots=True)
class LayerCalls:
    """One direction of one layer on one batch: its calls; those of its steps come last."""

    steps: int
    calls: list[Call]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A weight or bias as it is stored, and as its quantiser gave it."""

    raw: Floats
    quantised: Call


@dataclass(slots=True)
class Recording:
    """All that a module did on one input; `events` is in order of time."""

    output: NDArray[np.float32]
    events: list[Call | LayerCalls] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)


def record_module(module: object, x: NDArray[np.float32]) -> Recording:
    """Run the module in eval mode on x, watched; afterwards it is as it was.

    Raises ToolError without torch, VerifyError for what is no module, DataError for an x that it
    does not take.
    """
    try:
        import torch
    except ImportError as fault:
        hint = 'pip install "hwrnn[train]"'
        raise ToolError("hwrnn.verify", f"comparing a module needs torch: {fault}", hint) from fault
    if not isinstance(module, torch.nn.Module):
        raise VerifyError("module", f"this is {type(module).__name__}, not a torch.nn.Module")
    recording = Recording(np.empty(0, np.float32))
    with evaluating(module), watching(module, recording), torch.no_grad():
        first = next(module.parameters(), torch.zeros(0))
        try:
            result = module(torch.from_numpy(np.ascontiguousarray(x)).to(first.device))
        except Exception as fault:
            raise DataError("module", f"fails on an input of shape {x.shape}: {fault}") from fault
    recording.output = to_array(result).astype(np.float32)
    return recording


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards every part is in the mode in which it was."""
    flags = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in flags.items():
            part.training = training


@contextmanager
def watching(module: nn.Module, recording: Recording) -> Iterator[None]:
    """The hooks, for as long as the context lasts."""
    handles = []
    open_layers: list[LayerCalls] = []

    def activation(_: nn.Module, __: Any, out: Any) -> None:  # noqa: ANN401 - Brevitas has no types
        if isinstance(out, tuple) and out[1] is not None:
            zero = 0 if out[2] is None else int(to_array(out[2]).reshape(-1)[0])
            call = Call(to_array(out[0]), to_array(out[1]), zero)
            (open_layers[-1].calls if open_layers else recording.events).append(call)

    def parameter(_: nn.Module, given: Any, out: Any) -> None:  # noqa: ANN401
        if given and given[0] is not None and getattr(out, "scale", None) is not None:
            call = Call(to_array(out), to_array(out.scale))
            recording.parameters.append(Parameter(to_array(given[0]), call))

    def enter(layer: nn.Module, given: Any) -> None:  # noqa: ANN401
        batch_first = bool(layer.cell.batch_first)  # type: ignore[union-attr]
        steps = given[0].shape[1 - AXIS_OF_BATCH[batch_first]]
        open_layers.append(LayerCalls(int(steps), []))

    def leave(_: nn.Module, __: Any, ___: Any) -> None:  # noqa: ANN401
        recording.events.append(open_layers.pop())

    hooks: tuple[tuple[tuple[str, ...], Callable[..., None]], ...] = (
        (PROXIES, activation),
        (PARAMETERS, parameter),
        (LAYERS, leave),
    )
    try:
        for part in module.modules():
            names = {kind.__name__ for kind in type(part).__mro__}
            handles += [part.register_forward_hook(h) for kinds, h in hooks if names & set(kinds)]
            if names & set(LAYERS):
                handles.append(part.register_forward_pre_hook(enter))
        yield
    finally:
        for handle in handles:
            handle.remove()


def to_array(value: Tensor | Any) -> Floats:  # noqa: ANN401
    """A tensor, or a QuantTensor's real values, in float64; nothing is rounded."""
    plain = getattr(value, "value", value)
    if isinstance(plain, tuple):
        raise VerifyError("module", "it returns several values; only one can be compared")
    return np.asarray(plain.detach().cpu().double().numpy())
