# SPDX-License-Identifier: Apache-2.0
"""Back ends: a Design becomes a set of files. Nothing here computes what the design already says."""
