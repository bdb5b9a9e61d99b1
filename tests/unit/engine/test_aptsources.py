"""The host's mirror, and the sources of a base."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.engine.aptsources import host_mirror, host_uris, one_line_sources, sources


def write(root: Path, name: str, text: str) -> None:
    path = root / "etc" / "apt" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\ndeb [arch=amd64 signed-by=/k] https://m.test/x/debian bookworm main\n",
        "deb-src http://other.test/debian bookworm main\ndeb https://m.test/x/debian/ sid main\n",
        "deb http://m.test/ubuntu noble main\ndeb https://m.test/x/debian sid main\n",
        "deb http://me:secret@m.test/debian sid main\ndeb https://m.test/x/debian sid main\n",
        "deb cdrom:[x]/debian sid main\ndeb https://m.test/x/debian sid main\n",
    ],
)
def test_one_line_style(tmp_path: Path, text: str) -> None:
    write(tmp_path, "sources.list", text)
    assert host_mirror(root=tmp_path) == "https://m.test/x/debian"


def test_deb822_style(tmp_path: Path) -> None:
    write(
        tmp_path,
        "sources.list.d/debian.sources",
        """\
Types: deb
URIs: https://m.test/debian-security
Suites: bookworm-security

Enabled: no
Types: deb
URIs: https://off.test/debian

Types: deb-src
URIs: https://src.test/debian

Types: deb deb-src
# a comment
URIs: https://m.test/ubuntu
 https://m.test/debian/
Suites: bookworm
""",
    )
    assert host_mirror(root=tmp_path) == "https://m.test/debian"


def test_no_debian_mirror(tmp_path: Path) -> None:
    assert host_mirror(root=tmp_path) == ""
    write(tmp_path, "sources.list", "deb http://m.test/ubuntu noble main\n")
    write(tmp_path, "sources.list.d/old.save", "deb http://m.test/debian sid main\n")
    assert host_mirror(root=tmp_path) == ""


def test_sources_of_a_release() -> None:
    text = sources("https://m.test/x/debian/", "bookworm", signed_by="/k.gpg")
    assert text == (
        "Types: deb\nURIs: https://m.test/x/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main\nSigned-By: /k.gpg\n"
        "\n"
        "Types: deb\nURIs: https://m.test/x/debian-security\nSuites: bookworm-security\n"
        "Components: main\nSigned-By: /k.gpg\n"
    )


def test_sources_of_ubuntu_have_their_security_suite_in_the_archive() -> None:
    assert sources("http://m.test/ubuntu", "noble", "ubuntu") == (
        "Types: deb\nURIs: http://m.test/ubuntu\nSuites: noble noble-updates noble-security\n"
        "Components: main universe\n"
    )


def test_the_one_line_style_says_the_same() -> None:
    assert one_line_sources("http://m.test/debian", "bullseye") == (
        "deb http://m.test/debian bullseye main\n"
        "deb http://m.test/debian bullseye-updates main\n"
        "deb http://m.test/debian-security bullseye-security main\n"
    )
    assert one_line_sources("http://m.test/ubuntu/", "focal", "ubuntu") == (
        "deb http://m.test/ubuntu focal main universe\n"
        "deb http://m.test/ubuntu focal-updates main universe\n"
        "deb http://m.test/ubuntu focal-security main universe\n"
    )


@pytest.mark.parametrize("path", ["ubuntu", "ubuntu-ports"])
def test_a_mirror_of_ubuntu(tmp_path: Path, path: str) -> None:
    write(tmp_path, "sources.list", "deb http://m.test/debian sid main\n")
    write(tmp_path, "sources.list.d/ubuntu.sources", f"Types: deb\nURIs: http://m.test/{path}/\n")
    assert host_mirror("ubuntu", tmp_path) == f"http://m.test/{path}"
    assert host_mirror("debian", tmp_path) == "http://m.test/debian"
    assert list(host_uris(tmp_path)) == ["http://m.test/debian", f"http://m.test/{path}/"]


def test_sources_without_a_security_archive() -> None:
    assert "security" not in sources("https://m.test/packages", "bookworm")
    assert "Suites: sid\n" in sources("https://m.test/debian", "sid")
    assert "security" not in sources("https://m.test/debian", "sid")
