# SPDX-License-Identifier: Apache-2.0
"""When an engine issues its products: pure functions, the same for the estimate and the search.

With R = ceil(H / pe) groups, a block takes R cycles. What a block waits for:

* of x: its beat;
* of a state: that the groups of the step before which it reads are written;
* of a vector computed within the step: that the groups of this step which it reads are written;
* a group of an engine whose states are read unit by unit only: its own states.

Steady state, cycles per step of one sequence, inputs and outputs never waiting:

* x and h in blocks of their own, X = R * ceil(I / simd), n = ceil(min(simd, H) / pe), L from
  issuing the last product of a group to the first issue that may use its h:
  R * (ceil(I/simd) + ceil(H/simd)) + max(0, L + n - 1 - R - X);
* x and h in one block (simd >= I + H): R - 1 + L;
* a product within the step (a GRU with linear_before_reset = 0; M from issuing the last product
  before it to the first issue that may use the vector): R * ceil(H/simd) more, the wait
  max(0, M + n - 1 - R) in front of its blocks, and the same tail as above behind them; the same
  for each further level;
* states that no matrix reads, each group waiting for its own: max(X, L);
* N streams, for a step of each: max(N * W, the cycles of one stream alone), W being R * blocks
  and the waits within the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwrnn.design.engine import Block, Engine
from hwrnn.design.order import Tag
from hwrnn.ir import Step

SETTLED = 12  # steps after which the distance between two no longer changes

Issues = Mapping[int, Sequence[int]]  # hand-over -> the cycle in which each group was issued


def block_start(engine: Engine, block: Block, start: int, before: Issues, within: Issues) -> int:
    """The first cycle from `start` in which what a block reads is written.

    `before`: the hand-overs of the step before (empty in a first step), `within`: of this step.
    """
    needed = engine.groups_needed(block)
    if not block.vector:
        return start
    hand = block.vector.level - 1 if block.vector.level else len(engine.hands) - 1
    made = within if block.vector.level else before
    if hand not in made:
        return start
    return max(start, made[hand][needed - 1] + engine.hand_latencies[hand])


def group_start(engine: Engine, block: Block, group: int, start: int, before: Issues) -> int:
    """The first cycle from `start` in which the states that a group reads are written."""
    last = len(engine.hands) - 1
    if not engine.by_group or block.hand != 0 or last not in before:
        return start
    return max(start, before[last][group] + engine.state_latency)


def emits_step(kernel: Engine, tag: Tag) -> bool:
    """True when the results of this step go out."""
    match kernel.emit:
        case Step.FIRST:
            return tag.first
        case Step.LAST:
            return tag.last
        case None:
            return True


def step_issues(engine: Engine, start: int, before: Issues) -> tuple[dict[int, range], int]:
    """A step that waits for nothing but its own states: its hand-overs, and the cycle after it.

    The groups of a block follow each other, for those of the step before did.
    """
    within: dict[int, range] = {}
    t = start
    for block in engine.blocks:
        t = block_start(engine, block, t, before, within)
        t = group_start(engine, block, 0, t, before)
        issued = range(t, t + engine.groups)
        t = issued.stop
        if block.hand is not None:
            within[block.hand] = issued
    return within, t


def steady_cycles(engine: Engine) -> int:
    """Cycles between two steps of one sequence, all streams running, once nothing changes."""
    befores: list[Issues] = [{} for _ in range(engine.streams)]
    ends = []
    t = 0
    for _ in range(SETTLED):
        for stream in range(engine.streams):
            befores[stream], t = step_issues(engine, t, befores[stream])
        ends.append(t)
    return ends[-1] - ends[-2]
