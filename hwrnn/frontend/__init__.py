# SPDX-License-Identifier: Apache-2.0
"""From torch and QONNX to the integer graph: export, read, lower, integerise."""
