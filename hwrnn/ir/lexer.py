# SPDX-License-Identifier: Apache-2.0
"""Tokens of the text form, and the errors that say at which line and column a text is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import NoReturn

from hwrnn.errors import VerifyError, shorten

_TOKEN = re.compile(
    r"""
    (?P<space> \s+ | //[^\n]* )
  | (?P<value> %[A-Za-z_]\w* | %"(?:[^"\\\n]|\\.)*" )
  | (?P<real>  -?0[xX][0-9a-fA-F]+(?:\.[0-9a-fA-F]*)?[pP][+-]?\d+
             | -?\d+\.\d+(?:[eE][+-]?\d+)? | -?\d+[eE][+-]?\d+ )
  | (?P<int>   -?\d+ )
  | (?P<word>  [A-Za-z_]\w* )
  | (?P<string> "(?:[^"\\\n]|\\.)*" )
  | (?P<mark>  ->|\.\.|[{}\[\](),:=^/*<>] )
    """,
    re.VERBOSE,
)
_HEX = re.compile(r"(-?)0[xX]([0-9a-fA-F]+)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `kind` is a group of the pattern above, or `end`."""

    kind: str
    text: str
    at: int


class Cursor:
    """A place in the tokens of a text, with what every rule of the grammar needs."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.tokens = list(self._tokens(text))
        self.index = 0

    def _tokens(self, text: str) -> list[Token]:
        found, at = [], 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                self.fail(f"{shorten(text[at])!r} starts nothing", at=at)
            if match.lastgroup != "space":
                found.append(Token(str(match.lastgroup), match.group(), at))
            at = match.end()
        return [*found, Token("end", "the end", len(text))]

    def fail(self, fact: str, hint: str = "", at: int | None = None) -> NoReturn:
        """Raise VerifyError at the token that was taken last, or at an offset in the text."""
        if at is None:
            at = self.tokens[max(0, self.index - 1)].at
        line = self.source.count("\n", 0, at) + 1
        column = at - (self.source.rfind("\n", 0, at) + 1) + 1
        raise VerifyError(f"line {line}, column {column}", fact, hint)

    def sees(self, *texts: str) -> bool:
        """Whether the next token is one of these words or marks."""
        token = self.tokens[self.index]
        return token.kind in ("word", "mark") and token.text in texts

    def sees_kind(self, *kinds: str) -> bool:
        """Whether the next token is of one of these kinds."""
        return self.tokens[self.index].kind in kinds

    def next(self) -> Token:
        """The next token, taken."""
        token = self.tokens[self.index]
        self.index = min(self.index + 1, len(self.tokens) - 1)
        return token

    def accept(self, text: str) -> bool:
        """Take the next token if it is this word or mark."""
        if self.sees(text):
            self.index += 1
            return True
        return False

    def expect(self, text: str, hint: str = "") -> None:
        """Take this word or mark, or fail."""
        if not self.accept(text):
            self.wanted(f'"{text}"', hint)

    def take(self, kind: str, what: str, hint: str = "") -> str:
        """Take a token of this kind, or fail."""
        if not self.sees_kind(kind):
            self.wanted(what, hint)
        return self.next().text

    def wanted(self, what: str, hint: str = "") -> NoReturn:
        """Fail at the next token: something else belongs there."""
        token = self.tokens[self.index]
        shown = token.text if token.kind == "end" else f'"{shorten(token.text, 40)}"'
        if token.text == "<":
            hint = "values in <> were left out for a reader; print with elide=False"
        self.fail(f"expected {what}, found {shown}", hint, token.at)

    def name(self) -> str:
        """The name of a value, without its %."""
        text = self.take("value", "the name of a value", "a name is %letters_and_digits")
        return unquoted(text[1:])

    def integer(self) -> int:
        """A whole number."""
        return int(self.take("int", "a whole number"))

    def rational(self) -> Fraction:
        """3, 3/4, 2^-5, 5/2^7, 0.25 or 0x1.8p-3, each as the exact number that it says."""
        value = self._factor()
        if not self.accept("/"):
            return value
        at = self.tokens[self.index].at
        divisor = self._factor()
        return value / divisor if divisor else self.fail("division by zero", at=at)

    def _factor(self) -> Fraction:
        if self.sees_kind("real"):
            return exact_real(self.next().text)
        if not self.sees_kind("int"):
            self.wanted("a number", "write 3, 3/4, 2^-5, 0.25 or 0x1.8p-3")
        base = Fraction(self.integer())
        if not self.accept("^"):
            return base
        at, power = self.tokens[self.index].at, self.integer()
        if abs(power) > 4096 or (power < 0 and not base):
            self.fail(f"{base}^{power} is no number to compute with", at=at)
        return Fraction(base**power)


def unquoted(text: str) -> str:
    """A word, or what stands between quotes."""
    return str(json.loads(text)) if text.startswith('"') else text


def exact_real(text: str) -> Fraction:
    """A decimal or hexadecimal float as the rational that it spells."""
    match = _HEX.fullmatch(text)
    if match is None:
        return Fraction(text)
    sign, whole, part, power = match.groups()
    value = int(whole + part, 16) * Fraction(2) ** (int(power) - 4 * len(part))
    return -value if sign else value


def known(name: str, names: list[str]) -> str:
    """A hint that lists what is known, the nearest first if one is near."""
    listed = f"known: {', '.join(names)}"
    near = get_close_matches(name, names, 1)
    return f'did you mean "{near[0]}"? {listed}' if near else listed
