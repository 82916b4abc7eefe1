# SPDX-License-Identifier: Apache-2.0
"""Our models of vendor cells against what the vendors publish; each case names the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import pytest
from cell_bench import Case, Values, refusal, run_cases

from hwrnn.synth.simulate import cells_folder

ON, OFF = 1, 0


def signed(value: int, bits: int) -> int:
    """The bit pattern of a number."""
    return value & ((1 << bits) - 1)


# UG579: two's complement, 27 x 18 bits, the product extended to 48 bits.
def dsp48e2() -> Case:
    fixed = {"OPMODE": 0b101, "ALUMODE": 0, "INMODE": 0, "CARRYINSEL": 0, "CARRYIN": 0}
    pairs = [(3, 5), (-3, 5), (-(2**26), -(2**17)), (2**26 - 1, -(2**17)), (-1, -1)]
    steps = [
        ({**fixed, "A": signed(a, 30), "B": signed(b, 18)}, {"P": signed(a * b, 48)})
        for a, b in pairs
    ]
    # The multiplier reads A[26:0]: what stands above does not count.
    steps.append(({"A": 0b101 << 27 | 7, "B": 2}, {"P": 14}))
    registers = ("AREG", "BREG", "MREG", "PREG", "ALUMODEREG", "INMODEREG", "OPMODEREG")
    return Case(
        name="DSP48E2",
        family="xcup",
        cell="DSP48E2",
        parameters=dict.fromkeys(registers, 0),
        clocks=("CLK",),
        width={"A": 30, "B": 18, "P": 48, "OPMODE": 9, "ALUMODE": 4, "INMODE": 5}
        | {"CARRYINSEL": 3, "CARRYIN": 1},
        steps=steps,
    )


# FPGA-TN-02205: each operand signed or not, by its own input.
def mult18x18d() -> Case:
    def bits(name: str, value: int, count: int) -> Values:
        return {f"{name}{k}": value >> k & 1 for k in range(count)}

    steps = []
    for a, b, sa, sb in [(200000, 3, 0, 0), (-5, 7, 1, 0), (7, -5, 0, 1), (-131072, -131072, 1, 1)]:
        made = bits("P", signed(a * b, 36), 36)
        fixed = {"SIGNEDA": sa, "SIGNEDB": sb, "SOURCEA": 0, "SOURCEB": 0}
        steps.append(({**fixed, **bits("A", a & 0x3FFFF, 18), **bits("B", b & 0x3FFFF, 18)}, made))
    names = {p for ins, outs in steps for p in (*ins, *outs)}
    width = dict.fromkeys(names, 1)
    return Case(
        name="MULT18X18D", family="ecp5", cell="MULT18X18D", parameters={}, clocks=(),
        width=width, steps=steps,
    )  # fmt: skip


# UG287: ASIGN, BSIGN choose two's complement for each operand.
def gowin_multiplier(n: int) -> Case:
    low, high = -(1 << (n - 1)), (1 << n) - 1
    steps = []
    for a, b, sa, sb in [(high, high, 0, 0), (low, low, 1, 1), (-3, high, 1, 0), (high, -3, 0, 1)]:
        ins = {"A": signed(a, n), "B": signed(b, n), "ASIGN": sa, "BSIGN": sb}
        chain = {} if n == 36 else {"ASEL": 0, "BSEL": 0}
        steps.append(({**ins, **chain}, {"DOUT": signed(a * b, 2 * n)}))
    return Case(
        name=f"MULT{n}X{n}",
        family="gowin",
        cell=f"MULT{n}X{n}",
        parameters={},
        clocks=(),
        width={"A": n, "B": n, "DOUT": 2 * n, "ASIGN": 1, "BSIGN": 1, "ASEL": 1, "BSEL": 1},
        steps=steps,
    )


def block_ram(cell: str, **parameters: int | str) -> partial[Case]:
    """A RAMB cell; its ports are called by role in the steps, and renamed here."""
    ultra, big = cell.endswith("E2"), cell.startswith("RAMB36")
    names = {"DOA": "DOUTADOUT", "DOPA": "DOUTPADOUTP", "DIA": "DINADIN", "DIPA": "DINPADINP"}
    if not ultra:
        names = {"DOA": "DOADO", "DOPA": "DOPADOP", "DIA": "DIADI", "DIPA": "DIPADIP"}
    other = {"DOA": "DOB", "DOPA": "DOPB", "DIA": "DIB", "DIPA": "DIPB"}
    ports = names | {other[k]: swapped(v) for k, v in names.items()}
    ports |= {"ADA": "ADDRARDADDR", "ADB": "ADDRBWRADDR", "ENA": "ENARDEN", "ENB": "ENBWREN"}
    ports |= {"WEB": "WEBWE", "RSTA": "RSTRAMARSTRAM", "RSTB": "RSTRAMB"}
    data = 32 if big else 16
    width = {"DOA": data, "DIA": data, "DOB": data, "DIB": data, "ENA": 1, "ENB": 1, "RSTA": 1}
    width |= dict.fromkeys(("DOPA", "DIPA", "DOPB", "DIPB", "WEA"), data // 8)
    width |= {"WEB": data // 4, "RSTB": 1, "ADA": 14 + big + (big and not ultra)}
    width["ADB"] = width["ADA"]
    given = {"DOA_REG": 0, "DOB_REG": 0, **parameters}

    def make(name: str, steps: Sequence[tuple[Values, Values]]) -> Case:
        renamed = [
            ({ports.get(k, k): v for k, v in i.items()}, {ports.get(k, k): v for k, v in o.items()})
            for i, o in steps
        ]
        return Case(
            name=f"{cell}, {name}",
            family="xcup" if ultra else "xc7",
            cell=cell,
            parameters=given,
            clocks=("CLKARDCLK", "CLKBWRCLK"),
            width={ports.get(k, k): w for k, w in width.items()},
            steps=renamed,
        )

    return partial(make)


def swapped(name: str) -> str:
    """The name of port B's counterpart."""
    return {
        "DOUTADOUT": "DOUTBDOUT", "DOUTPADOUTP": "DOUTPBDOUTP", "DINADIN": "DINBDIN",
        "DINPADINP": "DINPBDINP", "DOADO": "DOBDO", "DOPADOP": "DOPBDOP", "DIADI": "DIBDI",
        "DIPADIP": "DIPBDIP",
    }[name]  # fmt: skip


