# SPDX-License-Identifier: Apache-2.0
"""Frames, and a line that damages, loses and repeats them."""

from __future__ import annotations

import numpy as np
import pytest
from device_lines import Script, hurt, link, lost, reply

from hwrnn.device.frames import (
    END,
    MOST,
    Answer,
    Command,
    Outcome,
    Request,
    answer_of,
    body_of,
    framed,
)
from hwrnn.device.link import Link, NoisyLine
from hwrnn.errors import DeviceError


def test_frames_hold_any_bytes_and_no_end() -> None:
    rng = np.random.default_rng(4)
    for size in range(60):
        body = rng.choice([0, 0xC0, 0xDB, 0xDC, 0xDD, 0xFF], size).astype(np.uint8).tobytes()
        frame = framed(body)
        assert frame.count(END) == 2
        assert body_of(frame[1:-1]) == body


def test_every_damaged_byte_is_noticed() -> None:
    content = framed(b"\x13\x05\xc0\xdb payload")[1:-1]
    for position in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            assert body_of(bytes(damaged)) is None
    assert answer_of(framed(b"\1\2")[1:-1]) is None  # whole, but too short
    assert answer_of(b"") is None


STATUS = Request(command=Command.STATUS, limit=2)


def test_a_request_is_repeated_as_it_was() -> None:
    line, script = link(hurt, reply(outcome=Outcome.DAMAGED), lost, reply(b"ok"))
    assert line.ask(STATUS).payload == b"ok"
    assert len(script.written) == 4
    assert len(set(script.written)) == 1
    health = line.health
    assert (health.damaged_answers, health.damaged_requests, health.lost) == (1, 1, 1)
    assert (health.requests, health.repeats) == (1, 3)


def test_sequence_numbers_go_round() -> None:
    line, script = link(*[reply()] * 600)
    numbers = [line.ask(STATUS).sequence for _ in range(600)]
    assert numbers == [(k + 1) % 256 for k in range(600)]
    assert len(script.written) == 600


def test_an_answer_to_an_earlier_request_is_passed_over() -> None:
    line, _ = link(lambda n: reply(b"old", shift=-1)(n) + reply(b"new")(n))
    assert line.ask(STATUS).payload == b"new"
    line, _ = link(lambda n: reply(b"old", shift=-1)(n) + END + reply(b"new")(n))
    assert line.ask(STATUS).payload == b"new"


def test_an_answer_in_pieces_is_put_together() -> None:
    class Slow(Script):
        def read(self, size: int = 1) -> bytes:
            return super().read(min(size, 2))

    script = Slow([reply(b"payload")])
    line = Link(script, "port", 115_200, timeout=1.0, patience=1.0)
    assert line.ask(STATUS).payload == b"payload"


def test_silence_is_an_error() -> None:
    line, script = link()
    with pytest.raises(DeviceError) as caught:
        line.ask(STATUS)
    assert str(caught.value) == (
        "port: no answer at 115200 baud within 0 s\n"
        "  hint: is it the right port, is the bitstream loaded, was it built for this baud rate?"
    )
    assert len(script.written) == 3


def test_endless_damage_is_an_error() -> None:
    line, script = link(*[hurt] * 100)
    with pytest.raises(NoisyLine, match="40 attempts at one request came back damaged"):
        line.ask(STATUS)
    assert len(script.written) == 40


@pytest.mark.parametrize("at", ["write", "read", "reset_input_buffer"])
@pytest.mark.parametrize("kind", ["serial", "termios"])
def test_a_port_that_is_gone_is_an_error(at: str, kind: str) -> None:
    import termios

    def unplugged(*_: object) -> None:
        raise OSError(5, "Input/output error") if kind == "serial" else termios.error(5, "I/O")

    line, script = link(reply())
    setattr(script, at, unplugged)
    with pytest.raises(DeviceError) as caught:
        line.forget() if at == "reset_input_buffer" else line.ask(STATUS)
    assert str(caught.value).startswith("port: the port is gone: ")
    assert caught.value.hint == "plug the board in, and connect again"


def test_a_fault_of_ours_is_no_port_that_is_gone() -> None:
    line, script = link(reply())
    script.write = None  # type: ignore[assignment, method-assign]
    with pytest.raises(TypeError):
        line.ask(STATUS)


def test_a_shell_that_does_not_know_the_request_is_named() -> None:
    line, _ = link(reply(outcome=Outcome.UNKNOWN))
    with pytest.raises(DeviceError, match="the device does not know this request"):
        line.ask(STATUS)


def test_answers_say_what_they_are() -> None:
    frame = reply(b"xy", outcome=0xE2)(9)
    assert answer_of(frame[1:-1]) == Answer(
        payload=b"xy",
        sequence=9,
        room=255,
        outcome=Outcome.FULL,
        busy=True,
        ended=True,
        error=True,
    )
    assert MOST == 255
