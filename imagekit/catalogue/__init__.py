"""The shipped data on what exists and what fits, and its look-ups.

Authored as YAML beside this file; every row has a source and a date.
"""

from __future__ import annotations

from functools import cache

from imagekit.catalogue.rows import (
    Architecture,
    BaseImage,
    CondaPython,
    CudaConda,
    CudaRecipe,
    CudaVersion,
    CudaWheels,
    DriverBranch,
    FrameworkBuild,
    Gpu,
    Language,
    Mirror,
    OsRelease,
)
from imagekit.catalogue.tables import table

__all__ = [
    "Architecture",
    "BaseImage",
    "CondaPython",
    "CudaConda",
    "CudaRecipe",
    "CudaVersion",
    "CudaWheels",
    "DriverBranch",
    "FrameworkBuild",
    "Gpu",
    "Language",
    "Mirror",
    "OsRelease",
    "desktop_sessions",
    "languages",
    "os_releases",
    "table",
]


@cache
def os_releases() -> dict[str, OsRelease]:
    """All releases by id, the one that the resolver prefers first."""
    return {row.id: row for row in table(OsRelease)}


@cache
def languages() -> dict[str, Language]:
    """All locales by the value of ``LANG``."""
    return {row.lang: row for row in table(Language)}


def desktop_sessions(release: OsRelease) -> tuple[str, ...]:
    """The desktop sessions that a release has packages for."""
    prefix = "desktop."
    return tuple(
        feature.removeprefix(prefix) for feature in release.packages if feature.startswith(prefix)
    )
