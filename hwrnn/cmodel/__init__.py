# SPDX-License-Identifier: Apache-2.0
"""The Python C-model: the oracle that every other engine has to equal."""
