# SPDX-License-Identifier: Apache-2.0
"""Every sentence by which the front end and `hwrnn.quantize` refuse something, from their source.

`python tests/refusals.py` writes docs/refusals.md; tests/test_refusals.py holds both together.
What a sentence fills in (a name, a number) is shown as `...`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (ROOT / "hwrnn" / "frontend", ROOT / "hwrnn" / "nn")
PAGE = ROOT / "docs" / "refusals.md"
FAULTS = ("ImportFault", "ExportFault", "OutputError", "ToolError", "DataError")
METHODS = {"fault_at": 1, "fault": 1, "_fault": 1, "refuse": 1}  # where the fact stands
HEADER = """\
# Refusals

What `hwrnn.export`, `hwrnn.load` and `hwrnn.quantize` refuse. A message is the place (file and
node, or the layer of the module), a fact, and a remedy behind `hint:`; `...` stands for names and
numbers. Written by `python tests/refusals.py` from the source, and held to it by a test.
"""


@dataclass(frozen=True, order=True)
class Refusal:
    """One sentence of one source file; the remedy may be made elsewhere: `...`."""

    file: str
    fact: str
    remedy: str


def refusals() -> list[Refusal]:
    """All of the front end, without repetitions."""
    found = {r for source in SOURCES for path in sorted(source.glob("*.py")) for r in of_file(path)}
    return sorted(found)


def of_file(path: Path) -> Iterator[Refusal]:
    """Those of one file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: text(node.value, {})
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    short = {f.name for f in functions if [a.arg for a in f.args.args][:2] == ["self", "fact"]}
    for function in functions:
        local = {
            n.targets[0].id: text(n.value, constants)
            for n in ast.walk(function)
            if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
        }
        for call in [n for n in own(function) if isinstance(n, ast.Call)]:
            yield from of_call(path, call, constants | local, short)


def own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions inside of it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if not isinstance(node, ast.FunctionDef):
            yield node
            pending += ast.iter_child_nodes(node)


def of_call(
    path: Path, call: ast.Call, known: dict[str, str], short: set[str]
) -> Iterator[Refusal]:
    """The refusal that a call makes, if it makes one; `short` methods take no place."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    at = 1 if name in FAULTS else METHODS.get(name)
    if name in short:
        at = 0
    if at is None or len(call.args) <= at:
        return
    fact = text(call.args[at], known)
    if not fact.replace(".", "").strip():
        return  # passes on what others say
    remedy = text(call.args[at + 1], known) if len(call.args) > at + 1 else ""
    yield Refusal(path.name, fact, remedy)


def text(node: ast.AST | None, known: dict[str, str]) -> str:
    """A literal as it reads, what is filled in as `...`."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(text(part, known) for part in values)
        case ast.Name(id=name) if known.get(name):
            return known[name]
        case ast.BinOp(left=left, right=right):
            return text(left, known) + text(right, known)
    return "..."


def page() -> str:
    """docs/refusals.md."""
    lines = [HEADER]
    done = ""
    for r in refusals():
        if r.file != done:
            lines += ["", f"## {r.file.removesuffix('.py')}", "", "| fact | remedy |", "|---|---|"]
            done = r.file
        lines.append(f"| {cell(r.fact)} | {cell(r.remedy)} |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def cell(sentence: str) -> str:
    """As the cell of a table."""
    return sentence.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
