"""The report: every check's result, the image that was asked, and its JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from imagekit.checks.check import Attachment, CheckFailedError, Data
from imagekit.names import RESOLVED_LABEL

if TYPE_CHECKING:
    from imagekit.engine.images import ImageFacts

VERSION = 1
"""Version of the report's JSON form; ``schema/report.json`` describes it."""

SIMULATED = "simulated"
"""The key of a result's data that says what of the hardware was only simulated."""

INNER = "checks"
"""How keys of a disruption's data begin that hold the results of what was asked after it."""

Status: TypeAlias = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure in its parts; see ``CheckFailedError``."""

    asked: str
    got: str
    look_at: str = ""

    def as_dict(self) -> dict[str, str]:
        """The parts as JSON values."""
        return {"asked": self.asked, "got": self.got, "look_at": self.look_at}


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check.

    Attributes:
        name: the check's name.
        status: how it ended.
        reason: why it failed or was skipped; empty when it passed.
        seconds: how long it took, the wait for the service included.
        data: what it saw.
        failure: the reason in its parts, when the check itself found the failure.
        started: seconds from the beginning of its round to its own.
    """

    name: str
    status: Status
    reason: str = ""
    seconds: float = 0.0
    data: Data = field(default_factory=dict)
    failure: Failure | None = None
    started: float = 0.0

    @property
    def simulated(self) -> str:
        """What of the hardware was only simulated; empty for a result that counts."""
        return str(self.data.get(SIMULATED, "") or "")

    def rounds(self) -> dict[str, tuple[dict[str, Any], ...]]:
        """What a disruption asked again, as JSON tells of results.

        By when: nothing for ``checks`` in its data, ``after kill`` for ``checks_after_kill``.
        """
        found: dict[str, tuple[dict[str, Any], ...]] = {}
        for key in self.data:
            head, *when = key.split("_")
            value = self.data[key]
            if head == INNER and isinstance(value, (list, tuple)):
                found[" ".join(when)] = tuple(value)
        return found

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON values; seconds are rounded to milliseconds."""
        return {
            "name": self.name,
            "status": self.status,
            "reason": self.reason,
            "failure": self.failure.as_dict() if self.failure else None,
            "started": round(self.started, 3),
            "seconds": round(self.seconds, 3),
            "data": _plain(self.data),
        }


def failed(name: str, error: CheckFailedError, seconds: float, data: Data | None = None) -> Result:
    """The result of a check that found a failure; ``data`` goes before the error's own."""
    parts = Failure(error.asked, error.got, error.look_at)
    return Result(name, "failed", str(error), seconds, {**(data or {}), **error.data}, parts)


def _plain(value: object) -> object:
    """A value with its attachments as JSON tells of them."""
    if isinstance(value, Attachment):
        return {"file": value.name, "type": value.media_type, "bytes": len(value.content)}
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a run, in the order of the registry.

    Attributes:
        image: the reference that was asked for.
        image_id: what it meant, ``sha256:…``.
        profile: the profile's name; empty where none says what to expect.
        plan: its plan's digest; empty where there is no profile.
        engine: the engine's name and version.
        seconds: the whole run, the container's start and removal included.
        results: one for each check.
        log: the container's last lines when something failed, otherwise empty.
        store: where the engine keeps images: ``containerd``, or a storage driver's name.
        tested: when the run began, RFC 3339 in UTC; empty when that is not known.
        facts: what the engine says of the image; None when that is not known.
    """

    image: str
    image_id: str
    profile: str
    plan: str
    engine: str
    seconds: float
    results: tuple[Result, ...]
    log: str = ""
    store: str = ""
    tested: str = ""
    facts: ImageFacts | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing failed; what was skipped does not count."""
        return all(result.status != "failed" for result in self.results)

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels, sorted, without the plan, which is long."""
        labels = self.facts.labels if self.facts else {}
        return {name: labels[name] for name in sorted(labels) if name != RESOLVED_LABEL}

    def of(self, status: Status) -> tuple[Result, ...]:
        """The results that ended like this."""
        return tuple(result for result in self.results if result.status == status)

    def to_json(self) -> str:
        """The report as indented JSON, version 1; ``schema/report.json`` says its shape.

        ``data`` differs from check to check; that of a disruption holds results of the
        same form in ``checks``. An attachment is told as ``{"file", "type", "bytes"}``.
        """
        text = json.dumps(
            {
                "version": VERSION,
                "image": self.image,
                "image_id": self.image_id,
                "profile": self.profile,
                "plan": self.plan,
                "engine": self.engine,
                "store": self.store,
                "tested": self.tested,
                "ok": self.ok,
                "seconds": round(self.seconds, 3),
                "facts": self._facts(),
                "checks": [result.as_dict() for result in self.results],
                "log": self.log,
            },
            ensure_ascii=False,
            indent=2,
        )
        # A container's JSON may have said half of a surrogate pair, which UTF-8 has not.
        return text.encode(errors="replace").decode()

    def _facts(self) -> dict[str, Any] | None:
        """The facts as JSON values."""
        facts = self.facts
        if facts is None:
            return None
        return {
            "size": facts.size,
            "created": facts.created,
            "platform": f"{facts.os}/{facts.architecture}",
            "tags": list(facts.tags),
            "labels": self.labels,
        }
