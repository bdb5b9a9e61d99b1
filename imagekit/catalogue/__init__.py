"""The shipped data on what exists and what fits, and its look-ups.

Authored as YAML beside this file; every row has a source and a date.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class OsRelease:
    """An operating system release that images can be built on.

    Attributes:
        id: the name that profiles use.
        image: reference of the base image in a registry.
        suite: the archive's codename.
        bootstrap: the ``debootstrap`` script's family, ``debian`` or ``ubuntu``.
        packages: apt packages by feature, for instance ``packages["sshd"]``.
        source: where the row's facts come from.
        date: the day they were checked, ISO 8601.
    """

    id: str
    image: str
    suite: str
    bootstrap: str
    packages: dict[str, tuple[str, ...]]
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Language:
    """A locale that images can speak.

    Attributes:
        lang: the value of ``LANG``.
        fonts: apt packages of fonts that its script needs.
    """

    lang: str
    fonts: tuple[str, ...]


@cache
def os_releases() -> dict[str, OsRelease]:
    """All releases by id, the one that the resolver prefers first."""
    return {
        row["id"]: OsRelease(
            id=row["id"],
            image=row["image"],
            suite=row["suite"],
            bootstrap=row["bootstrap"],
            packages={feature: tuple(names) for feature, names in row["packages"].items()},
            source=row["source"],
            date=row["date"],
        )
        for row in _load("os.yaml")
    }


@cache
def languages() -> dict[str, Language]:
    """All locales by the value of ``LANG``."""
    return {
        row["lang"]: Language(lang=row["lang"], fonts=tuple(row["fonts"]))
        for row in _load("locales.yaml")
    }


def desktop_sessions(release: OsRelease) -> tuple[str, ...]:
    """The desktop sessions that a release has packages for."""
    prefix = "desktop."
    return tuple(
        feature.removeprefix(prefix) for feature in release.packages if feature.startswith(prefix)
    )


def _load(name: str) -> list[dict[str, Any]]:
    text = (Path(__file__).parent / name).read_text("utf-8")
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # text only, no implicit types
    rows: list[dict[str, Any]] = yaml.load(text, Loader=loader)  # noqa: S506  (builds text only)
    return rows
