import json

import jsonschema
import pytest

from imagekit import validation
from imagekit.checks.check import Attachment, CheckFailedError
from imagekit.checks.report import Failure, Report, Result, Status, failed
from imagekit.engine.images import ImageFacts
from imagekit.names import RESOLVED_LABEL

FACTS = ImageFacts(
    id="sha256:aa",
    labels={"b": "2", "a": "1", RESOLVED_LABEL: "{…}"},
    size=7,
    created="2026-11-25T12:00:00.123456789Z",
    tags=("img:1",),
    os="linux",
    architecture="amd64",
)


def report(*statuses: Status) -> Report:
    results = tuple(Result(f"c{i}", status, "why", 1.23456) for i, status in enumerate(statuses))
    return Report("img:1", "sha256:aa", "demo", "dd", "Docker Engine 27", 2.0, results)


def test_json_has_the_promised_shape() -> None:
    data = json.loads(report("passed", "skipped").to_json())
    assert data["version"] == 1
    assert (data["image"], data["profile"], data["ok"]) == ("img:1", "demo", True)
    assert data["checks"][0] == {
        "name": "c0",
        "status": "passed",
        "reason": "why",
        "failure": None,
        "started": 0.0,
        "seconds": 1.235,
        "data": {},
    }


def whole() -> Report:
    """A report with something in every field."""
    picture = Attachment("desktop.png", "image/png", b"1234")
    again = Result("sshd", "passed", data={"user": "lab"}).as_dict()
    error = CheckFailedError("an apple", "a pear", "the tree", {"seen": ["pear"]})
    results = (
        Result("desktop", "passed", "", 1.0, {"picture": picture, "inner": [{"too": picture}]}),
        failed("restart", error, 2.0, {"checks": [again], "stop_seconds": 1.0}),
        Result("environment", "passed", data={"compared": {"TZ": {"here": "UTC", "there": None}}}),
        Result("gpu", "passed", data={"simulated": "a stub"}),
    )
    where = ("img:1", "sha256:aa", "demo", "dd", "Docker Engine 27")
    return Report(*where, 2.0, results, "log", "overlay2", "2026-11-25T12:00:00+00:00", FACTS)


@pytest.mark.parametrize("each", [whole(), report("skipped"), report()])
def test_json_follows_its_schema(each: Report) -> None:
    rules = validation.schema("report")
    jsonschema.Draft202012Validator(rules).validate(json.loads(each.to_json()))


def test_the_schema_knows_every_field() -> None:
    rules = validation.schema("report")
    told = json.loads(whole().to_json())
    assert list(told) == list(rules["properties"]) == rules["required"]
    for name, value in (
        ("facts", told["facts"]),
        ("result", told["checks"][1]),
        ("failure", told["checks"][1]["failure"]),
    ):
        kind = rules["$defs"][name]
        assert list(value) == list(kind["properties"]) == kind["required"]


@pytest.mark.parametrize(
    "wrong",
    [{"version": 2}, {"ok": "yes"}, {"checks": [{}]}, {"facts": {"size": 1}}, {"seconds": -1}],
)
def test_the_schema_refuses_what_is_no_report(wrong: dict[str, object]) -> None:
    told = {**json.loads(whole().to_json()), **wrong}
    assert not jsonschema.Draft202012Validator(validation.schema("report")).is_valid(told)


def test_a_failure_is_told_whole_and_in_its_parts() -> None:
    result = whole().results[1]
    assert result.reason == "asked for an apple; got a pear; look at the tree"
    assert result.failure == Failure("an apple", "a pear", "the tree")
    assert {"seen", "checks", "stop_seconds"} == set(result.data)


def test_attachments_are_told_and_not_shown() -> None:
    data = json.loads(whole().to_json())["checks"][0]["data"]
    told = {"file": "desktop.png", "type": "image/png", "bytes": 4}
    assert data == {"picture": told, "inner": [{"too": told}]}


def test_labels_are_sorted_and_without_the_plan() -> None:
    assert list(whole().labels.items()) == [("a", "1"), ("b", "2")]
    assert report().labels == {}


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    one = Report("i", "i", "p", "d", "e", 0.0, (Result("x", "failed", "a\udc80b"),))
    assert json.loads(one.to_json().encode())["checks"][0]["reason"] == "a?b"


@pytest.mark.parametrize(
    ("statuses", "ok"),
    [
        (["passed", "skipped"], True),
        (["passed", "failed"], False),
        (["skipped"], True),
    ],
)
def test_ok(statuses: list[Status], ok: bool) -> None:
    assert report(*statuses).ok is ok
