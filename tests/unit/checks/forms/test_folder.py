"""The folder: page, JSON and attachments, of names that are safe and match."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.checks.check import Attachment
from imagekit.checks.disruption import judge
from imagekit.checks.forms.folder import with_file_names, write_folder
from imagekit.checks.report import Report, Result
from imagekit.errors import WorkFailedError

Make = Callable[..., Report]


def test_page_json_and_attachments(report: Make, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    written = write_folder(report(), folder)
    assert written[0] == folder / "index.html"
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    assert (folder / "desktop.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads((folder / "report.json").read_text("utf-8"))
    assert told["checks"][2]["data"]["screen"]["file"] == "desktop.png"


def test_a_second_run_takes_the_place_of_the_first_and_leaves_the_rest(
    report: Make, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    write_folder(report(), tmp_path)
    write_folder(report(results=()), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["checks"] == []


def test_names_are_plain_and_each_its_own(report: Make) -> None:
    wanted = ("a.png", "a.png", "../../etc/passwd", "index.html", ".hidden", "你好", "x/y z.png")
    files = {str(n): Attachment(name, "image/png", b"") for n, name in enumerate(wanted)}
    one = Result("one", "passed", data=files)
    two = Result("two", "passed", data={"0": files["0"]})
    named = with_file_names(report(results=(one, two)))
    found = [file.name for result in named.results for file in result.data.values()]  # type: ignore[attr-defined]
    assert found == [
        *("a.png", "one-a.png", "etc-passwd", "one-index.html", "hidden", "file", "x-y-z.png"),
        "two-a.png",
    ]


def test_a_picture_of_what_was_asked_again_is_a_file_of_its_own(
    report: Make, tmp_path: Path
) -> None:
    def seen(content: bytes) -> Result:
        file = Attachment("desktop.png", "image/png", content)
        return Result("desktop", "passed", data={"screen": file})

    data: dict[str, object] = {}
    for after, key in (("a stop", "checks"), ("a kill", "checks_after_kill")):
        judge([seen(after.encode())], after, data, key)
    restart = Result("restart", "passed", data=data)
    write_folder(report(results=(seen(b"before"), restart)), tmp_path)
    told = json.loads((tmp_path / "report.json").read_text("utf-8"))["checks"]
    files = {
        name: value["file"]
        for check in told
        for name, value in check["data"].items()
        if "screen" in name
    }
    assert files == {
        "screen": "desktop.png",
        "desktop screen after a stop": "restart-desktop.png",
        "desktop screen after a kill": "restart-2-desktop.png",
    }
    contents = [(tmp_path / name).read_bytes() for name in files.values()]
    assert contents == [b"before", b"a stop", b"a kill"]
    page = (tmp_path / "index.html").read_text("utf-8")
    assert 'alt="restart-2-desktop.png, from the check restart"' in page


def test_what_cannot_be_written_is_said(report: Make, tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(WorkFailedError, match=r"report\.json: cannot be written"):
        write_folder(report(), tmp_path)
    assert not (tmp_path / "index.html").exists()
