"""One feature, one word, five rooms (design, section 2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit import assets, validation
from imagekit.checks import registry

FEATURES = (
    "sshd",
    "desktop",
    "locale",
    "framework",
    "cuda",
    "jupyter",
    "conda",
    "mirrors",
)
# Features that put files of their own into the image.
WITH_FILES = ("sshd", "desktop", "jupyter", "conda")
# Parts that belong to no key of a profile, or to a key without a check of its own.
OTHER_PARTS = {"base", "packages", "user", "python", "files"}
# Files of keys without a part of their own.
OTHER_FILES = {"base", "browser", "graphics", "healthcheck", "mozilla"}
# Checks that cut across features (their modules hold no feature's name).
OTHER_CHECKS = {
    "browser",
    "clipboard",
    "environment",
    "framework_gpu",
    "gpu",
    "health",
    "hygiene",
    "input",
    "installs",
    "layers",
    "opengl",
    "page",
    "resize",
    "restart",
    "services",
    "session",
    "user",
    "vnc",
}


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_has_its_word_in_the_schema(feature: str) -> None:
    assert feature in validation.schema("profile")["properties"]


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_has_a_part(feature: str) -> None:
    assert (assets.folder("templates") / "parts" / f"{feature}.Dockerfile.j2").is_file()


@pytest.mark.parametrize("feature", WITH_FILES)
def test_a_feature_has_its_files(feature: str) -> None:
    assert (assets.folder("templates") / "rootfs" / feature).is_dir()


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_has_its_checks(root: Path, feature: str) -> None:
    assert (root / "imagekit" / "checks" / f"{feature}.py").is_file()


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_has_its_page(root: Path, feature: str) -> None:
    page = root / "docs" / "features" / f"{feature}.md"
    assert page.is_file()
    assert page.read_text("utf-8").startswith("# ")


def test_no_part_is_of_an_unknown_feature() -> None:
    parts = (assets.folder("templates") / "parts").glob("*.Dockerfile.j2")
    assert {part.name.partition(".")[0] for part in parts} == {*FEATURES, *OTHER_PARTS}


def test_no_file_of_the_image_is_of_an_unknown_feature() -> None:
    rooms = {path.name for path in (assets.folder("templates") / "rootfs").iterdir()}
    assert rooms == {*WITH_FILES, *OTHER_FILES}


def test_no_check_is_of_an_unknown_feature() -> None:
    modules = {check.ask.__module__.rpartition(".")[2] for check in registry.CHECKS}
    assert modules <= {*FEATURES, *OTHER_CHECKS}
    assert set(FEATURES) <= modules
