"""Locks, frozen builds, and what is written beside an image, on a real engine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from imagekit import build, gc, names, records, site
from imagekit.build import Built, Options
from imagekit.context import Context, ContextFile
from imagekit.engine import buildkit, images, inventory
from imagekit.engine.connection import Engine
from imagekit.engine.failures import BuildFailedError
from imagekit.errors import InputError
from imagekit.events import ignore
from imagekit.lock import file, freeze, record
from imagekit.lock.model import Lock, Row
from imagekit.plan.model import Plan, Python
from imagekit.wait import Deadline, NotYetError, until
from tests.docker import test_parts
from tests.docker.support import Builder
from tests.required import missing

place = test_parts.place

PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), (), "", (), ("humanize==4.9.0",), ())
# humanize-4.9.0-py3-none-any.whl and humanize-4.8.0-py3-none-any.whl on PyPI
SUM = "ce284a76d5b1377fd8836733b983bfb0b76f1aa1c090de2566fcf008d7f6ab16"
OLDER = "8bc9e2bb9315e61ec06bf690151ae35aeb65651ab091266941edf97c90836404"


def small(plan: Plan, name: str, *packages: str) -> Plan:
    """The least that can be built; its services need not start."""
    return replace(
        plan,
        profile=name,
        sshd=None,
        apt=(("base", packages),),
        user=replace(plan.user, sudo=False),
        locale=replace(plan.locale, generate=()),
    )


@pytest.fixture(scope="module")
def locked_plan(ssh_plan: Plan) -> Plan:
    plan = small(ssh_plan, "ik-locked", "python3", "python3-venv", "tini")
    return replace(plan, python=PYTHON)


@pytest.fixture(scope="module")
def built(engine: Engine, builder: Builder, locked_plan: Plan) -> Built:
    builder.image(locked_plan)
    # A name of its own: the frozen build takes the others, and the containerd image store
    # keeps no image without one.
    name = "imagekit-test/locked:1"
    builder.tags.add(name)
    return build.build(engine, locked_plan, site.load(), Options(tags=(name,)), ignore)


@pytest.fixture(scope="module")
def lock(engine: Engine, locked_plan: Plan, built: Built) -> Lock:
    return record.record(engine, locked_plan, built, site.load(), ignore)


def test_a_lock_has_every_package_with_its_checksum(
    builder: Builder, built: Built, lock: Lock, locked_plan: Plan, tmp_path: Path
) -> None:
    listing = "--showformat=${Package} ${Version}\n"
    said = builder.say(built.image_id, "dpkg-query", "--show", listing)
    assert [f"{row.name} {row.version}" for row in lock.apt] == sorted(said.splitlines())
    sums = {row.name: row.sha256 for row in (*lock.apt, *lock.python)}
    assert sums["python3-venv"]
    assert not sums["bash"]  # the base's
    assert sums["humanize"] == (SUM,)
    listed = json.loads(builder.say(built.image_id, "pip", "list", "--format=json"))
    assert {row.name: row.version for row in lock.python} == {
        one["name"]: one["version"] for one in listed
    }
    path = tmp_path / "ik-locked.lock"
    path.write_text(file.dump(lock))
    assert file.load(path, locked_plan) == lock


def test_a_frozen_build_takes_what_is_locked_and_nothing_newer(
    engine: Engine, locked_plan: Plan, built: Built, lock: Lock
) -> None:
    """The set is the lock's, to the checksum, even where the plan by itself would take another."""
    rows = (
        replace(row, version="4.8.0", sha256=(OLDER,)) if row.name == "humanize" else row
        for row in lock.python
    )
    older = replace(lock, python=tuple(rows))
    frozen = freeze.freeze(engine, locked_plan, older, site.load(), ignore)
    again = build.build(engine, locked_plan, site.load(), Options(frozen=frozen), ignore)
    freeze.prove(engine, locked_plan, again.image_id, older)
    assert again.base == built.base


