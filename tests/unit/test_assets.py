"""Where shipped data is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit import assets


@pytest.mark.parametrize("name", ["templates", "profiles"])
def test_in_a_checkout_they_lie_beside_the_package(name: str) -> None:
    package = Path(assets.__file__).parent
    assert assets.folder(name) == package.parent / name
    assert assets.folder(name).is_dir()


def test_in_a_wheel_they_lie_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "_assets" / "templates"
    inside.mkdir(parents=True)
    monkeypatch.setattr(assets, "_PACKAGE", tmp_path)
    assert assets.folder("templates") == inside
