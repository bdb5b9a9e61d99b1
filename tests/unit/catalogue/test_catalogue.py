"""The shipped data: complete, sourced, consistent."""

from __future__ import annotations

import datetime
import re

import pytest

from imagekit import catalogue
from imagekit.catalogue import OsRelease

RELEASES = catalogue.os_releases()
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
    assert release.bootstrap in {"debian", "ubuntu"}


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
def test_a_release_has_packages_for_every_feature(release: OsRelease) -> None:
    assert {"base", "sshd", "desktop"} <= release.packages.keys()
    for names in release.packages.values():
        assert len(names) == len(set(names)) > 0
        assert all(APT_NAME.fullmatch(name) for name in names)


def test_the_preferred_release_is_a_debian_that_our_tests_build_on() -> None:
    assert next(iter(RELEASES)) in {"debian12", "debian13"}
    assert {release.id: release for release in RELEASES.values()} == RELEASES


def test_the_default_session_is_there_on_every_release() -> None:
    for release in RELEASES.values():
        assert "xfce" in catalogue.desktop_sessions(release)


def test_languages_are_utf8_locales_and_those_of_east_asia_have_a_font() -> None:
    for lang, language in catalogue.languages().items():
        assert re.fullmatch(r"(C|[a-z]{2}_[A-Z]{2})\.UTF-8", lang)
        assert bool(language.fonts) == lang.startswith(("zh", "ja", "ko"))
        assert all(APT_NAME.fullmatch(name) for name in language.fonts)
    assert {"C.UTF-8", "en_US.UTF-8", "zh_CN.UTF-8"} <= catalogue.languages().keys()
