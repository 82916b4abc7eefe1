# SPDX-License-Identifier: Apache-2.0
"""Signals along a pipeline, by name and stage; what is asked for later is delayed."""

from __future__ import annotations

from dataclasses import dataclass, field

from hwrnn.backends.rtl_netlist import Module


@dataclass(slots=True)
class Taps:
    """Signals at stages: what is asked for later than it is there goes through delays.

    A delayed signal is named after its stage, counted from `origin`.
    """

    module: Module
    prefix: str
    origin: int = 0
    _known: dict[str, dict[int, str]] = field(default_factory=dict)
    _width: dict[str, int | None] = field(default_factory=dict)
    _reset: dict[str, bool] = field(default_factory=dict)
    _asked: dict[str, set[int]] = field(default_factory=dict)

    def define(
        self, name: str, stage: int, signal: str, width: int | None, *, reset: bool = False
    ) -> None:
        """`signal` is `name` at `stage`."""
        self._known.setdefault(name, {})[stage] = signal
        self._width[name], self._reset[name] = width, reset

    def at(self, name: str, stage: int) -> str:
        """The signal that is `name` at `stage`."""
        known = self._known[name]
        if stage in known:
            return known[stage]
        if stage < min(known):
            raise ValueError(f"{name} is asked for at stage {stage}, before it is there")
        self._asked.setdefault(name, set()).add(stage)
        return self.signal(name, stage)

    def signal(self, name: str, stage: int) -> str:
        """What a delayed signal is called."""
        return f"{self.prefix}{stage - self.origin}_{name}"

    def finish(self) -> None:
        """Place the delays: one chain for each name."""
        for name, stages in self._asked.items():
            last = max(self._known[name])
            signal = self._known[name][last]
            for stage in sorted(stages):
                to = self.module.wire(self.signal(name, stage), self._width[name])
                self.module.add(
                    "hwrnn_delay",
                    f"u_{to}",
                    {
                        "Width": self._width[name] or 1,
                        "Depth": stage - last,
                        "HasReset": self._reset[name],
                    },
                    {"d_i": signal, "q_o": to},
                )
                signal, last = to, stage
