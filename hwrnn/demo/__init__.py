# SPDX-License-Identifier: Apache-2.0
"""`hwrnn demo`: train a small LSTM on real data, build it, and prove every engine equal."""

from hwrnn.demo.result import DemoResult
from hwrnn.demo.run import run_demo

__all__ = ["DemoResult", "run_demo"]
