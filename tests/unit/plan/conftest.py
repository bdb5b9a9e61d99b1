"""Profiles that are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagekit.errors import InputError
from imagekit.plan.model import Plan


@pytest.fixture
def refused(planned: Callable[[str], Plan]) -> Callable[[str], list[str]]:
    """All messages that a profile's text is refused with."""

    def messages(text: str) -> list[str]:
        with pytest.raises(InputError) as error:
            planned(text)
        return [str(message) for message in error.value.messages]

    return messages
