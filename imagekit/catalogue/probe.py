"""What an answer from the outside means for a row: it holds, or how it should read.

Nothing here asks anybody; ``imagekit.catalogue_check`` does.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import Field, fields, replace
from typing import Any

from imagekit.catalogue.rows import BaseImage, CudaWheels, FrameworkBuild, Mirror, Row
from imagekit.catalogue.versions import key, newest_first, within

_ASKABLE = {"present": True, "seen": True, "named": False, "deleted": False, "missing": False}

Wheels = Mapping[str, Collection[str]]
"""Versions of Python, and the versions of a distribution that each can install."""


def label(row: Row) -> str:
    """A row in a few words: its identifying fields."""
    if isinstance(row, BaseImage):
        return f"{row.image}:{row.tag}"
    if isinstance(row, FrameworkBuild):
        return f"{row.name} {row.version}" + (f" CUDA {row.cuda}" if row.cuda else " without CUDA")
    first = [getattr(row, item.name) for item in fields(row)[3:5]]  # after what all rows have
    return " ".join(value for value in first if value and isinstance(value, str))


def distribution(requirement: str) -> tuple[str, str]:
    """A requirement's distribution and version: ``nvidia-cublas-cu12``, ``12.4.*``."""
    name, _, version = requirement.partition("==")
    return name.partition("[")[0].strip(), version.partition(";")[0].strip()


def framework(row: FrameworkBuild, wheels: Wheels, today: str) -> FrameworkBuild:
    """The row as the index has it; the same row when it holds.

    Args:
        row: the row.
        wheels: what the index has of the framework's distribution.
        today: the day it was asked, ISO 8601.
    """
    line = {
        version
        for versions in wheels.values()
        for version in map(_public, versions)
        if within(version, row.version) and _is_final(version)
    }
    if not line:
        return row
    newest = newest_first(tuple(line))[0]
    having = {
        version: tuple(
            python
            for python in sorted(wheels, key=key)
            if version in {_public(each) for each in wheels[python]}
        )
        for version in line
    }
    if newest == row.release and set(having[newest]) == set(row.pythons):
        return row
    older = dict(row.releases)
    if newest != row.release:
        older[row.release] = " ".join(having.get(row.release, row.pythons))
    return replace(
        row,
        release=newest,
        pythons=having[newest],
        releases=tuple(older.items()),
        date=today,
    )


def wheels_missing(row: CudaWheels, known: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The requirements of a row that an index cannot serve.

    Args:
        row: the row.
        known: the versions that the index has of each distribution.
    """
    missing = []
    for requirement in (*row.runtime, *row.devel, *row.cudnn):
        name, version = distribution(requirement)
        if name in known and not any(_serves(each, version) for each in known[name]):
            missing.append(requirement)
    return tuple(missing)


def image(row: BaseImage, there: bool, today: str) -> BaseImage:
    """The row after a registry said whether it has the tag."""
    if _ASKABLE.get(row.status) is there:
        # Named by somebody and not there: now it is known to be missing.
        return replace(row, status="missing", date=today) if row.status == "named" else row
    return replace(row, status="present" if there else "missing", date=today)


def is_askable(row: BaseImage) -> bool:
    """Whether a registry can say anything of a row: not of patterns, nor of broken images."""
    return "*" not in row.tag and row.status in _ASKABLE


def mirror(row: Mirror, answers: bool, today: str) -> Mirror:
    """The row after its address answered, or said that it has nothing."""
    if answers:
        return row if row.status == "live" else replace(row, status="live", date=today)
    return row if row.status == "closed" else replace(row, status="closed", date=today)


def as_yaml(row: Row) -> str:
    """A row as it would be authored: without empty fields, a key a line."""
    own = [field for field in fields(row) if field.name not in {"source", "date", "note"}]
    common = [field for field in fields(row) if field.name in {"source", "date", "note"}]
    shown = [item for item in (*own, *common) if _value(row, item) not in ("", (), {}, False)]
    lines = [f"{item.name}: {_scalar(_value(row, item))}" for item in shown]
    return "\n".join(("- " if not i else "  ") + line for i, line in enumerate(lines))


def _value(row: Row, field: Field[Any]) -> Any:
    return getattr(row, field.name)


def _scalar(value: Any) -> str:
    """JSON, which is YAML."""
    return json.dumps(value, ensure_ascii=False)


def _public(version: str) -> str:
    """A version without its local part: ``2.6.0`` of ``2.6.0+cu126``."""
    return version.partition("+")[0]


def _is_final(version: str) -> bool:
    """Whether a version is a release, not one before it."""
    try:
        return bool(key(version))
    except ValueError:
        return False


def _serves(version: str, wanted: str) -> bool:
    return within(_public(version), wanted.removesuffix(".*")) if wanted else True
