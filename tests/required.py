"""What a test needs of its machine: skipped without it, or failed where it must be there.

``IMAGEKIT_REQUIRE=engine,browser,docker-cli``: what fails instead of skipping when missing.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

REQUIRED = frozenset(filter(None, os.environ.get("IMAGEKIT_REQUIRE", "").split(",")))


def missing(what: str, reason: str) -> NoReturn:
    """Skip, or fail where the thing is required."""
    if what in REQUIRED:
        pytest.fail(f"{what} is required: {reason}", pytrace=False)
    pytest.skip(reason)
