"""desktop-keys: what the front is told of the desktop's passwords, and the key behind it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imagekit import assets
from tests.required import missing

PROGRAM = assets.folder("templates") / "rootfs/desktop/usr/lib/imagekit/desktop-keys"


@pytest.fixture(autouse=True)
def openssl() -> None:
    """The program that makes the hash for nginx."""
    if shutil.which("openssl") is None:
        missing("openssl", "openssl is not installed")


def token(folder: Path) -> str:
    """What opens a session at a start, with the key that lies in the folder."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder / "key"), str(folder), "false"],
        input="password\n\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: str = json.loads((folder / "session.json").read_text("utf-8"))["token"]
    return said


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    first = token(tmp_path)
    assert token(tmp_path) == first
    (tmp_path / "key").unlink()
    assert token(tmp_path) != first
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"key", "session.json", "token.conf", "users"}


def test_an_empty_key_is_none(tmp_path: Path) -> None:
    """As a full disk or a kill left one: tokens would follow from the password alone."""
    tokens = []
    for _ in range(2):
        (tmp_path / "key").write_bytes(b"")
        tokens.append(token(tmp_path))
    assert tokens[0] != tokens[1]
    assert (tmp_path / "key").stat().st_size == 64
