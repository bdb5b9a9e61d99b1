"""Podman's socket looks like an engine's, and is told from one before anything is built."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit.wait import Deadline, NotYetError, until
from tests.docker.support import Cli
from tests.required import missing


@pytest.fixture
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a Podman with nothing in it."""
    program = shutil.which("podman")
    if program is None or os.geteuid() != 0:
        missing("podman", "podman is not installed, or this is not root")
    folder = tmp_path_factory.mktemp("podman")
    path = folder / "socket"
    places = [f"--root={folder / 'root'}", f"--runroot={folder / 'run'}"]
    # The other storage driver leaves a mount behind.
    drivers = ["--storage-driver=vfs", "--cgroup-manager=cgroupfs"]
    command = [program, *places, *drivers, "system", "service", "--time=0"]
    process = subprocess.Popen([*command, f"unix://{path}"], stderr=subprocess.DEVNULL)

    def listens() -> None:
        assert process.poll() is None, "podman ended"
        if not path.exists():
            raise NotYetError(str(path))

    try:
        until(listens, Deadline.after(30))
        yield path
    finally:
        process.terminate()
        process.wait(30)


def test_it_is_refused_by_name(cli: Cli, podman: Path) -> None:
    done = cli("build", "debian12-desktop", "--engine", f"unix://{podman}", check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "this is Podman " in done.stderr
    assert "hint: use a Docker Engine" in done.stderr
