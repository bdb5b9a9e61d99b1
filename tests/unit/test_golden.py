"""Every shipped profile's rendered context, as reviewed; `make golden` renders them anew.

A golden folder holds what is written for the profile: ``Dockerfile`` and ``settings``. All other
files are copies of those below ``templates/``, where they are reviewed; ``files`` lists them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit import assets, profile
from imagekit.context import Context
from imagekit.plan.resolve import resolve
from imagekit.render import render

GOLDEN = Path(__file__).parent.parent / "golden"
SHIPPED = sorted(
    path.stem for path in assets.folder("profiles").glob("*.yaml") if not path.stem.startswith("_")
)
WRITTEN = ("Dockerfile", "settings")
REFRESH = "differs from tests/golden; if that is meant: make golden, then review the diff"


def rendered(name: str) -> Context:
    return render(resolve(profile.load(name)))


def test_there_is_a_golden_folder_for_each_shipped_profile_and_no_other() -> None:
    assert sorted(path.name for path in GOLDEN.iterdir()) == SHIPPED, REFRESH
    for folder in GOLDEN.iterdir():
        assert sorted(path.name for path in folder.iterdir()) == ["Dockerfile", "files", "settings"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_renders_as_reviewed(place: Path, name: str) -> None:
    files = {file.path: file for file in rendered(name).files}
    for path in WRITTEN:
        assert files[path].data == (GOLDEN / name / path).read_bytes(), f"{name}/{path} {REFRESH}"
    listed = "".join(f"{files[path].mode:o} {path}\n" for path in sorted(files))
    assert listed == (GOLDEN / name / "files").read_text("utf-8"), f"{name}/files {REFRESH}"


@pytest.mark.parametrize("name", SHIPPED)
def test_all_other_files_are_those_of_the_templates(place: Path, name: str) -> None:
    for file in rendered(name).files:
        if file.path not in WRITTEN:
            origin = assets.folder("templates") / file.path
            assert file.data == origin.read_bytes()
            assert file.executable == bool(origin.stat().st_mode & 0o100)
