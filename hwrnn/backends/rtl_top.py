# SPDX-License-Identifier: Apache-2.0
"""The top level in SystemVerilog: kernels, the FIFOs between them, AXI4-Stream at the ports."""

from __future__ import annotations

from dataclasses import dataclass, field

from hwrnn.backends.rtl_around import around
from hwrnn.backends.rtl_config import BUS_BITS, ConfigMap, address_bits, axi_lite_ports
from hwrnn.backends.rtl_fragments import GATED_READY, GATED_VALID, RESTART, fragment_gate
from hwrnn.backends.rtl_kernels import engine_module, map_module
from hwrnn.backends.rtl_memory import Memories
from hwrnn.backends.rtl_netlist import Bits, Module, Numbers, Parameter, Port
from hwrnn.backends.rtl_ports import HANDSHAKE, error_of, input_ports, output_ports
from hwrnn.backends.rtl_starts import prefix_of, result_prefix
from hwrnn.backends.rtl_streams import (
    crediting,
    joined,
    moving_in,
    moving_out,
    numbered,
    reading,
    reading_all,
    same_type,
    segments,
    several_streams,
    word,
    writing,
)
from hwrnn.design.design import (
    ArgMax,
    AxisIn,
    AxisOut,
    Combine,
    Concat,
    Crop,
    Design,
    Dwc,
    Embed,
    Engine,
    Fork,
    Interleave,
    Kernel,
    Map,
    Repeat,
    Reverse,
    SelectStep,
    Separate,
    Slide,
    Stream,
    Zip,
    axis_width,
    kernel_outputs,
)
from hwrnn.design.memory import buffer_style
from hwrnn.ir import Step


