import json

import pytest

from imagekit.checks.report import Report, Result, Status


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
        "seconds": 1.235,
        "data": {},
    }


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
