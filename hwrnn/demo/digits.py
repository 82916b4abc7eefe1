# SPDX-License-Identifier: Apache-2.0
"""The handwritten digits of scikit-learn, read row by row: 8 steps of 8 pixels, 10 classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwrnn.errors import ToolError

DARKEST = 16  # a pixel counts dark dots: 0..16
TEST_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Images (n, 8, 8), from 0 to 1 in float32, and their classes; test images are never seen in
    training.
    """

    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]


def load_digits(seed: int = 0) -> Digits:
    """The 1,797 digits, a quarter of each class for the test. Raises ToolError."""
    try:
        from sklearn.datasets import load_digits as fetch
        from sklearn.model_selection import train_test_split
    except ImportError as fault:
        raise ToolError(
            "hwrnn demo", f"needs scikit-learn: {fault}", "pip install 'hwrnn[train]'"
        ) from fault
    data = fetch()
    images = (data.images / DARKEST).astype(np.float32)
    classes = data.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        images, classes, test_size=TEST_SHARE, random_state=seed, stratify=classes
    )
    return Digits(train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y)


def accuracy(scores: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
    """Share of the rows of `scores` (n, 10) whose largest entry is that of the class."""
    return float((scores.argmax(axis=1) == classes).mean())
