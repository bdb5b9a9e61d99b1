"""The report as JUnit XML, of the elements that GitLab, Jenkins and GitHub's reporters read.

There is no standard. Kept to are Jenkins's schema
(https://github.com/jenkinsci/xunit-plugin, types/model/xsd/junit-10.xsd)
and what GitLab says that it parses (https://docs.gitlab.com/ci/testing/unit_test_reports/):
of test cases with the same name it takes the first only, so that what a disruption asks again
is called ``restart: sshd``, and what is in ``checks_after_kill`` ``restart after kill: sshd``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from imagekit.checks.forms.text import last_lines, shown
from imagekit.checks.report import SIMULATED, Report, Result

_LOG_LINES = 50
"""Lines of the container's log beside each failure; the suite has all of it."""

_MOST_IN_ATTRIBUTE = 2000


def to_junit(report: Report) -> bytes:
    """The report as one test suite, UTF-8.

    What a disruption asked again are test cases of their own, after the disruption's.
    """
    cases = list(_cases(report))
    name = f"imagekit {report.profile or report.image}"
    counts = {
        "name": shown(name),
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "time": f"{report.seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", counts)
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    if report.tested:
        # ISO 8601 without a zone, as the schema has it; in UTC.
        moment = datetime.fromisoformat(report.tested)
        suite.set("timestamp", moment.replace(tzinfo=None).isoformat())
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in _properties(report):
        ElementTree.SubElement(properties, "property", {"name": key, "value": shown(value)})
    suite.extend(cases)
    if report.log:
        ElementTree.SubElement(suite, "system-out").text = shown(report.log)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _properties(report: Report) -> Iterator[tuple[str, str]]:
    yield "image", report.image
    yield "image.id", report.image_id
    yield "profile", report.profile
    yield "plan", report.plan
    yield "engine", report.engine
    yield "store", report.store
    if report.facts is not None:
        yield "image.size", str(report.facts.size)
        yield "image.created", report.facts.created
    for name, value in report.labels.items():
        yield f"label.{name}", value


def _cases(report: Report) -> Iterator[ElementTree.Element]:
    suite = f"imagekit.{report.profile or 'image'}"
    log = shown(last_lines(report.log, _LOG_LINES)) if report.log else ""
    for result in report.results:
        yield _case(suite, result.as_dict(), log, result)
        for when, again in result.rounds().items():
            after = f"{result.name} {when}".strip()
            for inner in again:
                yield _case(suite, {**inner, "name": f"{after}: {inner['name']}"}, log)


def _case(
    suite: str, told: Mapping[str, Any], log: str, result: Result | None = None
) -> ElementTree.Element:
    """A test case of a result as JSON tells of it."""
    simulated = shown(result.simulated if result else str(told["data"].get(SIMULATED, "")))
    name = f"{told['name']} (simulated)" if simulated else told["name"]
    case = ElementTree.Element(
        "testcase",
        {"classname": shown(suite), "name": shown(name), "time": f"{told['seconds']:.3f}"},
    )
    reason = shown(told["reason"])
    message = " ".join(reason.split())[:_MOST_IN_ATTRIBUTE]
    said = [f"simulated: {simulated}"] if simulated else []
    if told["status"] == "skipped":
        ElementTree.SubElement(case, "skipped", {"message": message})
    elif told["status"] == "failed":
        failure = ElementTree.SubElement(case, "failure", {"message": message, "type": "check"})
        failure.text = "\n".join(_parts(told)) or reason
        said += ["the container's log ends with:", log] if log else []
    if said:
        ElementTree.SubElement(case, "system-out").text = "\n".join(said)
    return case


def _parts(told: Mapping[str, Any]) -> Iterator[str]:
    """A line for each part of a failure."""
    parts = told["failure"] or {}
    for title, key in (("asked for", "asked"), ("got", "got"), ("look at", "look_at")):
        if parts.get(key):
            yield f"{title}: {shown(parts[key])}"
