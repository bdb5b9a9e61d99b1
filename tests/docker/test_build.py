"""`imagekit build` on a real engine: what comes out, and what must not."""

from __future__ import annotations

import io
import json
import re
import shlex
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imagekit import names, site, steps
from imagekit.engine.connection import Engine
from imagekit.plan.model import Plan, from_json
from imagekit.render import render
from imagekit.steps import Place
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
    ran = [
        event
        for event in _events(again.stderr)
        if event["event"] == "StepFinished" and not event["cached"] and event["seconds"] > 0.5
    ]
    assert not ran


def _events(err: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines() if line.startswith("{")]


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


def test_a_package_that_does_not_exist_fails_with_its_log_its_line_and_a_way_in(
    engine: Engine, cli: Cli, image: str
) -> None:
    failed = cli("build", PROFILE, "--set", "packages.apt=[no-such-package-at-all]", check=False)
    assert failed.returncode == 1
    assert "  | E: Unable to locate package no-such-package-at-all" in failed.stderr
    assert 'packages.apt[0]: apt finds no package "no-such-package-at-all"' in failed.stderr
    assert "Traceback" not in failed.stderr
    *_, build, shell = failed.stderr.splitlines()
    verb = shlex.split(build)
    assert verb[:3] == ["imagekit", "build", PROFILE]
    before, name = cli(*verb[1:]).stdout.split()
    try:
        assert shlex.split(shell)[-1] == name
        look = "command -v sshd && ! id lab"  # steps before, and one after
        said = engine.client.containers.run(
            name, ["-ec", look], entrypoint="bash", remove=True, stderr=True
        )
        assert b"/usr/sbin/sshd" in said
        assert engine.client.images.get(name).id == before
    finally:
        engine.client.images.remove(name)


def test_steps_are_numbered_as_the_dockerfile_says(cli: Cli, image: str, plan: Plan) -> None:
    told = _events(cli("build", PROFILE, "--progress", "json").stderr)
    started = [event["name"] for event in told if event["event"] == "StepStarted"]
    places = {place for name in started if (place := steps.place(name))}
    from_ = Place("base", 1, 2)  # told only when it takes long
    assert places - {from_} == set(steps.places(render(plan).dockerfile))


def test_what_was_built_is_described(
    engine: Engine, cli: Cli, image: str, plan: Plan, tmp_path: Path
) -> None:
    file = tmp_path / "built.json"
    tag = "ik-test/{profile}:{plan}-{image}"
    tags = cli("build", PROFILE, "--metadata-file", str(file), "--tag", tag).stdout.split()[1:]
    try:
        described = json.loads(file.read_text("utf-8"))
        assert described["engine"]["version"] == engine.version
        (built,) = described["builds"]
        assert (built["image"], built["plan"]) == (image, plan.digest)
        assert built["tags"] == tags
        short = image.removeprefix("sha256:")[:12]
        assert tags[-1] == f"ik-test/{PROFILE}:{plan.digest[:12]}-{short}"
        assert engine.client.images.get(tags[-1]).id == image
        assert any(step["cached"] for step in built["steps"])
    finally:
        engine.client.images.remove(tags[-1])


@dataclass(frozen=True)
class Contents:
    """What lies in the image: sizes of regular files, and where certificates of this host do."""

    sizes: dict[str, int]
    tainted: list[str]


@pytest.fixture(scope="module")
def contents(engine: Engine, image: str) -> Contents:
    """All files of the image, read once as they stream by."""
    bodies = re.findall(rb"-----BEGIN CERTIFICATE-----\n(.{64})\n", site.load().ca_certificates)
    sizes: dict[str, int] = {}
    tainted: list[str] = []
    container = engine.client.containers.create(image, ["true"])
    try:
        with tarfile.open(fileobj=Pieces(container.export()), mode="r|") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is None:
                    continue
                data = file.read()
                sizes[member.name] = member.size
                tainted += [member.name for body in bodies if body in data]
    finally:
        container.remove()
    return Contents(sizes, tainted)


class Pieces(io.RawIOBase):
    """An iterator of bytes as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def test_nothing_of_the_place_reaches_the_image(contents: Contents) -> None:
    """Not the CA certificates of this host, no mirror settings, no build folder's content."""
    assert contents.tainted == []
    folders = ("run/", "tmp/", "var/lib/apt/lists/", "var/cache/apt/")
    left = [name for name, size in contents.sizes.items() if size and name.startswith(folders)]
    assert left == []


def test_no_identity_lies_in_the_image(contents: Contents) -> None:
    """Host keys and the machine id are each container's own."""
    assert not [name for name in contents.sizes if "ssh_host_" in name]
    assert contents.sizes.get("etc/machine-id", 0) == 0
    assert contents.sizes.get("var/lib/dbus/machine-id", 0) == 0


def test_chinese_translations_stay_and_documentation_does_not(contents: Contents) -> None:
    names = contents.sizes
    assert any(name.startswith("usr/share/locale/zh_CN/LC_MESSAGES/thunar") for name in names)
    documents = ("usr/share/doc/xfce4", "usr/share/man/man1/xfce")
    kept = [n for n in names if n.startswith(documents) and not n.endswith("/copyright")]
    assert kept == []