INIT = int("".join(f"{k:02x}" for k in reversed(range(0x80, 0xA0))), 16)  # byte k is 0x80 + k
QUIET = {"ENA": ON, "ENB": OFF, "WEA": OFF, "WEB": OFF, "RSTA": OFF, "RSTB": OFF}


def block_ram_cases(cell: str) -> list[Case]:
    big = cell.startswith("RAMB36")
    wide = 72 if big else 36
    tdp: dict[str, int | str] = {}
    sdp: dict[str, int | str] = {} if cell.endswith("E2") else {"RAM_MODE": "SDP"}
    first = {"INIT_00": INIT, "INITP_00": 0b1010_0101}
    cases = []
    # "INIT_xx and INITP_xx": bits in a row; the address counts bits, parity bits go with bytes.
    for width, at, data, parity in [
        (1, 7, 1, 0), (2, 6, 0b10, 0), (4, 0x08, 0x1, 0), (4, 0x14, 0x8, 0), (9, 0x10, 0x82, 1),
        (9, 0x18, 0x83, 0), (18, 0x20, 0x8584, 0b10), (18, 0x30, 0x8786, 0b10),
    ][5 if big else 0:]:  # fmt: skip
        make = block_ram(cell, READ_WIDTH_A=width, **first, **tdp)
        outs = {"DOA": data} | ({"DOPA": parity} if width > 8 else {})
        cases.append(make(f"{width} bits at {at:#x}", [({**QUIET, "ADA": at}, outs)]))
    # "Write Modes": WRITE_FIRST shows the new data, READ_FIRST the old, NO_CHANGE neither.
    for mode, shown in [("WRITE_FIRST", 0x1234), ("READ_FIRST", 0x8180), ("NO_CHANGE", 0x8382)]:
        make = block_ram(cell, READ_WIDTH_A=18, WRITE_WIDTH_A=18, WRITE_MODE_A=mode, **first, **tdp)
        write = {"ADA": 0, "DIA": 0x1234, "DIPA": 0b01, "WEA": (1 << (4 if big else 2)) - 1}
        steps = [
            ({**QUIET, "ADA": 0x10}, {"DOA": 0x8382}),
            (write, {"DOA": shown}),
            ({"WEA": 0}, {"DOA": 0x1234, "DOPA": 0b01}),
            ({"ENA": OFF, "ADA": 0x10, "WEA": 3}, {"DOA": 0x1234}),  # without enable nothing moves
            ({"ENA": ON, "WEA": 0}, {"DOA": 0x8382}),
        ]
        cases.append(make(mode, steps))
    # "Byte-wide Write Enable"; port B reads behind what A wrote.
    make = block_ram(cell, READ_WIDTH_B=18, WRITE_WIDTH_A=18, **first, **tdp)
    steps = [
        ({**QUIET, "ADA": 0, "DIA": 0xCDEF, "DIPA": 3, "WEA": 2}, {}),
        ({"WEA": 0, "ENB": ON, "ADB": 0}, {"DOB": 0xCD80, "DOPB": 0b11}),
        ({"ADB": 0x10}, {"DOB": 0x8382, "DOPB": 0b01}),
    ]
    cases.append(make("byte enables", steps))
    # Other port, same edge: READ_FIRST promises the old data.
    make = block_ram(
        cell, READ_WIDTH_B=18, WRITE_WIDTH_A=18, WRITE_MODE_A="READ_FIRST", **first, **tdp
    )
    both = {**QUIET, "ENB": ON, "ADA": 0, "ADB": 0, "DIA": 0, "DIPA": 0, "WEA": 3}
    cases.append(make("both ports", [(both, {"DOB": 0x8180}), ({"WEA": 0}, {"DOB": 0})]))
    # "INIT_[A|B]", "SRVAL_[A|B]": at power-on, and after RSTRAM with the enable.
    make = block_ram(cell, READ_WIDTH_A=18, INIT_A=0x2ABCD, SRVAL_A=0x15A5A, **first, **tdp)
    if big:  # parity behind the 32 bits of data
        latches = {"INIT_A": 0b10 << 32 | 0xABCD, "SRVAL_A": 0b01 << 32 | 0x5A5A}
        make = block_ram(cell, READ_WIDTH_A=18, **latches, **first, **tdp)
    steps = [
        ({**QUIET, "ENA": OFF, "ADA": 0}, {"DOA": 0xABCD, "DOPA": 0b10}),
        ({"RSTA": ON}, {"DOA": 0xABCD}),
        ({"ENA": ON}, {"DOA": 0x5A5A, "DOPA": 0b01}),
        ({"RSTA": OFF}, {"DOA": 0x8180, "DOPA": 0b01}),
    ]
    cases.append(make("latches", steps))
    # Simple dual port: DI and DO of both ports side by side, a write enable for each byte.
    given: dict[str, int | str] = {"READ_WIDTH_A": wide, "WRITE_WIDTH_B": wide}
    given["WRITE_MODE_A"] = "READ_FIRST"
    make = block_ram(cell, **given, WRITE_MODE_B="READ_FIRST", **first, **sdp)
    half, low = (0x83828180, 0x87868584) if big else (0x8180, 0x8382)
    steps = [
        ({**QUIET, "ADA": 0}, {"DOA": half, "DOB": low}),
        ({"ENA": OFF, "ENB": ON, "ADB": 0, "DIA": 0x1111, "DIB": 0x2222, "WEB": 0b0110}
         | {"DIPA": 0, "DIPB": 0}, {"DOA": half}),
        ({"ENA": ON, "ENB": OFF}, {"DOA": 0x83001180, "DOB": low} if big
         else {"DOA": 0x1180, "DOB": 0x8322}),
    ]  # fmt: skip
    if big:  # bytes 1 and 2 are those of DIA
        steps[2] = (steps[2][0], {"DOA": 0x83001180, "DOB": low})
    cases.append(make("simple dual port", steps))
    return cases


