"""What the HTML page shows, as plain values: the template only writes them out."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagekit.checks.check import Attachment
from imagekit.checks.environment import COMPARED
from imagekit.checks.forms.facts import facts, versions
from imagekit.checks.forms.text import shown
from imagekit.checks.report import INNER, SIMULATED, Failure, Report, Result

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What the page shows itself; raster images only, as SVG may hold scripts."""

_MOST_IN_A_VALUE = 20_000
_NARROWEST = 0.4  # per cent of the bar: what took no time is to be seen, too


@dataclass(frozen=True, slots=True)
class Bar:
    """When something began and how long it took, in per cent of the run."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the page shows it; ``source`` is a ``data:`` address."""

    name: str
    check: str
    source: str


@dataclass(frozen=True, slots=True)
class Row:
    """A check in the table; ``rounds`` are what it asked again, by when."""

    name: str
    status: str
    reason: str
    failure: Failure | None
    seconds: float
    started: float
    bar: Bar
    simulated: str
    data: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    rounds: tuple[tuple[str, tuple[Row, ...]], ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: each value with the sessions that have it; None where it is not set."""

    name: str
    values: tuple[tuple[str | None, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Environment:
    """The comparison of the sessions."""

    sessions: tuple[str, ...]
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows beside the report's own fields."""

    rows: tuple[Row, ...]
    pictures: tuple[Picture, ...]
    environment: Environment | None
    versions: tuple[tuple[str, str, str], ...]
    facts: tuple[tuple[str, str], ...]
    log: str


def view(report: Report) -> View:
    """The page's values; all texts are made fit to be shown, none is escaped."""
    last = max((result.started + result.seconds for result in report.results), default=0.0)
    return View(
        rows=tuple(_row(result, last) for result in report.results),
        pictures=tuple(_pictures(report)),
        environment=_environment(report),
        versions=tuple(versions(report)),
        facts=tuple(facts(report)),
        log=shown(report.log),
    )


def attachments(report: Report) -> Iterator[tuple[Result, Attachment]]:
    """All attachments with the results that hold them."""
    for result in report.results:
        for value in result.data.values():
            if isinstance(value, Attachment):
                yield result, value


def _row(result: Result, last: float) -> Row:
    hidden = {SIMULATED, COMPARED}
    return Row(
        name=shown(result.name),
        status=result.status,
        reason=shown(result.reason, _MOST_IN_A_VALUE),
        failure=_shown_failure(result.failure),
        seconds=result.seconds,
        started=result.started,
        bar=_bar(result, last),
        simulated=shown(result.simulated),
        data=tuple(
            (shown(name), _value(value))
            for name, value in result.data.items()
            if name not in hidden and not name.startswith(INNER)
            if not isinstance(value, Attachment)
        ),
        files=tuple(file.name for file in result.data.values() if isinstance(file, Attachment)),
        rounds=tuple(
            (shown(when), tuple(_told(each, result) for each in again))
            for when, again in result.rounds().items()
        ),
    )


def _told(told: Mapping[str, Any], outer: Result) -> Row:
    """A result that is there as JSON tells of it: of what a disruption asked again."""
    parts = told.get("failure")
    result = Result(
        told["name"],
        told["status"],
        told["reason"],
        told["seconds"],
        told["data"],
        Failure(**parts) if parts else None,
        told.get("started", 0.0),
    )
    return _row(result, outer.seconds)


def _shown_failure(failure: Failure | None) -> Failure | None:
    if failure is None:
        return None
    parts = (failure.asked, failure.got, failure.look_at)
    return Failure(*(shown(part, _MOST_IN_A_VALUE) for part in parts))


def _bar(result: Result, last: float) -> Bar:
    if last <= 0:
        return Bar(0.0, _NARROWEST)
    left = min(100 * result.started / last, 100 - _NARROWEST)
    width = min(max(100 * result.seconds / last, _NARROWEST), 100 - left)
    return Bar(round(left, 2), round(width, 2))


def _value(value: object) -> str:
    """A value of a check's data as text."""
    return shown("\n".join(_lines(value)), _MOST_IN_A_VALUE) or "–"


def _lines(value: object) -> Iterator[str]:
    """A value as people write it down: names before values, what is inside indented."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _titled(f"{name}:", list(_lines(inner)))
    elif isinstance(value, (list, tuple)):
        if any(isinstance(item, (Mapping, list, tuple)) for item in value):
            for item in value:
                yield from _titled("-", list(_lines(item)))
        else:
            yield ", ".join(map(str, value))
    elif isinstance(value, bool):
        yield "yes" if value else "no"
    else:
        yield str(value)


def _titled(title: str, lines: list[str]) -> Iterator[str]:
    """Lines under a title, or beside it when there is one."""
    if title == "-" or len(lines) == 1:
        yield f"{title} {lines[0]}" if lines else title
        lines = lines[1:]
    else:
        yield title
    yield from (f"  {line}" for line in lines)


def _pictures(report: Report) -> Iterator[Picture]:
    for result, file in attachments(report):
        if file.media_type in PICTURES:
            data = base64.b64encode(file.content).decode()
            yield Picture(file.name, shown(result.name), f"data:{file.media_type};base64,{data}")


def _environment(report: Report) -> Environment | None:
    for result in report.results:
        found = result.data.get(COMPARED)
        if isinstance(found, Mapping) and found:
            sessions = dict.fromkeys(where for values in found.values() for where in values)
            return Environment(
                tuple(map(shown, sessions)),
                tuple(_variable(name, values) for name, values in found.items()),
            )
    return None


def _variable(name: str, values: Mapping[str, str | None]) -> Variable:
    grouped: dict[str | None, list[str]] = {}
    for where, value in values.items():
        said = None if value is None else shown(value, _MOST_IN_A_VALUE)
        grouped.setdefault(said, []).append(shown(where))
    return Variable(shown(name), tuple((each, tuple(where)) for each, where in grouped.items()))
