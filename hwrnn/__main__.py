# SPDX-License-Identifier: Apache-2.0
"""`python -m hwrnn` is the same as `hwrnn`."""

from __future__ import annotations

import sys

from hwrnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