def dp16kd(
    name: str, parameters: Mapping[str, int | str], steps: Sequence[tuple[Values, Values]]
) -> Case:
    """Steps say ADA, DIA, DOA ... as numbers; the cell has a port for each bit."""
    sizes = {f"{w}{p}": n for w, n in (("DI", 18), ("DO", 18), ("AD", 14)) for p in "AB"}

    def spread(values: Values) -> dict[str, int]:
        found: dict[str, int] = {}
        for key, value in values.items():
            if key in sizes:
                found |= {f"{key}{k}": value >> k & 1 for k in range(sizes[key])}
            else:
                found[key] = value
        return found

    made = [(spread(i), spread(o)) for i, o in steps]
    names = {p for ins, outs in made for p in (*ins, *outs)}
    return Case(
        name=f"DP16KD, {name}",
        family="ecp5",
        cell="DP16KD",
        parameters=parameters,
        clocks=("CLKA", "CLKB"),
        width=dict.fromkeys(names, 1),
        steps=made,
    )


ROWS = sum((0x10000 + 0x101 * k) << (20 * k) for k in range(16))  # row k: two lanes of k, bit 16
IDLE = dict.fromkeys(("WEA", "RSTA", "CSA0", "CSA1", "CSA2"), 0)
IDLE |= dict.fromkeys(("WEB", "RSTB", "CSB0", "CSB1", "CSB2"), 0)
IDLE |= {"CEA": ON, "CEB": OFF, "OCEA": ON, "OCEB": ON, "ADA": 0, "ADB": 0, "DIA": 0, "DIB": 0}


