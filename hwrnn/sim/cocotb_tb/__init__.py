# SPDX-License-Identifier: Apache-2.0
"""Testbenches that run inside a simulator."""
