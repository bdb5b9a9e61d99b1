"""The shipped data: complete, sourced, consistent."""

from __future__ import annotations

import datetime
import re

import pytest

from imagekit import catalogue
from imagekit.catalogue import OsRelease

RELEASES = catalogue.os_releases()
BUILDABLE = [release for release in RELEASES.values() if release.packages]
APT_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
def test_a_release_has_a_source_and_a_date(release: OsRelease) -> None:
    assert "https://" in release.source
    assert datetime.date.fromisoformat(release.date).year >= 2024


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
def test_a_release_can_be_fetched_and_bootstrapped(release: OsRelease) -> None:
    assert re.fullmatch(r"[a-z0-9./-]+:[A-Za-z0-9._-]+", release.image)
    assert not release.image.endswith(":latest")
    assert re.fullmatch("[a-z]+", release.suite)
    assert release.family in {"debian", "ubuntu"}
    assert release.sources in {"one-line", "deb822"}
    assert release.archive in {"live", "uncertain", "moved"}


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
def test_a_release_says_its_versions_and_days(release: OsRelease) -> None:
    assert release.id == f"{release.family}{release.release}"
    assert release.python in release.pythons
    assert re.fullmatch(r"3\.\d+", release.python)
    assert re.fullmatch(r"2\.\d+", release.glibc)
    days = [
        datetime.date.fromisoformat(day) for day in (release.end_of_life, release.end_of_support)
    ]
    assert days == sorted(days)


@pytest.mark.parametrize("release", BUILDABLE, ids=lambda release: release.id)
def test_a_release_has_packages_for_every_feature(release: OsRelease) -> None:
    assert {"base", "sshd", "desktop", "desktop.xfce", "python"} <= release.packages.keys()
    for names in release.packages.values():
        assert len(names) == len(set(names)) > 0
        assert all(APT_NAME.fullmatch(name) for name in names)
    others = set(release.pythons) - {release.python}
    listed = {key.removeprefix("python.") for key in release.packages if key.startswith("python.")}
    assert listed == others


def test_a_release_that_cannot_be_built_on_says_why_and_comes_last() -> None:
    cannot = [release for release in RELEASES.values() if not release.packages]
    assert all(release.note and not release.built for release in cannot)
    assert [*BUILDABLE, *cannot] == list(RELEASES.values())


def test_the_preferred_release_is_a_debian_that_our_tests_build_on() -> None:
    first = next(iter(RELEASES.values()))
    assert (first.family, first.built) == ("debian", True)


def test_languages_are_utf8_locales_and_those_of_east_asia_have_a_font() -> None:
    for lang, language in catalogue.languages().items():
        assert re.fullmatch(r"(C|[a-z]{2}_[A-Z]{2})\.UTF-8", lang)
        assert bool(language.fonts) == lang.startswith(("zh", "ja", "ko"))
        assert all(APT_NAME.fullmatch(name) for name in language.fonts)
    assert {"C.UTF-8", "en_US.UTF-8", "zh_CN.UTF-8"} <= catalogue.languages().keys()