@dataclass(slots=True)
class Top:
    """Puts the top module together, and the modules of its engines."""

    design: Design
    name: str
    taken: frozenset[str]
    version: int
    memories: Memories = field(init=False)
    kernels: list[Module] = field(default_factory=list)
    module: Module = field(init=False)
    layout: int = 0

    def build(self) -> Module:
        """The top module; `kernels` and `memories` are filled on the way."""
        self.memories = Memories(config=ConfigMap() if self.design.writable else None)
        title = f"{self.design.graph.name}: AXI4-Stream in and out."
        self.module = Module(name=self.name, title=title, ports=self.ports())
        self.module.wire("clk_i")
        self.module.wire("rst_i")
        self.module.assigns += [
            ("clk_i", "aclk"),
            ("rst_i", "!aresetn"),
            ("version_o", str(Bits(value=self.version, width=32))),
            ("model_hash_o", f"64'h{int(self.design.model_hash[:16], 16):016x}"),
        ]
        if self.design.keep:
            fragment_gate(self.module, self.design)
        for kernel in self.design.kernels:
            for stream in kernel_outputs(kernel):
                self.stream(stream, credited=isinstance(kernel, CREDITED) or buffered(kernel))
            self.kernel(kernel)
        if len(self.design.sources) > 1:
            errors = [error_of(self.design, k) for k in self.design.sources]
            self.module.assigns.append(("error_o", " || ".join(errors)))
        if self.memories.config is not None:
            self.config_slave(self.memories.config)
        return self.module

    def ports(self) -> list[Port]:
        """The ports that every top has."""
        keep = self.design.keep
        return [
            Port(direction="in", name="aclk"),
            Port(direction="in", name="aresetn"),
            *(
                p
                for k in self.design.sources
                for p in input_ports(k, keep=keep and k is self.design.source)
            ),
            *(p for k in self.design.sinks for p in output_ports(k)),
            Port(direction="out", name="error_o"),
            Port(direction="out", name="version_o", width=32),
            Port(direction="out", name="model_hash_o", width=64),
        ]

    def stream(self, s: Stream, *, credited: bool) -> None:
        """The FIFO of a stream; a kernel with credits watches its reads, not its ready."""
        base, bits = f"s_{s.name}", s.lanes * s.type.bits
        for side in ("w", "r"):
            self.module.wire(f"{base}_{side}_data", bits)
            if s.streams > 1:
                self.module.wire(f"{base}_{side}_id", s.id_bits)
            self.module.wire(f"{base}_{side}_last")
            self.module.wire(f"{base}_{side}_valid")
        self.module.wire(f"{base}_r_ready")
        ready = self.module.wire(f"unused_{base}" if credited else f"{base}_w_ready")
        pop = self.module.wire(f"{base}_pop" if credited else f"unused_{base}")
        width = s.id_bits + 1 + bits
        depth: dict[str, Parameter] = {} if s.depth == 2 else {"Depth": s.depth}
        if depth:
            depth["Style"] = self.style(s.depth, width, registered=False)
        self.module.add(
            "hwrnn_fifo" if depth else "hwrnn_stream_reg",
            f"u_{base}",
            {"Width": width} | depth,
            {
                "in_data_i": word(s, "w"),
                "in_valid_i": f"{base}_w_valid",
                "in_ready_o": ready,
                "out_data_o": word(s, "r"),
                "out_valid_o": f"{base}_r_valid",
                "out_ready_i": f"{base}_r_ready",
                "out_pop_o": pop,
            },
        )

    def style(self, depth: int, width: int, *, registered: bool = True) -> str:
        """What a buffer is made of."""
        return buffer_style(self.design.board, depth, width, registered=registered)

    def kernel(self, kernel: Kernel) -> None:
        """One kernel."""
        match kernel:
            case AxisIn():
                self.axis_in(kernel)
            case AxisOut():
                self.axis_out(kernel)
            case Engine() | Map():
                self.generated(kernel)
            case Reverse():
                self.reverse(kernel)
            case SelectStep():
                self.select(kernel)
            case Slide() | Combine() | Repeat() | Embed() | Zip() | ArgMax():
                around(self.module, kernel, self.memories)
            case _:
                self.route(kernel)

    def route(self, kernel: Dwc | Fork | Concat | Crop | Interleave | Separate) -> None:
        """A kernel that passes on all that it takes, in order."""
        match kernel:
            case Dwc():
                self.dwc(kernel)
            case Fork():
                self.fork(kernel)
            case Concat():
                self.concat(kernel)
            case Crop():
                self.crop(kernel)
            case Interleave():
                self.interleave(kernel)
            case Separate():
                self.separate(kernel)

    def axis_in(self, k: AxisIn) -> None:
        """The input shell, with a buffer of whole sequences if there is a greatest length."""
        whole, several = buffered(k), k.out.streams > 1
        bits, base = k.out.lanes * k.out.type.bits, f"s_{k.out.name}"
        to = f"{base}_f" if whole else f"{base}_w"
        if whole:
            self.module.wire(f"{to}_data", bits)
            for part in ("last", "valid", "ready", "drop"):
                self.module.wire(f"{to}_{part}")
        alone = len(self.design.sources) == 1
        unused = "unused_drop" if alone else f"unused_drop_{k.name}"
        drop = f"{to}_drop" if whole else self.module.wire(unused)
        keep = self.design.keep and k is self.design.source
        error = error_of(self.design, k)
        if not alone:
            self.module.wire(error)
        data = f"{k.port}_tdata"
        self.module.add(
            "hwrnn_axis_in",
            f"u_{k.name}_in",
            {
                "Lanes": k.out.lanes,
                "Width": k.out.type.bits,
                "PortWidth": axis_width(k.out.type),
                "Beats": k.out.beats,
                "FixedBeats": (k.fixed_steps or 0) * k.out.beats,
                "MaxBeats": 0 if k.fixed_steps else (k.max_steps or 0) * k.out.beats,
                **several_streams(k.out),
            },
            {
                "s_axis_tdata": f"{{{k.port}_tid, {data}}}" if several else data,
                "s_axis_tvalid": GATED_VALID if keep else f"{k.port}_tvalid",
                "s_axis_tready": GATED_READY if keep else f"{k.port}_tready",
                "s_axis_tlast": f"{k.port}_tlast",
                "out_data_o": numbered(k.out, "w") if several else f"{to}_data",
                "out_last_o": f"{to}_last",
                "out_valid_o": f"{to}_valid",
                "out_drop_o": drop,
                "out_ready_i": f"{to}_ready",
                "error_o": error,
            },
        )
        if whole:
            self.frame_fifo(k, to, base)

    def frame_fifo(self, k: AxisIn, source: str, base: str) -> None:
        """The buffer that holds whole sequences."""
        assert k.max_steps is not None
        width, depth = k.out.lanes * k.out.type.bits, 2 * k.max_steps * k.out.beats
        self.module.add(
            "hwrnn_frame_fifo",
            f"u_{k.name}_frames",
            {
                "Width": width,
                "Depth": depth,
                "OutDepth": k.out.depth,
                "Style": self.style(depth, width + 1),
            },
            {
                "in_data_i": f"{source}_data",
                "in_last_i": f"{source}_last",
                "in_valid_i": f"{source}_valid",
                "in_drop_i": f"{source}_drop",
                "in_ready_o": f"{source}_ready",
                "out_data_o": f"{base}_w_data",
                "out_last_o": f"{base}_w_last",
                "out_valid_o": f"{base}_w_valid",
                "out_pop_i": f"{base}_pop",
            },
        )

    def axis_out(self, k: AxisOut) -> None:
        """The output shell."""
        if k.x.streams > 1:
            self.module.assigns.append((f"{k.port}_tid", f"s_{k.x.name}_r_id"))
        self.module.add(
            "hwrnn_axis_out",
            f"u_{k.name}_out",
            {
                "Lanes": k.x.lanes,
                "Width": k.x.type.bits,
                "Signed": k.x.type.signed,
                "PortWidth": axis_width(k.x.type),
                **segments("", k.x),
            },
            {
                **reading("in", k.x, with_id=False),
                **{f"m_axis_{part}": f"{k.port}_{part}" for part in HANDSHAKE},
            },
        )

    def dwc(self, k: Dwc) -> None:
        """A width converter; one that changes nothing is wires."""
        name = f"u_{k.name}"
        if k.is_wire:
            x, y = f"s_{k.x.name}", f"s_{k.out.name}"
            data = self.cast(k.x, k.out, f"{x}_r_data")
            self.module.assigns += [
                (f"{y}_w_data", data),
                (f"{y}_w_last", f"{x}_r_last"),
                (f"{y}_w_valid", f"{x}_r_valid"),
                (f"{x}_r_ready", f"{y}_w_ready"),
            ]
            self.same_id(k.x, k.out)
            return
        same_type(k.name, k.x, k.out)
        several = k.x.streams > 1
        beats = {"IdWidth": k.x.id_bits, "XBeats": k.x.beats} if several else {}
        self.module.add(
            "hwrnn_dwc_streams" if several else "hwrnn_dwc",
            name,
            {
                "Width": k.x.type.bits,
                **beats,
                "XLanes": k.x.lanes,
                **segments("X", k.x),
                "YLanes": k.out.lanes,
                **segments("Y", k.out),
            },
            reading("in", k.x) | writing("out", k.out),
        )

    def cast(self, x: Stream, out: Stream, signal: str) -> str:
        """Data of one stream as the bits of another's type."""
        return self.module.resized(signal, f"w_{x.name}", x.lanes, x.type, out.type)

    def same_id(self, x: Stream, out: Stream) -> None:
        """The stream's number goes along, if there are several."""
        if out.streams > 1:
            self.module.assigns.append((f"s_{out.name}_w_id", f"s_{x.name}_r_id"))

    def copies(self, k: Fork | Separate) -> None:
        """The payload of the input at all outputs."""
        for out in k.outs:
            same_type(k.name, k.x, out)
            self.module.assigns += [
                (f"s_{out.name}_w_data", f"s_{k.x.name}_r_data"),
                (f"s_{out.name}_w_last", f"s_{k.x.name}_r_last"),
            ]
            self.same_id(k.x, out)

    def fork(self, k: Fork) -> None:
        """Copies."""
        x = f"s_{k.x.name}"
        self.copies(k)
        self.module.add(
            "hwrnn_fork",
            f"u_{k.name}",
            {"Outputs": len(k.outs)},
            {
                "in_valid_i": f"{x}_r_valid",
                "in_ready_o": f"{x}_r_ready",
                "out_valid_o": joined([f"s_{o.name}_w_valid" for o in k.outs]),
                "out_ready_i": joined([f"s_{o.name}_w_ready" for o in k.outs]),
            },
            clocked=False,
        )

    def concat(self, k: Concat) -> None:
        """Vectors one after the other."""
        data = [self.cast(x, k.out, f"s_{x.name}_r_data") for x in k.xs]
        words = [numbered(x, "r", d) for x, d in zip(k.xs, data, strict=True)]
        self.module.add(
            "hwrnn_concat",
            f"u_{k.name}",
            {
                "Inputs": len(k.xs),
                "Width": k.out.id_bits + k.out.lanes * k.out.type.bits,
                "Beats": Numbers(values=tuple(x.beats for x in k.xs)),
            },
            {"in_data_i": joined(words), **reading_all(k.xs), **moving_out(k.out)},
        )

    def crop(self, k: Crop) -> None:
        """A piece of each vector."""
        same_type(k.name, k.x, k.out)
        self.module.assigns.append((f"s_{k.out.name}_w_data", f"s_{k.x.name}_r_data"))
        handshake = reading("in", k.x) | writing("out", k.out)
        self.module.add(
            "hwrnn_crop",
            f"u_{k.name}",
            {"Beats": k.x.beats, "First": k.first, "Count": k.out.beats},
            {port: s for port, s in handshake.items() if "_data_" not in port},
        )

    def interleave(self, k: Interleave) -> None:
        """A vector of each input in turn."""
        data = [self.cast(x, k.out, f"s_{x.name}_r_data") for x in k.xs]
        self.module.add(
            "hwrnn_interleave",
            f"u_{k.name}",
            {
                "Inputs": len(k.xs),
                "Width": k.out.lanes * k.out.type.bits,
                "Beats": k.out.beats,
            },
            {"in_data_i": joined(data), **reading_all(k.xs), **writing("out", k.out)},
        )

    def separate(self, k: Separate) -> None:
        """Each stream to its own output."""
        x = f"s_{k.x.name}"
        self.copies(k)
        self.module.add(
            "hwrnn_separate",
            f"u_{k.name}",
            {"Outputs": len(k.outs)},
            {
                "in_id_i": f"{x}_r_id",
                "in_valid_i": f"{x}_r_valid",
                "in_ready_o": f"{x}_r_ready",
                "out_valid_o": joined([f"s_{o.name}_w_valid" for o in k.outs]),
                "out_ready_i": joined([f"s_{o.name}_w_ready" for o in k.outs]),
            },
            clocked=False,
        )

    def reverse(self, k: Reverse) -> None:
        """A sequence, last step first."""
        same_type(k.name, k.x, k.out)
        width = k.x.lanes * k.x.type.bits
        self.module.add(
            "hwrnn_reverse",
            f"u_{k.name}",
            {
                "Width": width,
                "Beats": k.x.beats,
                "MaxSteps": k.max_steps,
                "OutDepth": k.out.depth,
                "Style": self.style(2 * k.max_steps * k.x.beats, width),
            },
            reading("in", k.x) | crediting("out", k.out),
        )

    def select(self, k: SelectStep) -> None:
        """One step of each sequence."""
        same_type(k.name, k.x, k.out)
        width = k.x.id_bits + k.x.lanes * k.x.type.bits
        self.module.add(
            "hwrnn_select_step",
            f"u_{k.name}",
            {
                "Width": width,
                "Beats": k.x.beats,
                "First": k.step is Step.FIRST,
                "Style": self.style(k.x.beats, width, registered=False),
                **several_streams(k.x),
            },
            moving_in(k.x) | moving_out(k.out),
        )

    def generated(self, k: Engine | Map) -> None:
        """A kernel with a module of its own."""
        name = free_name(f"hwrnn_{self.design.name}_{k.name}", self.taken)
        keep = self.design.keep and isinstance(k, Engine) and bool(k.states)
        if isinstance(k, Engine):
            self.kernels.append(engine_module(k, name, self.memories, keep=keep))
        else:
            self.kernels.append(map_module(k, name, self.memories))
        bus: dict[str, str | Bits] = {"config_i": "config_bus"} if self.design.writable else {}
        bus |= {"restart_i": RESTART} if keep else {}
        ports = bus | reading("x", k.x) | crediting("out", k.out)
        if isinstance(k, Engine):
            for start in k.starts:
                ports |= reading(prefix_of(k, start), start.x)
            for more in k.more:
                ports |= crediting(result_prefix(k, more), more.out)
        self.module.add(name, f"u_{k.name}", {}, ports)

    def config_slave(self, config: ConfigMap) -> None:
        """The AXI4-Lite slave through which all writable memories are written."""
        bits = address_bits(config)
        self.layout = config.layout(self.kernels)
        self.module.ports += axi_lite_ports(bits)
        self.module.wire("config_bus", BUS_BITS)
        self.module.add(
            "hwrnn_config_slave",
            "u_config",
            {
                "AddressWidth": bits,
                "Words": config.end,
                "Version": Bits(value=self.version, width=32),
                "ModelHash": Bits(value=int(self.design.model_hash[:16], 16), width=64),
                "Layout": Bits(value=self.layout, width=32),
            },
            {p.name: p.name for p in axi_lite_ports(bits)}
            | {"error_i": "error_o", "config_o": "config_bus"},
        )


CREDITED = (Embed, Engine, Map, Reverse)


def buffered(kernel: Kernel) -> bool:
    """True for an input shell that buffers whole sequences."""
    return isinstance(kernel, AxisIn) and kernel.max_steps is not None


def free_name(wish: str, taken: frozenset[str]) -> str:
    """A module name that no library module has."""
    return f"{wish}_top" if wish in taken else wish
