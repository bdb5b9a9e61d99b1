"""Firefox from Mozilla's package source, simulated: a signed source of stub packages.

Everything is as shipped but for the key. On Debian 12 always; on the releases that
``IMAGEKIT_RELEASES`` names, too, where the archive's own ``firefox`` stands beside it.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit import assets, catalogue, profile, site
from imagekit.engine.connection import Engine
from imagekit.engine.failures import BuildFailedError
from imagekit.plan.model import MOZILLA, Plan
from imagekit.plan.resolve import resolve
from tests.docker.packages import deb, need_packaging, row, served, sign
from tests.docker.releases import SSH_ONLY, chosen
from tests.docker.support import Builder

pytestmark = pytest.mark.image

NAMES = ("firefox", "firefox-l10n-zh-cn")
# Of this run's own, so that no step comes from the engine's cache.
VERSION = f"157.0~build{int(time.time())}"
# What Mozilla's says of itself, as `apt-cache policy` shows it:
# https://github.com/tuna/issues/issues/2121
FIELDS = "Origin: namespaces/x/repositories/mozilla\nSuite: mozilla\nCodename: mozilla\n"
HINT = (
    "imagekit: Firefox comes from https://packages.mozilla.org/apt; where that cannot be reached, "
    "mirrors: {mozilla: URL} in the site file says what can"
)
WITH_STUBS = [
    release.id
    for release in catalogue.os_releases().values()
    if release.mozilla and chosen(release.id)
]


@pytest.fixture(scope="module")
def source(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bytes]]:
    """The address of a source that stands for Mozilla's, and its key."""
    need_packaging()
    root = tmp_path_factory.mktemp("mozilla")
    dist = root / "apt/dists/mozilla"
    index = "main/binary-amd64/Packages"
    (dist / index).parent.mkdir(parents=True)
    rows = []
    # tini is the archive's, and must go on being so.
    for name in (*NAMES, "tini"):
        file = root / f"apt/{name}.deb"
        says = f"#!/bin/sh\necho {name} of Mozilla\n".encode()
        control = deb(file, name, {f"usr/bin/{name}": says}, root / name, VERSION)
        rows.append(row(control, file, root / "apt"))
    (dist / index).write_text("\n".join(rows))
    fields = f"{FIELDS}Components: main\nArchitectures: all amd64\n"
    key = sign(dist, (index,), root / "gpg", fields)
    with served(engine, root) as url:
        yield f"{url}/apt", key


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the templates in their place."""
    copy, shipped = tmp_path / "templates", assets.folder
    shutil.copytree(shipped("templates"), copy)
    monkeypatch.setattr(assets, "folder", lambda name: copy if name == copy.name else shipped(name))
    return copy


@pytest.fixture(params=["debian12", *WITH_STUBS])
def firefox_plan(request: pytest.FixtureRequest, tmp_path: Path) -> Plan:
    """A release's plan with nothing but Firefox."""
    file = tmp_path / f"ik-mozilla-{request.param.replace('.', '')}.yaml"
    file.write_text(SSH_ONLY.replace("RELEASE", request.param))
    plan = resolve(profile.load(str(file)))
    base = dict(plan.apt)["base"]
    return replace(plan, sshd=None, apt=(("base", base), (MOZILLA, NAMES)))


def test_firefox_and_its_languages_come_from_there_and_nothing_else(
    builder: Builder, source: tuple[str, bytes], templates: Path, firefox_plan: Plan
) -> None:
    url, key = source
    trust(templates, key)
    mirrors = (("mozilla", "https://mirror.example.edu/mozilla/apt"),)
    image = builder.image(replace(firefox_plan, mirrors=mirrors), replace(site.load(), mozilla=url))
    said = builder.say(image, "sh", "-c", "firefox && firefox-l10n-zh-cn && tini --version")
    assert said.startswith("firefox of Mozilla\nfirefox-l10n-zh-cn of Mozilla\n")
    assert "tini of Mozilla" not in said
    assert builder.check(image, "mirrors")["mirrors"] == dict(mirrors)
    # What stays for upgrades: the source as it is written, its key, what apt may take.
    text = builder.say(image, "cat", "/etc/apt/sources.list.d/mozilla.sources")
    shipped = (templates / "rootfs/mozilla/etc/apt/sources.list.d/mozilla.sources").read_text()
    assert text == shipped.replace("https://packages.mozilla.org/apt", mirrors[0][1])
    assert url not in json.dumps(builder.engine.client.images.get(image).history())
    assert url not in text


def test_an_upgrade_brings_a_newer_one_and_never_the_archive_s(
    builder: Builder, source: tuple[str, bytes], templates: Path, firefox_plan: Plan
) -> None:
    """People's own ``apt-get``, with the image's own settings, at Mozilla's own address."""
    url, key = source
    trust(templates, key)
    image = builder.image(firefox_plan, replace(site.load(), mozilla=url))
    script = (
        f"sed -i s#https://packages.mozilla.org/apt#{url}# /etc/apt/sources.list.d/mozilla.sources"
        " && apt-get update -qq && apt-get --simulate --reinstall install firefox tini"
        " && apt-cache policy firefox"
    )
    said = builder.say(image, "sh", "-c", script, user="root")
    assert f"Inst firefox [{VERSION}] ({VERSION} " in said
    assert f"Inst tini ({VERSION}" not in said
    assert f"Candidate: {VERSION}" in said
    if firefox_plan.os.id in WITH_STUBS:
        assert "snap1" in said, "the archive's stub stood for choice"


def test_a_source_signed_by_another_key_is_refused(
    builder: Builder, source: tuple[str, bytes], firefox_plan: Plan
) -> None:
    url, _ = source
    with pytest.raises(BuildFailedError) as refused:
        builder.image(firefox_plan, replace(site.load(), mozilla=url))
    said = "\n".join(refused.value.log_tail)
    assert f"{url} mozilla InRelease" in said
    assert re.search("NO_PUBKEY|Missing key", said), "by apt's own check of the signature"
    assert HINT in refused.value.log_tail


def test_a_source_that_is_not_there_is_named_with_what_helps(
    builder: Builder, source: tuple[str, bytes], firefox_plan: Plan
) -> None:
    """Answered with 404, at once: apt asks five times where nobody answers."""
    url, _ = source
    with pytest.raises(BuildFailedError) as refused:
        builder.image(firefox_plan, replace(site.load(), mozilla=f"{url}/none"))
    said = "\n".join(refused.value.log_tail)
    assert f"{url}/none mozilla Release" in said
    assert HINT in refused.value.log_tail


def trust(templates: Path, key: bytes) -> None:
    (templates / "rootfs/mozilla/etc/apt/keyrings/packages.mozilla.org.asc").write_bytes(key)
