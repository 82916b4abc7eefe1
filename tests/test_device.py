# SPDX-License-Identifier: Apache-2.0
"""The host library without a board: exact numbers, arrays, connecting."""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_lines import Reply, Script, hurt, link, reply
from test_import_cost import modules_after
from uart_boards import ran, steps_board, steps_design, steps_graph, with_grids

import hwrnn
import hwrnn.device
from hwrnn.backends.shell import emit_shell
from hwrnn.cmodel.data import in_axes, take_batch
from hwrnn.device.arrays import arranged, sequences_of
from hwrnn.device.description import HEAD, Description, Head, InPort, OutPort, Port
from hwrnn.device.device import Device, answers, expected_hash, told_by
from hwrnn.device.exact import float32, quantised, real, rounded
from hwrnn.device.frames import Command, body_of
from hwrnn.errors import DataError, DeviceError
from hwrnn.ir import Graph, IntType, Output, OutputGrid, Value
from hwrnn.ir.exact import nearest_float32, quantise, to_float32
from hwrnn.ir.rounding import Rounding, round_exact
from hwrnn.sim.rtl_beats import PortShape, from_beats, to_beats

ONE = (Fraction(1),)


@pytest.mark.parametrize("mode", Rounding)
def test_rounding_is_that_of_the_compiler(mode: Rounding) -> None:
    for numerator in range(-60, 61):
        for denominator in (1, 2, 3, 4, 7, 10):
            v = Fraction(numerator, denominator)
            assert rounded(v, mode.value) == round_exact(v, mode)


def test_an_unknown_rounding_mode_is_named() -> None:
    with pytest.raises(DeviceError, match='has the rounding mode "sideways"'):
        rounded(Fraction(1, 2), "sideways")


@pytest.mark.parametrize("seed", range(20))
def test_quantising_is_that_of_the_compiler(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, mode = int(rng.integers(1, 4)), list(Rounding)[seed % len(Rounding)]
    lo = int(rng.integers(-300, 1))
    t = IntType(lo, lo + int(rng.integers(1, 600)))
    channels = 1 if seed % 3 == 0 else features
    power = seed % 2 == 0  # ties are frequent
    scale = np.exp2(rng.integers(-9, 3, channels)) if power else rng.uniform(0.001, 2, channels)
    scale = scale.astype(np.float32).astype(np.float64)
    zero = rng.integers(-5, 6, channels)
    x = (rng.integers(-900, 900, (5, 7, features)) * scale / 2).astype(np.float32)
    expected = quantise(x.astype(np.float64), scale, t, mode, zero.astype(float))
    found = quantised(
        x, [Fraction(float(s)) for s in scale], [int(z) for z in zero], (t.lo, t.hi), mode.value
    )
    assert np.array_equal(found, expected)


def test_float32_is_rounded_once() -> None:
    rng = np.random.default_rng(0)
    values = [Fraction(int(rng.integers(-(2**50), 2**50)), 2 ** int(rng.integers(0, 200)))]
    for _ in range(500):
        exponent = int(rng.integers(-160, 120))
        mantissa = Fraction(int(rng.integers(-(2**31), 2**31)), int(rng.integers(1, 1000)))
        values.append(mantissa * Fraction(2) ** exponent)
        tie = (2 * int(rng.integers(2**23, 2**24)) + 1) * Fraction(2) ** exponent
        values += [tie, -tie, tie + Fraction(1, 2**300), tie - Fraction(1, 2**300)]
    for v in values:
        if abs(v) < Fraction(2) ** 127:
            assert float32(v) == nearest_float32(v)


def test_real_values_are_those_of_the_compiler() -> None:
    rng = np.random.default_rng(1)
    q = rng.integers(-(2**40), 2**40, (4, 3, 2))
    scale = (Fraction(1, 3), Fraction(float(np.float32(0.1))) * Fraction(float(np.float32(0.7))))
    offset = (Fraction(-7, 5), Fraction(2**30, 7))
    assert np.array_equal(real(q, scale, offset), to_float32(q, scale, offset))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16, 24, 40, 64, 72])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(("features", "lanes"), [(1, 1), (5, 2), (3, 7)])
