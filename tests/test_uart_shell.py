# SPDX-License-Identifier: Apache-2.0
"""The UART shell, simulated behind a pseudo-terminal: byte by byte, and used by hwrnn.device."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from uart_boards import (
    BOARD,
    last_board,
    last_graph,
    ran,
    steps_board,
    steps_design,
    steps_graph,
)

import hwrnn
import hwrnn.device
from hwrnn.backends.shell import baud_divisor, emit_shell
from hwrnn.device.device import open_port, told_by
from hwrnn.device.frames import (
    END,
    Answer,
    Command,
    Outcome,
    Request,
    answer_of,
    body_of,
    framed,
)
from hwrnn.errors import DeviceError, ToolError
from hwrnn.sim.uart import Line, simulated, simulated_by_cocotb

pytestmark = [pytest.mark.needs_sim, pytest.mark.needs_device]

PATIENCE_S = 20.0  # until a test gives up on an answer


class Wire:
    """Writes bytes and gathers whole frames, whatever they hold."""

    def __init__(self, name: str) -> None:
        self.port = open_port(name, 115_200)
        self.port.timeout = PATIENCE_S

    def send(self, data: bytes) -> None:
        self.port.write(data)

    def hear(self) -> Answer:
        content = b""
        while not content:
            content = self.until_end()
        found = answer_of(content)
        assert found is not None
        return found

    def until_end(self) -> bytes:
        content = b""
        while not content.endswith(END):
            octet = self.port.read(1)
            assert octet, "no answer"
            content += octet
        return content[:-1]

    def ask(self, number: int, request: Request) -> Answer:
        self.send(request.frame(number))
        return self.hear()

    def silent(self) -> bool:
        self.port.timeout = 0.2
        found = self.port.read(1)
        self.port.timeout = PATIENCE_S
        return not found


@contextmanager
def steps_wire() -> Iterator[Wire]:
    with simulated(steps_board()) as board:
        wire = Wire(board.port)
        yield wire
        wire.port.close()


def data(payload: bytes, *, last: bool = True, wait: bool = True, limit: int = 255) -> Request:
    return Request(
        command=Command.DATA,
        argument=len(payload),
        payload=payload,
        last=last,
        wait=wait,
        limit=limit,
    )


STATUS = Request(command=Command.STATUS, limit=2)
RESET = Request(command=Command.RESET)


def counters(answer: Answer) -> tuple[int, int]:
    good, damaged = answer.payload
    return good, damaged


def expected(*steps: tuple[int, int]) -> bytes:
    """What the steps board answers to these steps."""
    q = ran(steps_graph(), np.array([steps]), integers=True)
    return bytes(q.astype("<i2").tobytes())


def test_a_sequence_in_one_request() -> None:
    with steps_wire() as wire:
        answer = wire.ask(7, data(b"\x05\x07\x01\xff"))
        assert answer.payload == expected((5, 7), (1, -1))
        assert (answer.sequence, answer.outcome, answer.ended) == (7, Outcome.DONE, True)
        assert (answer.room, answer.error, answer.busy) == (255, False, False)


def test_every_answer_is_framed_as_documented() -> None:
    with steps_wire() as wire:
        wire.send(b"\xc0\x40\x01\x00\x00\x16\xed\x92\xbb\xc0")  # the example of docs/uart.md
        assert wire.until_end() == b""
        assert wire.until_end() == b"\x01\xff\x00\x57\x4e\xa7\x6d"


def test_special_bytes_pass() -> None:
    with steps_wire() as wire:
        first, second = wire.ask(0xC0, data(b"\xc0\xdb\xdb\xdc\xdd\xc0")), (0xC0 - 256, 0xDB - 256)
        assert first.payload == expected(second, (0xDB - 256, 0xDC - 256), (0xDD - 256, 0xC0 - 256))
        assert wire.ask(0xDB, STATUS).sequence == 0xDB


def test_special_bytes_pass_in_an_answer() -> None:
    with steps_wire() as wire:
        for _ in range(0xDC):
            wire.send(framed(b"short"))
            assert wire.hear().outcome == Outcome.DAMAGED
        found = [counters(wire.ask(k, STATUS)) for k in range(1, 0xDC)]
        assert found == [(k, 0xDC) for k in range(1, 0xDC)]


def test_what_changes_behind_an_escape_does_not_damage_the_answer() -> None:
    with steps_wire() as wire:  # the room grows while it is sent, through both special bytes
        rooms = [room_after(wire, length) for length in range(34, 80)]
        assert {0xC0, 0xDB} <= set(rooms)


def room_after(wire: Wire, length: int) -> int:
    """The room that is left when a payload of this length was taken just now."""
    answer = wire.ask(1, data(bytes(length), last=False, wait=False, limit=0))
    assert wire.ask(2, RESET).room == 255
    return answer.room


def test_a_repeated_request_is_answered_but_not_carried_out() -> None:
    with steps_wire() as wire:
        whole = expected((1, 2), (3, 4), (5, 6))
        assert wire.ask(1, data(b"\1\2", last=False, wait=False, limit=0)).payload == b""
        again = wire.ask(1, data(b"\1\2", last=False, wait=False, limit=0))
        assert (again.payload, again.sequence) == (b"", 1)
        first = wire.ask(2, data(b"\3\4\5\6", limit=5))
        assert first.payload == whole[:5]
        assert not first.ended
        for _ in range(3):
            assert wire.ask(2, data(b"\3\4\5\6", limit=5)).payload == whole[:5]
        assert wire.ask(3, data(b"", last=False)).payload == whole[5:]
        assert wire.ask(3, data(b"", last=False)).payload == whole[5:]
        assert wire.ask(4, data(b"", last=False, wait=False)).payload == b""


def test_a_repeated_answer_holds_no_more_than_the_first() -> None:
    with steps_wire() as wire:
        early = wire.ask(1, data(b"\1\2\3\4", wait=False))
        assert len(early.payload) < 8
        while wire.ask(9, STATUS).busy is False:
            pass
    with steps_wire() as wire:
        early = wire.ask(1, data(b"\1\2\3\4", wait=False))
        assert wire.ask(1, data(b"\1\2\3\4", wait=False)).payload == early.payload
        rest = wire.ask(2, data(b"", last=False)).payload
        assert early.payload + rest == expected((1, 2), (3, 4))


def test_damage_is_answered_counted_and_without_effect() -> None:
    with steps_wire() as wire:
        frame = bytearray(data(b"\1\2").frame(1))
        for position in (1, 2, 3, 4, 5, 6, len(frame) - 2):
            damaged = bytearray(frame)
            damaged[position] ^= 0x10
            wire.send(bytes(damaged))
            answer = wire.hear()
            assert (answer.outcome, answer.payload) == (Outcome.DAMAGED, b"")
        status = wire.ask(2, STATUS)
        assert counters(status) == (1, 7)
        assert (status.room, status.busy) == (255, False)
        assert wire.ask(3, data(b"\1\2")).payload == expected((1, 2))


@pytest.mark.parametrize(
    "body",
    [
        b"\x13",
        b"\x13\x01\x02",
        b"\x13\x01\x02\x40",  # the payload is missing
        b"\x13\x01\x02\x40\x05",  # half of it
    ],
)
def test_a_request_with_bytes_missing_is_damaged(body: bytes) -> None:
    with steps_wire() as wire:
        wire.send(framed(body))
        assert wire.hear().outcome == Outcome.DAMAGED
        assert wire.ask(3, data(b"\1\2")).payload == expected((1, 2))


def test_after_garbage_the_next_frame_counts() -> None:
    garbage = np.random.default_rng(0).integers(0, 256, 300).astype(np.uint8).tobytes()
    with steps_wire() as wire:
        wire.send(garbage.replace(END, b"x"))
        assert wire.silent()
        wire.send(END)
        assert wire.hear().outcome == Outcome.DAMAGED
        assert wire.ask(1, data(b"\1\2")).payload == expected((1, 2))


def test_what_comes_while_an_answer_is_sent_is_dropped_silently() -> None:
    with steps_wire() as wire:
        wire.send(STATUS.frame(1) + data(bytes(40)).frame(2))
        assert wire.hear().sequence == 1
        assert wire.silent()
        assert counters(wire.ask(4, STATUS)) == (2, 0)


def test_an_unknown_request_is_named_so() -> None:
    with steps_wire() as wire:
        for command in (0, 5, 15):
            wire.send(framed(bytes([command << 4, 1 + command, 0, 255])))
            answer = wire.hear()
            assert (answer.outcome, answer.payload) == (Outcome.UNKNOWN, b"")


def test_a_tlast_in_mid_step_sets_the_error_bit_until_reset() -> None:
    with simulated(last_board()) as board:
        wire = Wire(board.port)
        assert not wire.ask(1, data(b"\x21\x03")).error
        assert wire.ask(2, data(b"\x21\x03\x21")).error
        assert wire.ask(3, STATUS).error
        assert not wire.ask(4, RESET).error
        assert not wire.ask(5, STATUS).error
        wire.port.close()


def test_reset_drops_half_a_sequence_and_the_results() -> None:
    with steps_wire() as wire:
        wire.ask(1, data(b"\x11\x22\x33", last=False, limit=0))  # a step and half a beat
        answer = wire.ask(2, RESET)
        assert (answer.room, answer.busy, answer.payload) == (255, False, b"")
        assert wire.ask(2, data(b"\1\2")).payload == expected((1, 2))  # 2 counts as new


def test_what_does_not_fit_is_refused_whole() -> None:
    steps = np.random.default_rng(0).integers(0, 16, (240, 3))
    packed = b"".join(bytes([a | b << 4, c]) for a, b, c in steps.tolist())
    with simulated(last_board()) as board:
        wire = Wire(board.port)
        first = wire.ask(1, data(packed[:240], last=False, wait=False))
        assert first.outcome == Outcome.DONE
        assert first.room < 240
        assert first.busy
        refused = wire.ask(2, data(packed[240:], wait=False))
        assert (refused.outcome, refused.payload) == (Outcome.FULL, b"")
        assert wire.ask(2, data(packed[240:], wait=False)).outcome == Outcome.FULL
        number, room = 3, refused.room
        while room < 240:
            answer = wire.ask(number, data(b"", last=False, wait=False))
            number, room = number + 1, answer.room
        result = wire.ask(number, data(packed[240:])).payload
        while len(result) < 24:
            number += 1
            result += wire.ask(number, data(b"", last=False)).payload
        q = ran(last_graph(), steps[None], integers=True)
        assert result == q.astype("i1").tobytes()
        wire.port.close()


def test_a_thousand_inferences() -> None:
    x = np.random.default_rng(1).normal(0, 3, (1000, 3, 2)).astype(np.float32)
    with (
        simulated(steps_board()) as board,
        hwrnn.device.connect(board.port, 115_200, patience=20) as dev,
    ):
        y = dev.infer(x)
        status = dev.status()
        assert dev.health.repeats == 0
        assert (status.damaged, status.error, status.busy) == (0, False, False)
        assert status.good == dev.health.requests % 256
    assert y.dtype == np.float32
    assert np.array_equal(y, ran(steps_graph(), x))


@pytest.mark.parametrize(("seed", "batch", "steps"), [(1, 150, 3), (2, 4, 50)])
def test_one_byte_in_a_hundred_is_damaged(seed: int, batch: int, steps: int) -> None:
    x = np.random.default_rng(seed).normal(0, 3, (batch, steps, 2)).astype(np.float32)
    line = Line(damage=0.01, seed=seed)
    with simulated(steps_board(), line) as board, hwrnn.device.connect(board.port) as dev:
        y = dev.infer(x)
        status, health = dev.status(), dev.health
    assert np.array_equal(y, ran(steps_graph(), x))
    assert board.damaged > 10
    assert min(status.damaged, health.damaged_answers, health.damaged_requests) > 0


def test_twenty_inferences_through_cocotb_at_the_shipped_speed() -> None:
    x = np.random.default_rng(3).integers(-128, 128, (20, 3, 2))
    assert BOARD.shell is not None
    divisor = baud_divisor(BOARD.clock_mhz * 1e6, BOARD.shell.baud)
    files = emit_shell(steps_design(), divisor, baud=BOARD.shell.baud)
    with (
        simulated_by_cocotb(files, Line(divisor=divisor, limit=10**6)) as board,
        hwrnn.device.connect(board.port, patience=30) as dev,
    ):
        y = dev.infer(x, integers=True)
        assert dev.health.repeats == 0
        assert dev.status().damaged == 0
    assert np.array_equal(y, ran(steps_graph(), x, integers=True))


def test_another_model_is_refused_before_it_gets_data(tmp_path: Path) -> None:
    folder = last_board().write(tmp_path / "other")
    with simulated(steps_board()) as board:
        with pytest.raises(DeviceError) as caught:
            hwrnn.device.connect(board.port, project=folder)
        with hwrnn.device.connect(board.port, model=steps_design()) as dev:
            assert dev.model_hash == steps_design().model_hash[:16]
            requests = dev.status().good
    there, wanted = steps_design().model_hash[:16], told_by(folder).model_hash
    assert str(caught.value) == (
        f"{board.port}: holds model {there}, not {wanted}\n"
        "  hint: load the bitstream of this project, or connect with the project of that model"
    )
    assert requests < 20  # two connections and nothing else


def test_long_sequences_in_pieces_on_a_design_that_is_slower_than_its_line() -> None:
    x = np.random.default_rng(4).integers(0, 16, (2, 700, 3))
    seen: list[tuple[int, int]] = []
    with simulated(last_board()) as board, hwrnn.device.connect(board.port) as dev:
        y = dev.infer(x, integers=True, progress=lambda done, of: seen.append((done, of)))
        z = dev.infer(x, integers=True, lengths=[1, 300])
    assert np.array_equal(y, ran(last_graph(), x, integers=True))
    assert np.array_equal(z, ran(last_graph(), x, integers=True, lengths=[1, 300]))
    assert seen == [(1, 2), (2, 2)]


def test_results_that_do_not_fit_the_buffer_hold_the_design_up_and_nothing_else() -> None:
    x = np.random.default_rng(5).normal(0, 3, (2, 600, 2)).astype(np.float32)
    with simulated(steps_board()) as board, hwrnn.device.connect(board.port) as dev:
        y = dev.infer(x, lengths=[600, 5])
    assert np.array_equal(y, ran(steps_graph(), x, lengths=[600, 5]))


@pytest.mark.parametrize("divisor", [102, 106])
def test_a_line_that_is_two_per_cent_off(divisor: int) -> None:
    x = np.random.default_rng(6).integers(-128, 128, (4, 5, 2))
    line = Line(divisor=divisor)
    with simulated(steps_board(104), line) as board, hwrnn.device.connect(board.port) as dev:
        y = dev.infer(x, integers=True)
        assert dev.health.repeats == 0
    assert np.array_equal(y, ran(steps_graph(), x, integers=True))


def test_an_interrupted_call_leaves_nothing_behind() -> None:
    x = np.random.default_rng(7).integers(-128, 128, (3, 80, 2))

    def interrupt(done: int, _: int) -> None:
        if done == 2:
            dev._link.ask(data(b"\1\2\3", last=False, wait=False))  # and half a sequence with it
            raise KeyboardInterrupt

    with simulated(steps_board()) as board, hwrnn.device.connect(board.port) as dev:
        with pytest.raises(KeyboardInterrupt):
            dev.infer(x, progress=interrupt)
        y = dev.infer(x, integers=True)
    assert np.array_equal(y, ran(steps_graph(), x, integers=True))


def test_it_says_what_it_is() -> None:
    with simulated(steps_board()) as board, hwrnn.device.connect(board.port) as dev:
        assert dev.version == hwrnn.__version__
        assert repr(dev) == (
            f'<hwrnn device on {board.port}: model "net" {dev.model_hash}, hwrnn 0.1.0\n'
            '  in  "x" (batch, steps, 2), integers -128..127\n'
            '  out "y" (batch, steps, 2), integers '
            f"{dev.description.output.lo}..{dev.description.output.hi}>"
        )


def test_a_simulation_ends_by_itself() -> None:
    with (
        pytest.raises(ToolError, match="still busy after"),
        simulated(steps_board(), Line(limit=100)) as board,
        pytest.raises(DeviceError),
    ):
        hwrnn.device.connect(board.port, timeout=0.1)


def test_frames_of_the_shell_are_those_of_the_host() -> None:
    body = bytes(range(256))
    assert body_of(framed(body)[1:-1]) == body


def test_the_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    script = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "device.py"))
    monkeypatch.setattr(hwrnn, "load", lambda _: steps_graph(), raising=False)
    script["main"]("model.onnx")
    assert capsys.readouterr().out.endswith("\nequal to the C-model\n")
