"""Where an engine keeps its images, and whether that can be seen from here."""

from __future__ import annotations

import shutil
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from imagekit.engine import disk as module
from imagekit.engine.disk import Disk, disk

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine
    from tests.unit.engine.conftest import FakeEngine


@pytest.fixture
def root(fake: FakeEngine, tmp_path: Path) -> Path:
    """The engine's folder, on this host."""
    fake.info.update(Name=socket.gethostname(), DockerRootDir=str(tmp_path))
    return tmp_path


def test_a_local_engines_disk_is_measured(root: Path, engine: Engine) -> None:
    found = disk(engine)
    assert found is not None
    assert found.folder == str(root)
    total = shutil.disk_usage(root).total
    assert 0 <= found.free < total


def test_of_two_folders_the_one_with_more_room_counts(
    root: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = {str(root): 5, "/var/lib/containerd": 9}
    monkeypatch.setattr(
        module.shutil, "disk_usage", lambda folder: SimpleNamespace(free=room[folder])
    )
    assert disk(engine) == Disk(str(root), 5)
    assert disk(replace(engine, store="containerd")) == Disk("/var/lib/containerd", 9)


@pytest.mark.parametrize(
    "facts",
    [
        {"Name": "another-host"},
        {"DockerRootDir": "/nowhere/at/all"},  # another mount namespace
        {"DockerRootDir": ""},
        {"Name": None},
    ],
)
def test_what_cannot_be_seen_is_unknown(
    fake: FakeEngine, root: Path, engine: Engine, facts: dict[str, str | None]
) -> None:
    fake.info.update(facts)
    assert disk(engine) is None


def test_an_engine_behind_an_address_is_not_asked(fake: FakeEngine, engine: Engine) -> None:
    before = list(fake.asked)
    assert disk(replace(engine, address="ssh://host")) is None
    assert fake.asked == before