def test_packing_is_that_of_the_simulator(
    bits: int, signed: bool, features: int, lanes: int
) -> None:
    rng = np.random.default_rng(bits)
    top = 1 << min(bits - signed, 62)
    steps = rng.integers(-top if signed else 0, top, (4, features))
    port = Port(
        name="x",
        axes=("B", "T", "F"),
        segments=(features,),
        lanes=lanes,
        bits=bits,
        lo=-1 if signed else 0,
        hi=1,
        scale=ONE,
    )
    shape = PortShape(features=features, lanes=lanes, bits=bits, signed=signed)
    beats = to_beats(shape, [steps])
    assert port.pack(steps) == beats[:, : shape.octets].tobytes()
    found = port.unpack(port.pack(steps))
    assert np.array_equal(found, from_beats(shape, beats)[0])
    assert np.array_equal(found, steps)


def test_a_segment_begins_with_a_beat() -> None:
    port = replace(description().input, segments=(3, 2), lanes=2)
    steps = np.array([[1, 2, 3, 4, 5]])
    assert (port.features, port.beats) == (5, 3)
    assert port.pack(steps) == bytes([1, 2, 3, 0, 4, 5])
    assert np.array_equal(port.unpack(bytes([1, 2, 3, 0, 4, 5])), steps)


def description(graph: Graph | None = None) -> Description:
    """That of the steps board, or with the input of another graph."""
    text = steps_board()["device.json"]
    assert isinstance(text, str)
    found = Description.parse(text, "device.json")
    if graph is None:
        return found
    source = graph.inputs[0]
    port: InPort = replace(found.input, axes=source.axes, scale=source.quantiser.scale)
    return replace(found, input=port)


@pytest.mark.parametrize("axes", ["BTF", "TBF", "FTB", "BFT"])
def test_sequences_are_those_of_the_compiler(axes: str) -> None:
    graph = steps_graph()
    source = replace(graph.inputs[0], axes=tuple(axes))
    graph = replace(graph, ops=(source, *graph.ops[1:]))
    shape = [{"B": 4, "T": 5, "F": 2}[a] for a in axes]
    x = np.random.default_rng(2).normal(0, 2, shape)
    for lengths in (None, [5, 1, 3, 2]):
        found = sequences_of(description(graph), x, lengths)
        expected = take_batch(graph, x, lengths).sequences()
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


BAD: dict[str, tuple[Any, Any]] = {
    "rank": (np.zeros((3, 2)), None),
    "features": (np.zeros((1, 3, 3)), None),
    "range": (np.full((1, 3, 2), 128), None),
    "below": (np.full((1, 3, 2), -129), None),
    "nan": (np.where(np.arange(12).reshape(2, 3, 2) == 9, np.nan, 0.0), None),
    "overflow": (np.full((1, 1, 2), 1e300), None),
    "kind": (np.zeros((1, 3, 2), dtype=bool), None),
    "lengths": (np.zeros((2, 3, 2)), [1]),
    "length": (np.zeros((2, 3, 2)), [1, 4]),
    "no length": (np.zeros((2, 3, 2)), 3),
    "part of a length": (np.zeros((2, 3, 2)), [1.5, 2]),
    "rows": ([[[1, 2]], [[1, 2], [3, 4]]], None),
    "empty": (np.zeros((0, 3, 2)), None),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_the_words_of_the_compiler(case: str) -> None:
    x, lengths = BAD[case]
    with pytest.raises(DataError) as expected:
        take_batch(steps_graph(), x, lengths)
    with pytest.raises(DataError) as found:
        sequences_of(description(), x, lengths)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    ("limits", "steps", "fact"),
    [
        ({"fixed_steps": 4}, 3, "has 3 steps; the model takes sequences of exactly 4"),
        ({"max_steps": 4}, 5, "has 5 steps; the design buffers at most 4"),
    ],
)
def test_a_length_that_the_design_cannot_take_is_refused(
    limits: dict[str, int], steps: int, fact: str
) -> None:
    device = replace(description(), **limits)  # type: ignore[arg-type]
    assert len(sequences_of(device, np.zeros((1, 4, 2)))) == 1
    with pytest.raises(DataError, match=fact):
        sequences_of(device, np.zeros((1, steps, 2)))


