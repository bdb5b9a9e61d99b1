"""What tests on a real engine need to say: the profile, and what must not be missing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import NoReturn

import pytest

PROFILE = "debian12-desktop"

REQUIRED = frozenset(filter(None, os.environ.get("IMAGEKIT_REQUIRE", "").split(",")))
"""``IMAGEKIT_REQUIRE=engine,browser,docker-cli``: what fails instead of skipping when missing."""

Cli = Callable[..., subprocess.CompletedProcess[str]]
"""Runs ``imagekit`` with arguments; ``check=False`` to look at failures oneself."""


def missing(what: str, reason: str) -> NoReturn:
    """Skip, or fail where the thing is required."""
    if what in REQUIRED:
        pytest.fail(f"{what} is required: {reason}", pytrace=False)
    pytest.skip(reason)