def test_records_name_everything_that_dpkg_and_pip_list(
    engine: Engine, builder: Builder, locked_plan: Plan, built: Built, lock: Lock
) -> None:
    made = records.of_image(engine, locked_plan, built, lock=lock)
    assert made == records.of_image(engine, locked_plan, built, lock=lock)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made.sbom) is None
    components = json.loads(made.sbom)["components"]
    urls = {one["purl"].partition("?")[0]: one for one in components if "purl" in one}
    debs = builder.say(
        built.image_id, "dpkg-query", "--show", "--showformat=${Package} ${Version}\n"
    )
    listed = json.loads(builder.say(built.image_id, "pip", "list", "--format=json"))
    wanted = {tuple(line.split()) for line in debs.splitlines()}
    wanted |= {(one["name"], one["version"]) for one in listed}
    assert {(one["name"], one["version"]) for one in urls.values()} == wanted
    assert urls["pkg:pypi/humanize@4.9.0"]["hashes"] == [{"alg": "SHA-256", "content": SUM}]
    said = json.loads(made.provenance)
    assert {"sha256": built.image_id.removeprefix("sha256:")} in [
        subject["digest"] for subject in said["subject"]
    ]


# ---- what is left by who was killed


def test_a_look_that_is_killed_leaves_what_gc_finds(
    engine: Engine, locked_plan: Plan, built: Built
) -> None:
    code = (
        "import sys; from imagekit.engine import inside; "
        "from imagekit.engine.connection import connect; "
        "inside.packed(connect(sys.argv[1]), sys.argv[2], 'sleep 60')"
    )

    def left() -> list[str]:
        return [
            held.id
            for held in inventory.containers(engine)
            if held.image == built.image_id and names.RUN_LABEL in held.labels
        ]

    def made() -> None:
        if not left():
            raise NotYetError("no container")

    command = [sys.executable, "-c", code, engine.address, built.image_id]
    with subprocess.Popen(command) as process:
        try:
            until(made, Deadline.after(60), pause=0.1)
        finally:
            process.kill()
    (container,) = left()
    wanted = gc.Wanted(frozenset({locked_plan.profile}))
    reasons = {item.id: item.reason for item in gc.survey(engine, wanted).items}
    assert reasons[container].startswith("of a run that may still go on")
    stray = gc.survey(engine, replace(wanted, run_seconds=-60)).items
    (item,) = (item for item in stray if item.id == container)
    assert [error for _, error in gc.sweep([item])] == [""]
    assert left() == []


def test_answers_that_are_left_are_what_gc_finds(engine: Engine) -> None:
    name = f"{names.ANSWERS}:{uuid.uuid4().hex}"
    files = (
        ContextFile("Dockerfile", b"FROM scratch\nCOPY listed /imagekit-lock/listed\n"),
        ContextFile("listed", name.encode()),
    )
    buildkit.build(engine, Context(files), tags=[name])
    (item,) = (item for item in gc.survey(engine, gc.Wanted()).items if item.name == name)
    assert item.reason == "was left by a lock that did not end"
    assert [error for _, error in gc.sweep([item])] == [""]
    assert images.find(engine, name) is None


# ---- simulated: a channel and a package source that move on


