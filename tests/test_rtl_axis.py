# SPDX-License-Identifier: Apache-2.0
"""The AXI4-Stream ports: what a broken input does, and that the next sequence is right."""

from __future__ import annotations

import numpy as np
import pytest
from rtl.bench import draw, lower, of_kernels, raw, reference, same
from rtl.graphs import Build

from hwrnn import __version__
from hwrnn.backends.rtl import emit_rtl, top_name
from hwrnn.design.design import AxisIn, AxisOut, Design, Stream
from hwrnn.errors import ToolError
from hwrnn.ir.types import of_bits
from hwrnn.sim.rtl import Stalls, simulate_rtl
from hwrnn.sim.rtl_beats import Bytes, PortShape, from_beats, to_beats
from hwrnn.sim.verilate import Source, Variant, compile_rtl

pytestmark = pytest.mark.needs_sim

STALLS = (Stalls(), Stalls(input_idle=0.4, output_stall=0.4, seed=1))
T = of_bits(8, signed=True)


def shell(*, fixed_steps: int | None = None, max_steps: int | None = None) -> Design:
    """Only the ports: 5 features in beats of 2."""
    x = Stream(name="x", type=T, segments=(5,), lanes=2)
    source = AxisIn(name="x", out=x, fixed_steps=fixed_steps, max_steps=max_steps)
    return of_kernels([source, AxisOut(name="y", x=x)], T)


def beats_of(design: Design, lengths: tuple[int, ...]) -> tuple[list[Bytes], PortShape]:
    """The beats of each sequence on its own."""
    port = PortShape.of(design.source.out)
    return [to_beats(port, [s]) for s in draw(design, lengths)], port


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("cut", [1, 2, 4, 5])
def test_tlast_in_mid_step(cut: int, stalls: Stalls) -> None:
    """The step is filled up with zeros, the sequence closed; later ones are untouched."""
    design = shell()
    (a, b, c), port = beats_of(design, (2, 3, 2))
    broken = b[:cut].copy()
    broken[-1, -1] = 1
    report = raw(design, np.concatenate([a, broken, c]), 3, stalls)
    assert report.error
    assert not report.deadlock
    got = from_beats(port, report.beats)
    padded = np.zeros((-(-cut // 3) * 3, 3), dtype=np.uint8)
    padded[:cut, :] = b[:cut]
    padded[-1, -1] = 1
    same(got, [s for part in (a, padded, c) for s in from_beats(port, part)])


@pytest.mark.parametrize("stalls", STALLS)
def test_error_comes_only_with_a_broken_sequence(stalls: Stalls) -> None:
    design = shell()
    (a, b), _ = beats_of(design, (2, 3))
    assert not raw(design, np.concatenate([a, b]), 2, stalls).error


@pytest.mark.parametrize("stalls", STALLS)
def test_sequence_that_is_too_long_is_dropped(stalls: Stalls) -> None:
    design = shell(max_steps=3)
    (a, b, c, d), port = beats_of(design, (3, 4, 9, 2))
    report = raw(design, np.concatenate([a, b, c, d]), 2, stalls)
    assert report.error
    assert not report.left_over
    same(from_beats(port, report.beats), from_beats(port, np.concatenate([a, d])))


@pytest.mark.parametrize("stalls", STALLS)
def test_mid_step_tlast_in_a_buffered_shell(stalls: Stalls) -> None:
    design = shell(max_steps=3)
    (a, b, c), port = beats_of(design, (1, 3, 3))
    broken = b[:7].copy()
    broken[-1, -1] = 1
    report = raw(design, np.concatenate([a, broken, c]), 3, stalls)
    assert report.error
    filled = np.concatenate([b[:7], np.zeros((2, 3), dtype=np.uint8)])
    filled[-1, -1] = 1
    same(from_beats(port, report.beats), from_beats(port, np.concatenate([a, filled, c])))


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("length", [1, 2, 4, 7])
def test_sequence_of_a_wrong_fixed_length(length: int, stalls: Stalls) -> None:
    design = shell(fixed_steps=3)
    (a, b, c), port = beats_of(design, (3, length, 3))
    report = raw(design, np.concatenate([a, b, c]), 3, stalls)
    assert report.error
    middle = np.zeros((3, 5), dtype=np.int64)
    middle[: min(length, 3)] = from_beats(port, b)[0][:3]
    same(from_beats(port, report.beats), [from_beats(port, a)[0], middle, from_beats(port, c)[0]])


def test_broken_sequence_does_not_touch_the_next_in_a_network() -> None:
    """States start anew: what follows a broken sequence is what the C-model says."""
    b = Build(3)
    graph = b.graph(b.lstm(b.input(5, T), 4))
    design = lower(graph, 2, 2)
    sequences = draw(design, (3, 4, 2))
    x, y = PortShape.of(design.source.out), PortShape.of(design.sink.x)
    parts = [to_beats(x, [s]) for s in sequences]
    parts[1] = parts[1][:5].copy()
    parts[1][-1, -1] = 1
    report = raw(design, np.concatenate(parts), 3)
    assert report.error
    cut = sequences[1][:2].copy()
    cut[1, 4:] = 0
    same(from_beats(y, report.beats), reference(graph, [sequences[0], cut, sequences[2]]))


def test_a_missing_tlast_is_told_as_a_deadlock() -> None:
    design = shell()
    (a, _), _ = beats_of(design, (2, 3))
    a[-1, -1] = 0
    report = raw(design, a, 1)
    assert report.deadlock


def test_constants_at_the_ports() -> None:
    design = shell()
    (a,), _ = beats_of(design, (2,))
    report = raw(design, a, 1)
    major, minor, patch = (int(n) for n in __version__.split(".")[:3])
    assert report.version == major << 16 | minor << 8 | patch
    assert report.model_hash == 0x0123456789ABCDEF


def test_unused_lanes_and_high_bits_are_ignored() -> None:
    """12 bits travel in 16: the host may leave anything in the rest."""
    t = of_bits(12, signed=True)
    x = Stream(name="x", type=t, segments=(3,), lanes=2)
    design = of_kernels([AxisIn(name="x", out=x), AxisOut(name="y", x=x)], t)
    sequences = draw(design, (3, 2))
    port = PortShape.of(x)
    beats = to_beats(port, sequences)
    beats[:, 1] ^= 0xF0
    beats[1::2, 2:4] = 0xA5
    same(from_beats(port, raw(design, beats, 2).beats), sequences)


def test_refused_sources_name_the_tool() -> None:
    files = emit_rtl(shell())
    broken = type(files)({**dict(files.items()), "rtl/files.f": "nothing_here.sv\n"})
    with pytest.raises(ToolError, match="Verilator: failed with exit code"):
        compile_rtl(Source(files=broken, top=top_name(shell())), Variant())


def test_deadlock_is_an_error_of_simulate() -> None:
    design = shell(max_steps=2)
    with pytest.raises(ToolError, match="deadlock: no beat moved any more"):
        simulate_rtl(design, draw(design, (2, 3)))
