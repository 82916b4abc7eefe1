# SPDX-License-Identifier: Apache-2.0
"""Resources of a design: models of library modules, fitted to netlists by `make calibrate`."""
