"""How the resolver's parts say what does not fit."""

from __future__ import annotations

from typing import Protocol

from imagekit.document import Mark


class Refuse(Protocol):
    """Notes a problem: where it is, what it is, and what would be right."""

    def __call__(self, mark: Mark, what: str, hint: str) -> None:
        """Note it."""
