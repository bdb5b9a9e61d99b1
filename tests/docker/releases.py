"""The profile that every release is built from, so that its steps are built once."""

from __future__ import annotations

import os

DESKTOP = "profile: 1\nextends: [_desktop-zh]\nbase: {os: RELEASE}\n"
SSH_ONLY = "profile: 1\nbase: {os: RELEASE}\n"

_CHOSEN = os.environ.get("IMAGEKIT_RELEASES", "debian13").split(",")


def chosen(release: str) -> bool:
    """Whether ``IMAGEKIT_RELEASES`` asks for a release that takes minutes."""
    return _CHOSEN == ["all"] or release in _CHOSEN
