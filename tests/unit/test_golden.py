"""Every shipped profile's rendered context, as reviewed; `make golden` renders them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit import assets, profile
from imagekit.plan.resolve import resolve
from imagekit.render import render

GOLDEN = Path(__file__).parent.parent / "golden"
SHIPPED = sorted(
    path.stem for path in assets.folder("profiles").glob("*.yaml") if not path.stem.startswith("_")
)
REFRESH = "differs from tests/golden; if that is meant: make golden, then review the diff"


def test_there_is_a_golden_folder_for_each_shipped_profile_and_no_other() -> None:
    assert sorted(path.name for path in GOLDEN.iterdir()) == SHIPPED, REFRESH


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_renders_as_reviewed(place: Path, name: str) -> None:
    context = render(resolve(profile.load(name)))
    rendered = {file.path: (file.executable, file.data) for file in context.files}
    reviewed = {
        path.relative_to(GOLDEN / name).as_posix(): (
            bool(path.stat().st_mode & 0o100),
            path.read_bytes(),
        )
        for path in (GOLDEN / name).rglob("*")
        if path.is_file()
    }
    assert rendered.keys() == reviewed.keys(), REFRESH
    for path, (executable, data) in rendered.items():
        assert (executable, data) == reviewed[path], f"{name}/{path} {REFRESH}"
