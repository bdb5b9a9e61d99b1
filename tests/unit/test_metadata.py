"""The file that describes what was built."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from imagekit import metadata
from imagekit.bases import Base
from imagekit.build import Built
from imagekit.engine.trace import StepRun
from imagekit.errors import InputError
from imagekit.plan.model import Plan

ENGINE: Any = SimpleNamespace(version="28.5.2", api_version="1.51", store="containerd")
STEPS = (
    StepRun("[image 1/2] RUN --mount=type=secret,id=ca   true", 1.23456, cached=False),
    StepRun("[image 2/2] COPY a b", 0.0, cached=True),
)


@pytest.fixture
def described(planned: Callable[[str], Plan]) -> dict[str, Any]:
    built = Built(
        image_id="sha256:1",
        tags=("imagekit/x:latest",),
        digests=("r.example/x@sha256:2",),
        platform="linux/amd64",
        size=12,
        seconds=3.45678,
        steps=STEPS,
        base=Base("debian:12-slim", "sha256:3"),
    )
    return metadata.describe([(planned(""), built)], ENGINE, "1.2.3")


def test_all_is_there_that_a_later_step_needs(
    described: dict[str, Any], planned: Callable[[str], Plan]
) -> None:
    assert described == {
        "version": 1,
        "imagekit": "1.2.3",
        "engine": {"version": "28.5.2", "api": "1.51", "store": "containerd"},
        "builds": [
            {
                "profile": "x",
                "plan": planned("").digest,
                "image": "sha256:1",
                "digests": ["r.example/x@sha256:2"],
                "tags": ["imagekit/x:latest"],
                "platform": "linux/amd64",
                "size": 12,
                "seconds": 3.457,
                "base": {"reference": "debian:12-slim", "image": "sha256:3"},
                "steps": [
                    {"name": "[image 1/2] RUN true", "seconds": 1.235, "cached": False},
                    {"name": "[image 2/2] COPY a b", "seconds": 0.0, "cached": True},
                ],
            }
        ],
    }


def test_a_file_is_replaced_whole_with_the_usual_mode(
    described: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    file = folder / "m.json"
    file.write_text("old")
    mask = os.umask(0o027)
    try:
        metadata.write(file, described)
    finally:
        os.umask(mask)
    assert json.loads(file.read_text("utf-8")) == described
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(folder.iterdir()) == [file]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text("old")
    with pytest.raises(TypeError):
        metadata.write(file, {"x": object()})
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/m.json")
    assert metadata.check_path(str(tmp_path / "link")) == tmp_path / "there" / "m.json"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("nowhere/m.json", "there is no folder "),
        (".", "is a folder"),
        ("/dev/null", "is no regular file"),
        ("file/m.json", "there is no folder "),
    ],
)
def test_a_path_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(InputError) as refused:
        metadata.check_path(path)
    assert str(refused.value).startswith(f"{path}: {what}")


def test_a_folder_that_is_not_ones_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="you may not write to"):
        metadata.check_path(str(tmp_path / "m.json"))
