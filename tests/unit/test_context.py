"""Contexts: equal bytes for equal files, wherever they are packed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from imagekit.context import Context, ContextFile

FILES = (
    ContextFile("Dockerfile", b"FROM scratch\n"),
    ContextFile("build/" + "long-name/" * 12 + "file", b"x" * 1000),
    ContextFile("rootfs/bin/中文", b"#!/bin/sh\n", executable=True),
)


def test_the_archive_holds_exactly_the_files() -> None:
    with tarfile.open(fileobj=io.BytesIO(Context(FILES).tar())) as archive:
        members = archive.getmembers()
        contents = [archive.extractfile(member).read() for member in members]  # type: ignore[union-attr]
    assert [member.name for member in members] == [file.path for file in FILES]
    assert contents == [file.data for file in FILES]
    assert [member.mode for member in members] == [0o644, 0o644, 0o755]
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {
        (0, 0, "", "")
    }
    assert {member.mtime for member in members} == {1_577_836_800}


def test_the_archive_begins_with_no_pax_header() -> None:
    # The engine would take such an archive for a Dockerfile.
    packed = Context(FILES).tar()
    assert packed[257:265] == b"ustar  \0"  # GNU; POSIX has ustar\0 00
    assert packed[156:157] == tarfile.REGTYPE
    assert b"PaxHeader" not in packed


def test_equal_contexts_give_equal_bytes() -> None:
    assert Context(FILES).tar() == Context(tuple(FILES)).tar()


def test_the_dockerfile_is_found_by_its_name() -> None:
    assert Context(FILES).dockerfile == "FROM scratch\n"


def test_writing_keeps_bytes_and_exec_bits_and_other_files(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    Context(FILES).write_to(folder)
    (folder / "mine").write_text("kept")
    (folder / "Dockerfile").write_text("old")
    (folder / "Dockerfile").chmod(0o755)
    Context(FILES).write_to(folder)
    for file in FILES:
        written = folder / file.path
        assert written.read_bytes() == file.data
        assert written.stat().st_mode & 0o777 == file.mode
    assert (folder / "mine").read_text() == "kept"
