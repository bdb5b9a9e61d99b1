"""Folders of the user's own (XDG Base Directory Specification)."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """The user's home; of an account without one, a folder that there is not."""
    try:
        return Path.home()
    except RuntimeError:  # no HOME, and no such user id, as in containers with --user
        return Path("/nonexistent")


def config() -> Path:
    """What the user has set for imagekit."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or folder() / ".config") / "imagekit"


def cache() -> Path:
    """What imagekit can fetch again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or folder() / ".cache") / "imagekit"
