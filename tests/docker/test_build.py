"""`imagekit build` on a real engine: what comes out, and what must not."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit import names, site
from imagekit.engine.connection import Engine
from imagekit.plan.model import Plan, from_json
from tests.docker.support import PROFILE, Cli


def test_the_image_is_proved_to_be_the_plan_s(engine: Engine, image: str, plan: Plan) -> None:
    found = engine.client.images.get(image)
    assert found.labels[names.PROFILE_LABEL] == PROFILE
    assert found.labels[names.PLAN_LABEL] == plan.digest
    assert from_json(found.labels[names.RESOLVED_LABEL]) == plan
    assert set(names.tags(plan)) <= set(found.tags)


def test_building_again_runs_nothing(cli: Cli, image: str) -> None:
    again = cli("build", PROFILE, "--progress", "json")
    assert again.stdout.split()[0] == image
    events = [json.loads(line) for line in again.stderr.splitlines() if line.startswith("{")]
    ran = [
        event
        for event in events
        if event["event"] == "StepFinished" and not event["cached"] and event["seconds"] > 0.5
    ]
    assert not ran


def test_an_override_is_another_plan_and_another_image(
    engine: Engine, cli: Cli, image: str
) -> None:
    line = cli("build", PROFILE, "--set", "user.name=zhang", "--tag", "ik-test/zhang:1").stdout
    try:
        other = line.split()[0]
        assert other != image
        found = engine.client.images.get("ik-test/zhang:1")
        assert found.id == other
        assert engine.client.containers.run(other, ["id", "-un", "1000"], remove=True) == b"zhang\n"
    finally:
        for tag in line.split()[1:]:
            engine.client.images.remove(tag)
        # `latest` moved to the other plan; it belongs to the profile as it is written.
        cli("build", PROFILE)


def test_a_package_that_does_not_exist_fails_with_its_log(cli: Cli, image: str) -> None:
    failed = cli("build", PROFILE, "--set", "packages.apt=[no-such-package-at-all]", check=False)
    assert failed.returncode == 1
    assert "no-such-package-at-all" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.fixture(scope="module")
def contents(
    engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """All files of the image in one tar archive."""
    archive = tmp_path_factory.mktemp("export") / "image.tar"
    container = engine.client.containers.create(image, ["true"])
    try:
        with archive.open("wb") as file:
            for chunk in container.export():
                file.write(chunk)
    finally:
        container.remove()
    yield archive
    archive.unlink()


def test_nothing_of_the_place_reaches_the_image(contents: Path) -> None:
    """Not the CA certificates of this host, no mirror settings, no build folder's content."""
    bodies = re.findall(rb"-----BEGIN CERTIFICATE-----\n(.{64})\n", site.load().ca_certificates)
    data = contents.read_bytes()
    assert not [body for body in bodies if body in data]
    with tarfile.open(contents) as archive:
        leftovers = [
            member.name
            for member in archive
            if member.isfile()
            and member.size
            and member.name.startswith(("run/", "tmp/", "var/lib/apt/lists/", "var/cache/apt/"))
        ]
    assert leftovers == []


def test_no_identity_lies_in_the_image(contents: Path) -> None:
    """Host keys and the machine id are each container's own."""
    with tarfile.open(contents) as archive:
        sizes = {member.name: member.size for member in archive}
    assert not [name for name in sizes if "ssh_host_" in name]
    assert sizes.get("etc/machine-id", 0) == 0
    assert sizes.get("var/lib/dbus/machine-id", 0) == 0


def test_chinese_translations_stay_and_documentation_does_not(contents: Path) -> None:
    with tarfile.open(contents) as archive:
        files = [member.name for member in archive if member.isfile()]
    assert any(name.startswith("usr/share/locale/zh_CN/LC_MESSAGES/thunar") for name in files)
    kept = [
        name
        for name in files
        if name.startswith(("usr/share/doc/xfce4", "usr/share/man/man1/xfce"))
        and not name.endswith("/copyright")
    ]
    assert kept == []
