# SPDX-License-Identifier: Apache-2.0
"""One test for each mutant of a contract class."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("op_contract")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mutant" in metafunc.fixturenames:
        metafunc.parametrize("mutant", metafunc.cls.mutants, ids=lambda m: m.message[:50])
