# SPDX-License-Identifier: Apache-2.0
"""Ports of a design, and a wrapper for one that has more of them than a package has pins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from hwrnn.backends.files import FileSet
from hwrnn.synth.yosys import Source, run_script

PINS = "hwrnn_pins"  # the wrapper
CLOCKS = ("clk_i", "aclk")


def port_widths(source: Source) -> dict[str, tuple[str, int]]:
    """Direction ("input" or "output") and width of each port of the top module, by name."""
    script = f"{source.read()}\nwrite_json ports.json\n"
    text = (run_script(source, script) / "ports.json").read_text(encoding="utf-8")
    ports = json.loads(text)["modules"][source.top]["ports"]
    return {name: (port["direction"], len(port["bits"])) for name, port in ports.items()}


def wrapper(source: Source, ports: Mapping[str, tuple[str, int]]) -> Source:
    """The same design with three pins: inputs come out of a shift register, outputs go through two
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
