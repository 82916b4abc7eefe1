# SPDX-License-Identifier: Apache-2.0
"""Runs models of vendor cells on vectors: all cases side by side, in one simulator."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from hwrnn.sim import verilate
from hwrnn.sim.verilate import NETLIST, Tools, Variant
from hwrnn.synth.simulate import cells_folder

SAID = "%Error-USERFATAL"
MAIN = """\
#include "Vtop.h"
int main() {
  VerilatedContext context;
  context.randReset(2);
  Vtop top(&context);
  for (top.clk = 0; !context.gotFinish(); top.clk = !top.clk) top.eval();
}
"""
Values = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cell with parameters, fixed inputs, and what it shows in each cycle: in a step are inputs,
    put on before the rising edge, and outputs (`=`), looked at behind it. `width`: of each port.
    """

    name: str
    family: str
    cell: str
    parameters: Mapping[str, int | str]
    clocks: Sequence[str]
    width: Mapping[str, int]
    steps: Sequence[tuple[Values, Values]]

    @property
    def path(self) -> Path:
        return cells_folder() / self.family / f"{self.cell}.v"

    def given(self) -> str:
        """The parameters, as an instance gives them."""
        shown = {
            k: f'"{v}"' if isinstance(v, str) else sized(v) for k, v in self.parameters.items()
        }
        return ", ".join(f".{k}({v})" for k, v in shown.items())

    def text(self, k: int) -> str:
        """The instance, its inputs cycle by cycle, and the comparison of its outputs."""
        inputs = {p for ins, _ in self.steps for p in ins}
        outputs = {p for _, outs in self.steps for p in outs}
        ports = [f".{c}(clk)" for c in self.clocks]
        ports += [f".{p}(c{k}_{p})" for p in sorted(inputs | outputs)]
        lines = [f"  {self.cell} #({self.given()}) c{k} ({', '.join(ports)});"]
        for p in sorted(inputs):
            shown, last = [], 0
            for cycle, (ins, _) in enumerate(self.steps):
                last = ins.get(p, last)
                shown.append(f"cycle == {cycle} ? {self.width[p]}'h{last:x} : ")
            shown.append(f"{self.width[p]}'h{last:x}")
            lines.append(f"  wire [{self.width[p] - 1}:0] c{k}_{p} = {''.join(shown)};")
        lines += [f"  wire [{self.width[p] - 1}:0] c{k}_{p};" for p in sorted(outputs)]
        lines.append("  always @(negedge clk) begin")
        for cycle, (_, outs) in enumerate(self.steps):
            lines += [self.check(k, cycle, p, v) for p, v in outs.items()]
        return "\n".join([*lines, "  end"])

    def check(self, k: int, cycle: int, port: str, value: int) -> str:
        shown = f"{self.width[port]}'h{value:x}"
        found = (
            f'$display("{self.name}, cycle {cycle}: {port} is %h, not %h", c{k}_{port}, {shown});'
        )
        return f"    if (cycle == {cycle} && c{k}_{port} !== {shown}) {found}"


def sized(value: int) -> str:
    """A number as SystemVerilog: parameters of more than 32 bits need their width."""
    return str(value) if value < 2**31 else f"{value.bit_length()}'h{value:x}"


def run_cases(cases: Sequence[Case], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The differences, a line each."""
    tools, variant = Tools.find(), Variant(netlist=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        (work / "rtl").mkdir()
        (work / "main.cpp").write_text(MAIN)
        files = sorted({c.path for c in cases})
        common = [f"-v {p}" for p in sorted((cells_folder() / "common").glob("*.v"))]
        listed = [*map(str, files), *common, "tb.sv"]
        (work / "rtl" / "files.f").write_text("\n".join(listed))
        (work / "rtl" / "tb.sv").write_text(testbench(cases))
        monkeypatch.setattr(verilate, "HARNESS", work / "main.cpp")
        verilate.verilate(tools, "tb", work / "rtl", work / "cpp", variant)
        runtime = verilate.runtime_library(tools)
        verilate.compile_all(tools, runtime, work / "cpp", work / "sim", variant)
        run = subprocess.run([work / "sim"], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        lines = run.stdout.strip().split("\n")
    assert "finished" in lines
    return [line for line in lines if "cycle" in line]


def testbench(cases: Sequence[Case]) -> str:
    """A module with all of them."""
    body = "\n".join(case.text(k) for k, case in enumerate(cases))
    last = max(len(c.steps) for c in cases)
    return f"""\
module tb (input clk);
  integer cycle = 0;
  always @(negedge clk) begin
    cycle <= cycle + 1;
    if (cycle == {last}) begin
      $display("finished");
      $finish;
    end
  end
{body}
endmodule
"""


def refusal(family: str, cell: str, parameters: Mapping[str, int | str]) -> str:
    """What a cell says of parameters that it does not model; empty if it takes them."""
    tools = Tools.find()
    case = partial(Case, name=cell, clocks=(), width={}, steps=())
    made = case(family=family, cell=cell, parameters=parameters)
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary, "top.sv")
        top.write_text(f"module top;\n  {cell} #({made.given()}) u ();\nendmodule\n")
        common = [str(p) for p in (cells_folder() / "common").glob("*.v")]
        command = [str(tools.verilator.binary), "--lint-only", "--no-timing", "-Wno-lint"]
        command += [
            "-Wno-style",
            *NETLIST,
            "--top-module",
            "top",
            str(top),
            str(made.path),
            *common,
        ]
        env = tools.verilator.environment()
        run = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    said = [x.split(".v:", 1)[1] for x in run.stderr.split("\n") if x.startswith(SAID)]
    assert bool(said) == bool(run.returncode), run.stderr
    return said[0].split(": ", 1)[1] if said else ""