def dp16kd_cases() -> list[Case]:
    first = {"INITVAL_00": ROWS}
    row = [0x10000 + 0x101 * k for k in range(16)]  # 18 bits: lanes of 9
    cases = []
    # "Initialising": rows of 18 bits, 20 apart; a narrow port sees 9, 4, 2 or 1 bits of a lane.
    for width, at, value in [
        (18, 3 << 4, row[3]), (9, 3 << 4, row[3] & 0x1FF), (9, 3 << 4 | 8, row[3] >> 9),
        (4, 5 << 4 | 4, row[5] >> 4 & 15), (2, 7 << 4 | 2, row[7] >> 2 & 3), (1, 7 << 4 | 2, 1),
    ]:  # fmt: skip
        both = {"DATA_WIDTH_A": width, "DATA_WIDTH_B": width}
        outs = {"DOA": value}
        cases.append(
            dp16kd(f"{width} bits at {at:#x}", both | first, [({**IDLE, "ADA": at}, outs)])
        )
    # "Write modes": NORMAL keeps the output, WRITETHROUGH and READBEFOREWRITE as they are called.
    modes = [("NORMAL", row[1]), ("WRITETHROUGH", 0x2AAAA), ("READBEFOREWRITE", row[0])]
    for mode, shown in modes:
        steps = [
            ({**IDLE, "ADA": 1 << 4}, {"DOA": row[1]}),
            ({"ADA": 0b11, "WEA": ON, "DIA": 0x2AAAA}, {"DOA": shown}),
            ({"WEA": OFF, "ADA": 0}, {"DOA": 0x2AAAA}),
            ({"CEA": OFF, "ADA": 1 << 4}, {"DOA": 0x2AAAA}),
            ({"CEA": ON, "RSTA": ON}, {"DOA": 0}),
        ]
        cases.append(dp16kd(mode, {"WRITEMODE_A": mode, **first}, steps))
    # "Byte enable": with 18 bits the lowest two address lines.
    steps = [
        ({**IDLE, "ADA": 0b10, "WEA": ON, "DIA": 0x3FFFF}, {}),
        ({"WEA": OFF, "CEB": ON, "ADB": 0}, {"DOB": 0x3FE00 | row[0] & 0x1FF}),
    ]
    cases.append(dp16kd("byte enables", dict(first), steps))
    # "Pseudo dual-port", 36 bits: A writes both halves, B reads both; four byte enables.
    wide = {"DATA_WIDTH_A": 36, "DATA_WIDTH_B": 36, **first}
    steps = [
        ({**IDLE, "CEA": OFF, "CEB": ON, "ADB": 1 << 5}, {"DOA": row[2], "DOB": row[3]}),
        ({"CEB": OFF, "CEA": ON, "WEA": ON, "ADA": 1 << 5 | 0b1001, "DIA": 0, "DIB": 0}, {}),
        ({"CEA": OFF, "CEB": ON}, {"DOA": row[2] & 0x3FE00, "DOB": row[3] & 0x1FF}),
    ]
    return [*cases, dp16kd("36 bits", wide, steps)]


