# SPDX-License-Identifier: Apache-2.0
"""Simulation: finds the tools, compiles what the back ends emit, runs it, counts its cycles."""
