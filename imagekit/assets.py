"""Where the shipped templates and profiles lie.

In a checkout they are ``templates/`` and ``profiles/`` beside the package; in an
installed wheel they lie inside it, below ``_assets/``.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder of shipped data called ``name``: ``templates`` or ``profiles``."""
    installed = _PACKAGE / "_assets" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
