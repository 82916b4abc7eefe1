# SPDX-License-Identifier: Apache-2.0
"""Emitters: Design -> FileSet, for HLS C++ and for SystemVerilog. Same design, same bytes."""
