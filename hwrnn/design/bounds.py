# SPDX-License-Identifier: Apache-2.0
"""What bounds a design, in words."""

from __future__ import annotations

from hwrnn.design.choices import RESOURCES, Use
from hwrnn.design.design import Design, Engine
from hwrnn.design.plan import Picks, Plan


def slowest(design: Design, plan: Plan, picks: Picks) -> Engine:
    """The engine that a sequence keeps busy for longest."""
    return max(design.engines, key=lambda e: plan.busy(e.name, picks[e.name]))


def pace(engine: Engine, plan: Plan, picks: Picks) -> str:
    """How many cycles a step of an engine takes, and what for."""
    choice = picks[engine.name]
    late, mac = engine.state_latency, engine.mac_latency
    once = not engine.states and plan.rhythm.counts[engine.name] == 1
    cycles = f"layer {engine.name}: {choice.step:,} cycles a {'sequence' if once else 'step'}"
    if engine.states and choice.groups == 1 and choice.step == late:
        return f"{cycles} is the recurrence itself: mac {mac} + datapath {late - mac}"
    blocks = choice.x_blocks + choice.h_blocks
    work = f"{counted(choice.groups, 'group')} of units x {counted(blocks, 'block')} of columns"
    wait = f" + {choice.wait} waiting for the state" if choice.wait else ""
    least = min(c.step for c in plan.choices(engine.name))
    return f"{cycles}{', its fastest' if choice.step == least else ''} ({work}{wait})"


def counted(n: int, what: str) -> str:
    """A number of things."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def overfull(use: Use, share: float) -> str:
    """The resources of which a design takes more than a share; the largest if there is none."""
    over = [k for k in range(len(use)) if use[k] > share] if share else []
    shown = over or [max(range(len(use)), key=lambda k: use[k])]
    return ", ".join(f"{RESOURCES[k]}: {percent(use[k])} of the board" for k in shown)


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.1f} %" if share < float("inf") else "more than the 0"