@pytest.mark.parametrize("axes", ["BTF", "FBT", "T1BF"])
def test_results_stand_in_the_axes_of_the_model(axes: str) -> None:
    value = Value(name="y", type=IntType(-9, 9), size=2, sequence=True)
    out = Output(out=value, x="x", grid=OutputGrid(scale=ONE), axes=tuple(axes))
    port: OutPort = replace(description().output, axes=tuple(axes), scale=ONE, offset=ONE)
    rng = np.random.default_rng(3)
    results = [rng.integers(-9, 10, (n, 2)) for n in (4, 1, 3)]
    full = np.zeros((4, 3, 2), dtype=np.int64)
    for b, r in enumerate(results):
        full[: len(r), b] = r
    assert np.array_equal(arranged(port, results, integers=True), in_axes(out, full))
    found = arranged(port, results, integers=False)
    assert found.dtype == np.float32
    assert np.array_equal(found, in_axes(out, full) + 1)


def rom() -> bytes:
    """The memory of the steps board."""
    text = steps_board()["rtl/hwrnn_device.mem"]
    assert isinstance(text, str)
    return bytes.fromhex(text.replace("\n", ""))


def test_the_memory_holds_the_description() -> None:
    memory = rom()
    head = Head.parse(memory, "device")
    assert head.model_hash == steps_design().model_hash[:16]
    assert (head.version, head.buffer, head.baud) == (hwrnn.__version__, 255, 115_200)
    assert Description.parse(head.body(memory, "device"), "device") == description()
    assert len(memory) == head.pages * 32


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ((0, 0x69), "is no hwrnn device"),
        ((4, 2), "speaks protocol 2, this is 1"),
        ((HEAD, 0), "its description is damaged"),
    ],
)
def test_another_memory_is_refused(change: tuple[int, int], fact: str) -> None:
    memory = bytearray(rom())
    memory[change[0]] = change[1]
    pages = [bytes(memory[k : k + 32]) for k in range(0, len(memory), 32)]
    line, _ = link(reply(), *map(reply, pages))
    with pytest.raises(DeviceError, match=fact):
        Device(line)


def device(*replies: Reply) -> tuple[Device, Script]:
    """A connected device, then these replies."""
    memory = rom()
    pages = [memory[k : k + 32] for k in range(0, len(memory), 32)]
    line, script = link(reply(), *map(reply, pages), *replies)
    return Device(line), script


def test_a_wrong_model_is_refused_before_data_is_sent() -> None:
    line, script = link(reply(), reply(rom()[:32]))
    with pytest.raises(DeviceError, match="holds model [0-9a-f]{16}, not 0123456789abcdef"):
        Device(line, "0123456789abcdef")
    commands = [body[0] >> 4 for body in map(body_of, (w[1:-1] for w in script.written)) if body]
    assert commands == [Command.RESET, Command.DESCRIBE]


def test_what_is_expected_may_be_a_project_a_design_or_a_hash(tmp_path: Path) -> None:
    folder = steps_board().write(tmp_path / "project")
    wanted = steps_design().model_hash[:16]
    assert told_by(folder) == told_by(folder / "device.json") == description()
    assert expected_hash(steps_design()) == wanted
    assert expected_hash(wanted.upper()) == wanted
    assert expected_hash(None) is None
    with pytest.raises(DeviceError, match="nothing: cannot be read"):
        told_by(tmp_path / "nothing")
    (tmp_path / "device.json").write_text('{"format": 1}')
    with pytest.raises(DeviceError, match="is no description of a device"):
        told_by(tmp_path)


@pytest.mark.parametrize("folder", ["bitstream", "board", "rtl_project"])
def test_the_description_is_found_inside_a_project(folder: str, tmp_path: Path) -> None:
    steps_board().write(tmp_path / folder)
    assert told_by(tmp_path) == description()


