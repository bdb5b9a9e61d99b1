"""The report of a real run, in all its forms, by their own rules."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema

from imagekit import validation
from tests.docker.support import PROFILE, Cli

ASKED = ["sshd", "web"]


def test_every_form_of_one_run(cli: Cli, image: str, tmp_path: Path) -> None:
    only = [word for name in ASKED for word in ("--only", name)]
    files = ("--junit", str(tmp_path / "junit.xml"), "--report", str(tmp_path / "report"))
    done = cli("test", PROFILE, *only, "--json", *files)

    told = json.loads(done.stdout)
    jsonschema.Draft202012Validator(validation.schema("report")).validate(told)
    assert [(check["name"], check["status"]) for check in told["checks"]] == [
        (name, "passed") for name in ASKED
    ]
    assert told["image_id"] == image
    assert told["facts"]["labels"]["dev.imagekit.profile"] == PROFILE
    assert told["facts"]["size"] > 100_000_000

    (suite,) = ElementTree.fromstring((tmp_path / "junit.xml").read_bytes())  # noqa: S314
    assert [case.get("name") for case in suite.iter("testcase")] == ASKED
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")

    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert f"<title>passed: {PROFILE}</title>" in page
    assert image in page
    assert told["checks"][0]["data"]["banner"] in page
    assert json.loads((tmp_path / "report" / "report.json").read_text("utf-8")) == told
