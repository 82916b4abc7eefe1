# SPDX-License-Identifier: Apache-2.0
"""The dataflow design: built from the integer graph, read by the back ends and the estimate."""
