"""The report: every check's result, and its JSON form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from imagekit.checks.check import Attachment, Data

VERSION = 1
"""Version of the report's JSON form."""

Status: TypeAlias = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check.

    Attributes:
        name: the check's name.
        status: how it ended.
        reason: why it failed or was skipped; empty when it passed.
        seconds: how long it took, the wait for the service included.
        data: what it saw.
    """

    name: str
    status: Status
    reason: str = ""
    seconds: float = 0.0
    data: Data = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON values; seconds are rounded to milliseconds."""
        return {
            "name": self.name,
            "status": self.status,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "data": {name: _plain(value) for name, value in self.data.items()},
        }


def _plain(value: object) -> object:
    """An attachment as JSON tells of it; anything else as it is."""
    if not isinstance(value, Attachment):
        return value
    return {"file": value.name, "type": value.media_type, "bytes": len(value.content)}


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a run, in the order of the registry.

    Attributes:
        image: the reference that was asked for.
        image_id: what it meant, ``sha256:…``.
        profile: the profile's name.
        plan: the plan's digest.
        engine: the engine's name and version.
        seconds: the whole run, the container's start and removal included.
        results: one for each check.
        log: the container's last lines when something failed, otherwise empty.
    """

    image: str
    image_id: str
    profile: str
    plan: str
    engine: str
    seconds: float
    results: tuple[Result, ...]
    log: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing failed; what was skipped does not count."""
        return all(result.status != "failed" for result in self.results)

    def to_json(self) -> str:
        """The report as indented JSON, version 1.

        ``{"version": 1, "image": …, "profile": …, "ok": …, "checks": [{"name": …,
        "status": "passed"|"failed"|"skipped", "reason": …, "seconds": …, "data": {…}}]}``
        and, beyond what the design promises, ``image_id``, ``plan``, ``engine``,
        ``seconds`` and ``log`` as in the attributes. ``data`` differs from check to
        check; that of ``restart`` holds results of the same form in ``checks``. An
        attachment is told as ``{"file", "type", "bytes"}``.
        """
        return json.dumps(
            {
                "version": VERSION,
                "image": self.image,
                "image_id": self.image_id,
                "profile": self.profile,
                "plan": self.plan,
                "engine": self.engine,
                "ok": self.ok,
                "seconds": round(self.seconds, 3),
                "checks": [result.as_dict() for result in self.results],
                "log": self.log,
            },
            ensure_ascii=False,
            indent=2,
        )