def gowin_cases() -> list[Case]:
    first8 = {"INIT_RAM_00": INIT}
    first9 = {"INIT_RAM_00": sum((0x100 * (k % 2) + 0x40 + k) << (9 * k) for k in range(32))}
    lanes = [0x100 * (k % 2) + 0x40 + k for k in range(32)]
    width = {"DO": 36, "DI": 36, "DOA": 18, "DOB": 18, "DIA": 18, "DIB": 18, "AD": 14}
    width |= {"ADA": 14, "ADB": 14, "BLKSEL": 3, "BLKSELA": 3, "BLKSELB": 3}
    one = ("WRE", "WREA", "WREB", "CE", "CEA", "CEB", "OCE", "OCEA", "OCEB")
    width |= dict.fromkeys((*one, "RESET", "RESETA", "RESETB"), 1)
    eight = width | {"DO": 32, "DI": 32, "DOA": 16, "DOB": 16, "DIA": 16, "DIB": 16}
    case = partial(Case, family="gowin")
    single = {"BLKSEL": 0, "WRE": OFF, "CE": ON, "OCE": ON, "RESET": OFF}
    cases = []
    for bits, at, value in [(8, 5 << 3, 0x85), (16, 2 << 4, 0x8584), (32, 1 << 5, 0x87868584)]:
        given = {"BIT_WIDTH": bits, **first8}
        cases.append(
            case(name=f"SP, {bits} bits", cell="SP", parameters=given, clocks=("CLK",),
                 width=eight, steps=[({**single, "AD": at}, {"DO": value})])
        )  # fmt: skip
    for mode, shown in [(0, lanes[2] | lanes[3] << 9), (1, 0x3FFFF), (2, lanes[0] | lanes[1] << 9)]:
        steps = [
            ({**single, "AD": 1 << 4}, {"DO": lanes[2] | lanes[3] << 9}),
            ({"AD": 0b11, "WRE": ON, "DI": 0x3FFFF}, {"DO": shown}),
            ({"WRE": OFF}, {"DO": 0x3FFFF}),
            ({"RESET": ON}, {"DO": 0}),
        ]
        given = {"BIT_WIDTH": 18, "WRITE_MODE": mode, **first9}
        cases.append(
            case(name=f"SPX9, mode {mode}", cell="SPX9", parameters=given, clocks=("CLK",),
                 width=width, steps=steps)
        )  # fmt: skip
    dual = {"BLKSELA": 0, "BLKSELB": 0, "CEA": OFF, "CEB": ON, "OCE": ON, "RESETA": 0, "RESETB": 0}
    steps = [
        ({**dual, "ADB": 1 << 5}, {"DO": 0x87868584}),
        ({"CEA": ON, "CEB": OFF, "ADA": 1 << 5 | 0b0110, "DI": 0x11223344}, {"DO": 0x87868584}),
        ({"CEA": OFF, "CEB": ON}, {"DO": 0x87223384}),
        ({"RESETB": ON}, {"DO": 0}),
    ]
    cases.append(
        case(name="SDPB", cell="SDPB", parameters=first8, clocks=("CLKA", "CLKB"), width=eight,
             steps=steps)
    )  # fmt: skip
    word = sum(lanes[4 + k] << (9 * k) for k in range(4))
    steps = [
        ({**dual, "ADB": 1 << 5}, {"DO": word}),
        ({"CEA": ON, "CEB": OFF, "ADA": 1 << 5 | 0b1000, "DI": 0}, {}),
        ({"CEA": OFF, "CEB": ON}, {"DO": word & (2**27 - 1)}),
    ]
    cases.append(
        case(name="SDPX9B", cell="SDPX9B", parameters=first9, clocks=("CLKA", "CLKB"), width=width,
             steps=steps)
    )  # fmt: skip
    true = {"BLKSELA": 0, "BLKSELB": 0, "CEA": ON, "CEB": ON, "OCEA": ON, "OCEB": ON}
    true |= {"WREA": OFF, "WREB": OFF, "RESETA": OFF, "RESETB": OFF}
    for cell, first, a, b, widths in [
        ("DPB", first8, 0x8180, 0x8382, eight),
        ("DPX9B", first9, lanes[0] | lanes[1] << 9, lanes[2] | lanes[3] << 9, width),
    ]:
        steps = [
            ({**true, "ADA": 0, "ADB": 1 << 4}, {"DOA": a, "DOB": b}),
            ({"WREB": ON, "ADB": 1 << 4 | 0b01, "DIB": 0}, {"DOA": a, "DOB": b}),
            ({"WREB": OFF, "ADA": 1 << 4}, {"DOA": b & ~(0x1FF if cell == "DPX9B" else 0xFF)}),
        ]
        cases.append(
            case(name=cell, cell=cell, parameters=first, clocks=("CLKA", "CLKB"), width=widths,
                 steps=steps)
        )  # fmt: skip
    return cases


