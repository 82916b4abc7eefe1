# SPDX-License-Identifier: Apache-2.0
"""A design on a board, over a serial port: `connect(port)`, then `infer(x)`.

    with hwrnn.device.connect("/dev/ttyUSB1") as dev:
        y = dev.infer(x)

The board's bitstream holds the shell of docs/uart.md and tells all that is needed to use it: no
project and no model is read, and nothing of the compiler is imported.
"""

from hwrnn.device.device import Device, Status, connect
from hwrnn.device.link import Health
from hwrnn.errors import DeviceError

__all__ = ["Device", "DeviceError", "Health", "Status", "connect"]
