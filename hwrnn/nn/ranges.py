# SPDX-License-Identifier: Apache-2.0
"""While the quantisers of a recurrent layer still collect statistics: once a sequence, not a step.

Brevitas' quantisers average what they see in their first calls. A recurrent layer calls them at
every step, and what is shared (x and h, the parts of a sum) is averaged too, so that the largest
values are clipped: 16 bits then are no better than 8. Here the layer runs first without any
quantiser, and each one is called once, with all that it will see; for the rest of that forward
its scale stands still.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


class Ranges:
    """What each quantiser is given, from all steps, layers and directions that share it."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[Any, list[Tensor]]] = {}

    def __call__(self, proxy: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - Brevitas has no types
        """Note a value, (.., features), and give what the quantiser would, unrounded."""
        self.seen.setdefault(id(proxy), (proxy, []))[1].append(x.reshape(-1, x.shape[-1]))
        fused = proxy.fused_activation_quant_proxy
        return x if fused is None else torch.as_tensor(fused.activation_impl(x))

    def tell(self, proxies: Iterable[Any]) -> None:
        """Call some quantisers with all that was noted of theirs."""
        for proxy in proxies:
            parts = self.seen.get(id(proxy), (proxy, []))[1]
            if len({part.shape[1] for part in parts}) > 1:
                parts = [part.reshape(-1, 1) for part in parts]
            if parts:
                proxy(torch.cat(parts))


def collecting(proxies: Iterable[Any]) -> list[Any]:
    """Those of some quantisers that still collect statistics, each once."""
    return list(
        {id(p): p for p in proxies if p.training and p.is_quant_enabled and early(p)}.values()
    )


def early(proxy: Any) -> bool:  # noqa: ANN401
    """Whether a quantiser's scale is not yet a parameter, and will be one."""
    tensor_quant = getattr(proxy.fused_activation_quant_proxy, "tensor_quant", None)
    scaling = getattr(tensor_quant, "scaling_impl", None)
    steps = getattr(scaling, "collect_stats_steps", None)
    return steps is not None and scaling is not None and int(scaling.counter) < int(steps)


@contextmanager
def standing_still(proxies: list[Any]) -> Iterator[None]:
    """Keep the scales of some quantisers as they are, as in eval mode."""
    for proxy in proxies:
        proxy.eval()
    try:
        yield
    finally:
        for proxy in proxies:
            proxy.train()
