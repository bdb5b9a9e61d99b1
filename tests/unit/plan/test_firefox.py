"""Firefox: which package it is on which release, and what comes with it."""

from collections.abc import Callable

import pytest

from imagekit import catalogue, layout, render
from imagekit.plan.model import Plan

Planned = Callable[[str], Plan]

TEXT = "base: {{os: {}}}\nlocale: {{lang: {}}}\ndesktop: {{applications: [browser]}}"
WITH_MOZILLA = [row.id for row in catalogue.os_releases().values() if row.mozilla]
SOURCE = "rootfs/mozilla/etc/apt/sources.list.d/mozilla.sources"


@pytest.mark.parametrize("release", WITH_MOZILLA)
@pytest.mark.parametrize(
    ("lang", "names"),
    [
        ("en_US.UTF-8", ("firefox",)),
        ("zh_CN.UTF-8", ("firefox", "firefox-l10n-zh-cn")),
        ("zh_TW.UTF-8", ("firefox", "firefox-l10n-zh-tw")),
    ],
)
def test_where_the_archive_has_a_stub_it_is_mozillas(
    planned: Planned, release: str, lang: str, names: tuple[str, ...]
) -> None:
    plan = planned(TEXT.format(release, lang))
    layers = dict(plan.apt)
    assert layers["mozilla"] == names
    assert not set(names) & set(layers["desktop"])
    assert "browser" in layout.layout(plan).rootfs
    assert SOURCE in {file.path for file in render.render(plan).files}


def test_its_source_is_there_before_it_is_installed_and_nothing_else_waits_for_it(
    planned: Planned,
) -> None:
    text = render.render(planned(TEXT.format("ubuntu24.04", "zh_CN.UTF-8"))).dockerfile
    desktop, copied, installed = map(
        text.index, ("# The desktop:", "COPY rootfs/mozilla/ /", "firefox-l10n-zh-cn")
    )
    assert desktop < copied < installed


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("debian12", "firefox-esr-l10n-zh-cn"),
        ("ubuntu18.04", "firefox-locale-zh-hans"),
        ("ubuntu20.04", "firefox-locale-zh-hans"),
    ],
)
def test_elsewhere_it_is_the_archives(planned: Planned, release: str, name: str) -> None:
    plan = planned(TEXT.format(release, "zh_CN.UTF-8"))
    assert name in dict(plan.apt)["locale"]
    assert any(package.startswith("firefox") for package in dict(plan.apt)["applications"])
    assert "mozilla" not in dict(plan.apt)
    assert SOURCE not in {file.path for file in render.render(plan).files}


def test_without_it_mozillas_source_is_not_there(planned: Planned) -> None:
    plan = planned("base: {os: ubuntu24.04}\ndesktop: true")
    assert "mozilla" not in dict(plan.apt)
    assert SOURCE not in {file.path for file in render.render(plan).files}


def test_a_mirror_of_it_stays_only_with_it(planned: Planned) -> None:
    url = "https://mirrors.tuna.tsinghua.edu.cn/mozilla/apt"
    text = f"{TEXT.format('ubuntu24.04', 'zh_CN.UTF-8')}\nmirrors: tuna"
    assert ("mozilla", url) in planned(text).mirrors
    assert "mozilla" not in dict(planned(text.replace("ubuntu24.04", "debian12")).mirrors)
