# SPDX-License-Identifier: Apache-2.0
"""Transforms: functions Graph -> Graph, listed in `hwrnn.transforms.pipeline`."""