def all_cases() -> list[Case]:
    rams = ("RAMB18E1", "RAMB36E1", "RAMB18E2", "RAMB36E2")
    cases = [dsp48e2(), mult18x18d(), *(gowin_multiplier(n) for n in (9, 18, 36))]
    cases += [case for cell in rams for case in block_ram_cases(cell)]
    return [*cases, *dp16kd_cases(), *gowin_cases()]


@pytest.mark.needs_sim
def test_models_behave_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = all_cases()
    wrong = replace(cases[0], name="wrong on purpose", steps=[(cases[0].steps[0][0], {"P": 16})])
    assert run_cases([*cases, wrong], monkeypatch) == [
        "wrong on purpose, cycle 0: P is 00000000000f, not 000000000010"
    ]


def test_every_model_has_a_case() -> None:
    tested = {(c.family, c.cell) for c in all_cases()}
    paths = [p for p in cells_folder().glob("*/*.v") if p.parent.name != "common"]
    assert {(p.parent.name, p.stem) for p in paths} == tested


NO_REGISTERS = {"AREG": 0, "BREG": 0, "MREG": 0, "PREG": 0}
REFUSED = [
    ("xcup", "DSP48E2", {**NO_REGISTERS, "PREG": 1}, "AREG, BREG, MREG, PREG are 0 0 0 1"),
    ("xcup", "RAMB18E2", {"DOA_REG": 1, "DOB_REG": 0}, "DOA_REG, DOB_REG are 1 0"),
    (
        "xcup",
        "RAMB36E2",
        {"DOA_REG": 0, "DOB_REG": 0, "EN_ECC_READ": "TRUE"},
        "this model has no ECC",
    ),
    ("xc7", "RAMB18E1", {"READ_WIDTH_A": 36}, "SDP is for 36 bits"),
    ("xc7", "RAMB36E1", {"WRITE_MODE_A": "NOTHING"}, "WRITE_MODE_A is NOTHING"),
    ("ecp5", "DP16KD", {"REGMODE_B": "OUTREG"}, "REGMODE_A, REGMODE_B are NOREG OUTREG"),
    ("ecp5", "MULT18X18D", {"REG_OUTPUT_CLK": "CLK0"}, "NONE NONE NONE CLK0"),
    ("gowin", "SDPB", {"READ_MODE": 1}, "READ_MODE is 1"),
    ("gowin", "SP", {"BIT_WIDTH": 9}, "BIT_WIDTH is 9"),
    ("gowin", "MULT9X9", {"OUT_REG": 1}, "this model has no registers"),
]


@pytest.mark.needs_sim
@pytest.mark.parametrize(("family", "cell", "parameters", "said"), REFUSED)
def test_a_mode_that_is_not_modelled_is_refused(
    family: str, cell: str, parameters: dict[str, int | str], said: str
) -> None:
    text = refusal(family, cell, parameters)
    assert text.startswith(f"{cell}: ")
    assert said in text
