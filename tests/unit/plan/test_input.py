"""Input methods and sessions: which packages they bring, and where they cannot be had."""

from collections.abc import Callable

import pytest

from imagekit import catalogue, profile
from imagekit.layout import layout
from imagekit.plan.model import Plan
from imagekit.plan.resolve import resolve

Planned = Callable[[str], Plan]
Refused = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("session", "frontends"),
    [
        ("xfce", {"fcitx5-frontend-gtk3"}),
        ("lxde", {"fcitx5-frontend-gtk2", "fcitx5-frontend-gtk3"}),
        ("lxqt", {"fcitx5-frontend-gtk3", "fcitx5-frontend-qt5"}),
        ("minimal", {"fcitx5-frontend-gtk3"}),
    ],
)
def test_an_input_method_brings_what_the_programs_of_its_session_need(
    planned: Planned, session: str, frontends: set[str]
) -> None:
    plan = planned(f"desktop: {{session: {session}}}\nlocale: {{input: chewing}}")
    assert plan.locale.input_method == "chewing"
    names = set(dict(plan.apt)["locale"])
    assert {"fcitx5", "fcitx5-chewing"} <= names
    assert {name for name in names if "frontend" in name} == frontends


@pytest.mark.parametrize("text", ["", "locale: {input: none}"])
def test_without_an_input_method_nothing_of_it_is_there(planned: Planned, text: str) -> None:
    plan = planned(f"desktop: true\n{text}")
    assert plan.locale.input_method == ""
    assert not [name for _, names in plan.apt for name in names if "fcitx" in name]


def test_a_language_names_its_input_method_for_images_without_a_desktop_too(
    planned: Planned,
) -> None:
    plan = planned("extends: [_zh-cn]")
    assert plan.locale.input_method == ""
    assert not [name for _, names in plan.apt for name in names if "fcitx" in name]
    assert planned("extends: [_zh-cn]\ndesktop: true").locale.input_method == "pinyin"
    assert planned("extends: [_zh-tw]\ndesktop: true").locale.input_method == "chewing"


def test_an_input_method_that_the_profile_itself_names_needs_a_desktop(refused: Refused) -> None:
    (line,) = refused("locale: {input: pinyin}")
    assert "locale.input: there is no desktop to type on" in line


def test_an_input_method_that_a_release_lacks_is_refused(refused: Refused) -> None:
    (line,) = refused("base: {os: ubuntu20.04}\ndesktop: true\nlocale: {input: pinyin}")
    assert 'locale.input: "pinyin" is not available on ubuntu20.04' in line


def test_every_method_can_reach_every_session_of_its_release() -> None:
    for release in catalogue.os_releases().values():
        if any(name.startswith("input.") for name in release.packages):
            for session in catalogue.desktop_sessions(release):
                assert f"input@{session}" in release.packages, (release.id, session)


def test_firefox_and_gpus_bring_their_own_files() -> None:
    """Firefox its policies, a GPU's desktop the name of NVIDIA's EGL library."""
    plain = layout(resolve(profile.load("debian12-desktop"))).rootfs
    assert not {"browser", "graphics"} & set(plain)
    assert {"browser", "graphics"} <= set(layout(resolve(profile.load("tutorial-gpu"))).rootfs)
