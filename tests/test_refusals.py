# SPDX-License-Identifier: Apache-2.0
"""Every refusal of the front end is in the docs, and names a remedy."""

from __future__ import annotations

import refusals


def test_the_page_is_what_the_source_says() -> None:
    assert refusals.PAGE.read_text(encoding="utf-8") == refusals.page(), (
        "run python tests/refusals.py"
    )


def test_every_refusal_names_a_remedy() -> None:
    assert [r for r in refusals.refusals() if not r.remedy] == []
    assert len(refusals.refusals()) > 80