def test_a_speed_at_which_nothing_answers_is_passed_over() -> None:
    assert answers(link(reply())[0])
    assert answers(link(hurt, reply())[0])
    assert not answers(link()[0])
    assert not answers(link(*[hurt] * 100)[0])


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({}, [1_000_000, 115_200]),
        ({"baud": 9600}, [9600]),
        ({"project": "p"}, [500_000]),
        ({"project": "p", "baud": 9600}, [9600]),
    ],
)
def test_which_speeds_are_tried(
    options: dict[str, Any], rates: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    class Deaf(Script):
        def write(self, data: bytes) -> int:
            if self.baudrate not in tried:
                tried.append(self.baudrate)
            return len(data)

    script = Deaf([])

    def opened(_: str, baud: int) -> Script:
        script.baudrate = baud
        return script

    monkeypatch.setattr("hwrnn.device.device.open_port", opened)
    told = replace(description(), baud=500_000)
    monkeypatch.setattr("hwrnn.device.device.told_by", lambda _: told)
    with pytest.raises(DeviceError, match=f"no answer at {rates[-1]} baud"):
        hwrnn.device.connect("port", **options, timeout=0.0, patience=0.0)
    assert tried == rates
    assert script.closed


def test_a_design_that_gives_no_result_is_an_error() -> None:
    dev, _ = device(*[reply()] * 100)
    with pytest.raises(DeviceError, match="stands still: 2 of 2 bytes taken"):
        dev.infer(np.zeros((1, 1, 2)))


def test_a_result_of_another_length_is_an_error() -> None:
    dev, _ = device(reply(b"abc", outcome=0x40))
    with pytest.raises(DeviceError, match="a result of 3 bytes came"):
        dev.infer(np.zeros((1, 1, 2)))


def test_a_result_before_the_sequence_was_sent_is_an_error() -> None:
    dev, _ = device(reply(b"abcd", outcome=0x40))
    with pytest.raises(DeviceError, match="before the sequence was sent"):
        dev.infer(np.zeros((1, 200, 2)))


def test_after_an_error_the_device_is_reset_first() -> None:
    dev, script = device(reply(b"abc", outcome=0x40), reply(), reply(b"\1\0\2\0", outcome=0x40))
    with pytest.raises(DeviceError):
        dev.infer(np.zeros((1, 1, 2)))
    y = dev.infer(np.zeros((1, 1, 2)), integers=True)
    assert y.tolist() == [[[1, 2]]]
    commands = [body[0] >> 4 for body in map(body_of, (w[1:-1] for w in script.written)) if body]
    assert commands[-3:] == [Command.DATA, Command.RESET, Command.DATA]


def test_bad_input_is_refused_before_data_is_sent() -> None:
    dev, script = device()
    before = len(script.written)
    with pytest.raises(DataError):
        dev.infer(np.zeros((1, 1, 3)))
    assert len(script.written) == before


def test_the_context_closes_the_port() -> None:
    dev, script = device()
    with dev as same:
        assert same is dev
        assert not script.closed
    assert script.closed


@pytest.mark.needs_device
def test_a_port_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceError, match=r"(?s)no/such/port: cannot be opened.*hint: there is "):
        hwrnn.device.connect("no/such/port")


def test_without_pyserial_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(DeviceError, match=r"needs the package pyserial\n.*hwrnn\[device\]"):
        hwrnn.device.connect("port")


def test_it_stands_alone() -> None:
    loaded = modules_after("import hwrnn; hwrnn.device.connect")
    ours = {name for name in loaded if name.startswith("hwrnn.")}
    assert {n for n in ours if not n.startswith("hwrnn.device")} == {"hwrnn.errors"}
    assert loaded.isdisjoint({"onnx", "jinja2", "serial", "torch"})


def test_real_outputs_come_out_of_the_description() -> None:
    x = np.random.default_rng(9).normal(0, 2, (1, 4, 2)).astype(np.float32)
    q = ran(steps_graph(), x, integers=True)
    found = arranged(description().output, [q[0]], integers=False)
    assert np.array_equal(found, ran(steps_graph(), x))


def test_zero_points_are_part_of_the_description() -> None:
    graph = steps_graph()
    source = graph.inputs[0].quantiser
    moved = with_grids(graph, replace(source, zero_point=(3, -4)), graph.outputs[0].grid)
    text = emit_shell(replace(steps_design(), graph=moved), 4)["device.json"]
    assert isinstance(text, str)
    port = Description.parse(text, "device.json").input
    assert port.zero_point == (3, -4)
    x = np.random.default_rng(10).normal(0, 2, (1, 9, 2))
    found = sequences_of(Description.parse(text, "device.json"), x)
    assert np.array_equal(found[0], take_batch(moved, x).sequences()[0])