@pytest.mark.image
def test_conda_takes_the_locked_version_though_the_channel_has_a_newer_one(
    engine: Engine,
    builder: Builder,
    ssh_plan: Plan,
    place: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, folder = place
    channel = folder / "pkgs" / "main"
    test_parts.conda_package(channel, "python", {"bin/python": test_parts.PYTHON})
    from_channel = replace(
        PYTHON,
        version="3.7",
        source="conda",
        prefix="/opt/conda",
        channel="pkgs/main",
        # A spec of this run's own, so that no step comes from the cache.
        specs=(f"python >={test_parts.VERSION}",),
        pip=(),
    )
    plan = small(ssh_plan, "ik-channel", "python3", "python3-venv")
    plan = replace(plan, python=from_channel)
    lab = replace(site.load(), conda=url)
    builder.image(plan, lab)
    first = build.build(engine, plan, lab, Options(), ignore)
    lock = record.record(engine, plan, first, lab, ignore)
    ((prefix, (row,)),) = lock.conda
    assert (prefix, row.name, row.version) == ("/opt/conda", "python", test_parts.VERSION)
    monkeypatch.setattr(test_parts, "VERSION", f"2{test_parts.VERSION}")
    test_parts.conda_package(channel, "python", {"bin/python": test_parts.PYTHON})
    frozen = freeze.freeze(engine, plan, lock, lab, ignore)
    again = build.build(engine, plan, lab, Options(frozen=frozen), ignore)
    freeze.prove(engine, plan, again.image_id, lock)


@pytest.fixture
def moving(
    engine: Engine, tiny_base: str, place: tuple[str, Path], tmp_path: Path
) -> Iterator[tuple[str, Path, Path]]:
    """A base with a package source of its own, that source's folder, and its next state."""
    if not all(map(shutil.which, ("gpg", "dpkg-deb"))):
        missing("packaging", "no gpg or dpkg-deb here")
    url, folder = place
    here, later = folder / "moving", tmp_path / "later"
    for state, version in ((here, "1.0"), (later, "2.0")):
        home = tmp_path / f"gpg-{version}"
        test_parts.apt_source(state, home, {"ik-moving": version.encode()}, version)
    # A server says "not modified" by whole seconds.
    for file_ in later.iterdir():
        os.utime(file_, times=(time.time() + 10,) * 2)
    name = "imagekit-test/moving:1"
    files = (
        ContextFile(
            "Dockerfile",
            f"FROM {tiny_base}\n"
            "COPY *.asc /etc/apt/trusted.gpg.d/\nCOPY moving.list /etc/apt/sources.list.d/\n"
            f"LABEL state={tmp_path.name}\n".encode(),
        ),
        ContextFile("moving.list", f"deb {url}/moving ./\n".encode()),
        *(
            ContextFile(f"{state.name}.asc", (state / "key.asc").read_bytes())
            for state in (here, later)
        ),
    )
    buildkit.build(engine, Context(tuple(sorted(files))), tags=[name])
    yield name, here, later
    engine.client.images.remove(name)


def test_apt_drift_is_named_before_anything_is_done(
    engine: Engine, builder: Builder, ssh_plan: Plan, moving: tuple[str, Path, Path]
) -> None:
    base, here, later = moving
    plan = small(ssh_plan, "ik-drift", "ik-moving")
    plan = replace(plan, os=replace(plan.os, image=base))
    lab = site.load()
    builder.image(plan)
    first = build.build(engine, plan, lab, Options(), ignore)
    lock = record.record(engine, plan, first, lab, ignore)
    (row,) = (row for row in lock.apt if row.name == "ik-moving")
    assert (row.version, len(row.sha256)) == ("1.0", 1)
    shutil.rmtree(here)
    later.rename(here)
    assert drift(engine, plan, lock) == (
        "ik-drift: apt drift: ik-moving: locked 1.0, the mirror has 2.0\n"
        "  hint: imagekit build ik-drift --lock takes what the mirror has now"
    )
    swapped = replace(row, version="2.0", sha256=("0" * 64,))
    others = (swapped, Row("ik-none", "1-1", "all", ("0" * 64,)))
    rows = (*(kept for kept in lock.apt if kept != row), *others)
    found = drift(engine, plan, replace(lock, apt=rows)).splitlines()
    digits = hashlib.sha256((here / "ik-moving_2.0_amd64.deb").read_bytes()).hexdigest()
    other = f"the mirror has this version with another checksum, sha256:{digits}"
    assert found[:2] == [
        f"ik-drift: apt drift: ik-moving: locked 2.0, {other}",
        "ik-drift: apt drift: ik-none: locked 1-1, the mirror has no such package",
    ]


def drift(engine: Engine, plan: Plan, lock: Lock) -> str:
    """What a frozen build says that cannot have what is locked."""
    frozen = freeze.freeze(engine, plan, lock, site.load(), ignore)
    with pytest.raises(BuildFailedError) as failed:
        build.build(engine, plan, site.load(), Options(frozen=frozen), ignore)
    return str(freeze.drift(failed.value, plan))


def test_a_lock_of_another_plan_is_refused(locked_plan: Plan, lock: Lock, tmp_path: Path) -> None:
    path = tmp_path / "ik-locked.lock"
    path.write_text(file.dump(lock))
    with pytest.raises(InputError, match="changed: conda"):
        file.load(path, replace(locked_plan, conda=True))
