"""Versions as text, compared by their numbers."""

from __future__ import annotations

import re
from functools import cache

_VERSION = re.compile(r"[0-9]+(\.(post)?[0-9]+)*", re.ASCII)


@cache
def key(version: str) -> tuple[int, ...]:
    """What to sort by: ``"3.10"`` after ``"3.9"``; an empty version before all others.

    Post-releases (PEP 440, "Post-releases") come after what they mend.

    Raises:
        ValueError: the text is not a version.
    """
    if not version:
        return ()
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is not a version")
    return tuple(int(part.removeprefix("post")) for part in version.split("."))


def at_least(version: str, floor: str) -> bool:
    """Whether a version reaches a floor; missing parts count as zero, no floor is reached."""
    left, right = key(version), key(floor)
    width = max(len(left), len(right))
    return left + (0,) * (width - len(left)) >= right + (0,) * (width - len(right))


def within(version: str, wanted: str) -> bool:
    """Whether ``version`` is what ``wanted`` says: ``12.2`` is within ``12`` and ``12.2``."""
    return not wanted or version == wanted or version.startswith(f"{wanted}.")


def newest_first(versions: tuple[str, ...]) -> tuple[str, ...]:
    """The versions, each once, the highest first."""
    return tuple(sorted(set(versions), key=key, reverse=True))
