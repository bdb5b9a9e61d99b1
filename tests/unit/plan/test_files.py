"""The files of a profile's own: read beside it, kept out of what others own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.plan.files import MAX_BYTES
from imagekit.plan.model import File, Plan, from_json

Planned = Callable[[str], Plan]
Refused = Callable[[str], list[str]]
Write = Callable[..., str]


def test_text_and_files_beside_the_profile_arrive_with_their_checksums(
    planned: Planned, write: Write
) -> None:
    write("echo hi\n", "tools/hello")
    plan = planned(
        'files: [{path: /opt/b, from: tools/hello, mode: "0755"}, {path: /etc/motd, text: 你好}]'
    )
    motd = "你好".encode()
    assert plan.files == (
        File("/etc/motd", "0644", hashlib.sha256(motd).hexdigest()),
        File("/opt/b", "0755", hashlib.sha256(b"echo hi\n").hexdigest()),
    )
    assert [file.data for file in plan.files] == [motd, b"echo hi\n"]


def test_the_digest_follows_the_content_and_json_leaves_it_out(
    planned: Planned, write: Write
) -> None:
    write("one", "a")
    first = planned("files: [{path: /a, from: a}]")
    write("two", "a")
    second = planned("files: [{path: /a, from: a}]")
    assert first.digest != second.digest
    assert '"data"' not in first.to_json()
    assert from_json(first.to_json()) == first


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/etc/ssh/sshd_config",
        "/proc/x",
        "/run/x",
        "/tmp/x",  # noqa: S108
        "/opt/venv/bin/x",
        "/usr/lib/imagekit/init",
        "/var/lib/dpkg/status",
    ],
)
def test_what_others_own_is_refused(refused: Refused, path: str) -> None:
    (message,) = refused(f"files: [{{path: {path}, text: x}}]")
    assert message.startswith("x.yaml:2:16: files[0].path: ")
    assert "belongs to the image" in message


@pytest.mark.parametrize("path", ["/etc/../etc/passwd", "/a/./b", "/.."])
def test_a_path_that_goes_up_is_refused(refused: Refused, path: str) -> None:
    (message,) = refused(f"files: [{{path: {path}, text: x}}]")
    assert "goes up or nowhere" in message


def test_two_files_in_one_place_are_refused(refused: Refused) -> None:
    (twice,) = refused("files: [{path: /a, text: x}, {path: /a, text: y}]")
    assert 'files[1].path: "/a" comes twice' in twice
    (below,) = refused("files: [{path: /a, text: x}, {path: /a/b, text: y}]")
    assert "a file and a folder at once" in below


def test_a_missing_file_says_where_it_was_looked_for(refused: Refused) -> None:
    (message,) = refused("files: [{path: /a, from: none/here}]")
    assert "files[0].from: none/here cannot be read: No such file or directory" in message
    assert "relative to the profile's folder" in message


def test_a_symbolic_link_is_refused_wherever_it_leads(
    refused: Refused, write: Write, place: Path
) -> None:
    write("x", "real/file")
    (place / "link").symlink_to("/etc")
    (message,) = refused("files: [{path: /a, from: link/hostname}]")
    assert "files[0].from: link is a symbolic link" in message


def test_what_is_no_regular_file_or_too_large_is_refused(
    refused: Refused, write: Write, place: Path
) -> None:
    (place / "folder").mkdir()
    (message,) = refused("files: [{path: /a, from: folder}]")
    assert "is not a regular file" in message
    write("x" * (MAX_BYTES + 1), "large")
    (message,) = refused("files: [{path: /a, from: large}]")
    assert "larger than 1024 KiB" in message


@pytest.mark.parametrize("name", ["id_rsa", "keys/id_ed25519", "site.pem", "tls.key"])
def test_what_looks_like_a_secret_is_refused_unread(refused: Refused, name: str) -> None:
    (message,) = refused(f"files: [{{path: /a, from: {name}}}]")
    assert "looks like a secret" in message


def test_a_file_of_a_mixin_is_looked_for_beside_the_mixin(
    planned: Planned, write: Write, place: Path
) -> None:
    write("x", "other/motd")
    write("profile: 1\nfiles: [{path: /etc/motd, from: motd}]", "other/y.yaml")
    write("profile: 1\nfiles: [{path: /a, text: a}]", "profiles/_m.yaml")
    plan = planned("extends: [_m]\nfiles: [{path: /b, text: b}]")
    assert [file.path for file in plan.files] == ["/a", "/b"]
