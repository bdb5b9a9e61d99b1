"""A file is there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagekit import atomic


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    with atomic.written(file) as opened:
        opened.write(b"new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    umask = os.umask(0)
    os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask
    assert list(tmp_path.iterdir()) == [file]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic.written(tmp_path / "a"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
