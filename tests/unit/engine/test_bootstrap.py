"""Bootstrapping, with a debootstrap that does what the test says."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine import bootstrap as module
from imagekit.engine import keyrings
from imagekit.engine.bootstrap import bootstrap
from imagekit.engine.images import ImageFacts
from imagekit.errors import EngineError, InputError, NetworkError
from imagekit.events import Event, Notice
from imagekit.wait import Deadline, NotYetError, until

FACTS = ImageFacts("sha256:1", {}, 1, "", ("a:1",), "linux", "amd64")

# Arguments: --variant --force-check-gpg --keyring SUITE ROOT MIRROR [SCRIPT]
MAKES_A_ROOT = """#!/bin/sh
echo "$@" > {log}
root=$5
mkdir -p $root/etc/apt/sources.list.d $root/var/log/apt $root/var/lib/apt/lists/partial
mkdir -p $root/usr/share/keyrings $root/dev $root/tmp
touch $root/var/lib/apt/lists/x_Packages
touch $root/usr/share/keyrings/debian-archive-keyring.gpg
touch $root/usr/share/keyrings/ubuntu-archive-keyring.gpg
echo "deb http://default.test/debian $4 main" > $root/etc/apt/sources.list
for f in resolv.conf hostname machine-id passwd passwd-; do echo host > $root/etc/$f; done
echo host > $root/var/log/bootstrap.log; echo host > $root/var/log/wtmp
echo x > $root/dev/thing
echo "I: Retrieving InRelease"; echo "I: Retrieving apt 1"; echo "I: Retrieving bash 2"
"""


@dataclass
class Place:
    """A host with programs of the test's making."""

    folder: Path
    log: Path
    keyring: Path
    temporary: Path
    imported: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def debootstrap(self, script: str) -> None:
        path = self.folder / "debootstrap"
        path.write_text(script.replace("{log}", str(self.log)))
        path.chmod(0o755)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    host = Place(tmp_path / "bin", tmp_path / "log", tmp_path / "keys.gpg", tmp_path / "tmp")
    for folder in (host.folder, host.temporary):
        folder.mkdir()
    host.keyring.touch()
    host.debootstrap(MAKES_A_ROOT)
    for name, text in (("unshare", '#!/bin/sh\nshift\nexec "$@"\n'), ("gpgv", "#!/bin/sh\n")):
        (host.folder / name).write_text(text)
        (host.folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{host.folder}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(host.temporary))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, "host_mirror", lambda _: "")
    keys = {"debian": host.keyring, "ubuntu": host.keyring}
    monkeypatch.setattr(keyrings, "FILES", keys)

    def import_root(
        engine: object,
        chunks: Iterable[bytes],
        ref: str,
        labels: dict[str, str],
        changes: tuple[str, ...],
    ) -> ImageFacts:
        host.labels.update(labels)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            for member in archive:
                file = archive.extractfile(member)
                host.imported[member.name] = file.read() if file else b""
        return FACTS

    monkeypatch.setattr(module, "import_root", import_root)
    return host


def make(place: Place, **more: Any) -> tuple[ImageFacts, list[str]]:
    events: list[Event] = []
    facts = bootstrap(
        None,  # type: ignore[arg-type]
        ref="a:1",
        labels={"k": "v"},
        on_event=events.append,
        **{"suite": "bookworm", **more},
    )
    return facts, [event.text for event in events if isinstance(event, Notice)]


def test_image_holds_nothing_of_the_host(place: Place) -> None:
    facts, told = make(place)
    assert facts == FACTS
    assert place.labels == {"k": "v"}
    files = place.imported
    assert files["./etc/apt/sources.list.d/debian.sources"].startswith(
        b"Types: deb\nURIs: http://default.test/debian\nSuites: bookworm bookworm-updates\n"
    )
    assert (
        b"Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
        in (files["./etc/apt/sources.list.d/debian.sources"])
    )
    assert files["./etc/machine-id"] == b""
    assert files["./var/log/wtmp"] == b""
    gone = {
        *("./etc/resolv.conf", "./etc/hostname", "./etc/passwd-", "./etc/apt/sources.list"),
        *("./var/log/bootstrap.log", "./var/lib/apt/lists/x_Packages", "./dev/thing"),
    }
    assert not gone & set(files)
    assert {"./etc/passwd", "./dev", "./var/lib/apt/lists/partial"} <= set(files)
    assert told == [
        "a:1: making Debian bookworm with debootstrap from its mirror",
        "bookworm: checking the mirror's signature",
        "bookworm: downloading packages",
        "a:1: importing it into the engine",
    ]
    assert list(place.temporary.iterdir()) == []


def test_signature_is_always_checked(place: Place) -> None:
    make(place, mirror="http://m.test/debian")
    said = place.log.read_text().split()
    assert said[:4] == [
        "--variant=minbase",
        "--force-check-gpg",
        f"--keyring={place.keyring}",
        "bookworm",
    ]
    assert said[5] == "http://m.test/debian"


@pytest.mark.parametrize(("family", "script"), [("debian", "sid"), ("ubuntu", "gutsy")])
def test_release_that_debootstrap_does_not_know(
    place: Place, monkeypatch: pytest.MonkeyPatch, family: str, script: str
) -> None:
    monkeypatch.setattr(module, "_SCRIPTS", place.folder)
    make(place, mirror="http://m.test/debian", family=family)
    assert place.log.read_text().split()[-1] == script


def test_an_ubuntu_has_its_own_sources(place: Place) -> None:
    _, told = make(place, suite="noble", family="ubuntu", mirror="http://m.test/ubuntu")
    text = place.imported["./etc/apt/sources.list.d/ubuntu.sources"]
    assert text.startswith(b"Types: deb\nURIs: http://m.test/ubuntu\nSuites: noble noble-updates")
    assert b"Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg" in text
    assert told[0] == "a:1: making Ubuntu noble with debootstrap from http://m.test/ubuntu"


def test_older_releases_have_one_line_sources(place: Place) -> None:
    make(place, suite="bullseye", one_line=True, mirror="http://m.test/debian")
    assert place.imported["./etc/apt/sources.list"].startswith(
        b"deb http://m.test/debian bullseye main\n"
    )
    assert "./etc/apt/sources.list.d/debian.sources" not in place.imported


@pytest.mark.parametrize(
    ("message", "kind", "expected"),
    [
        ("E: Failed getting release file http://m.test", NetworkError, "the way to it"),
        ("E: Release signed by unknown key (key id 1)", NetworkError, "too old"),
        ("E: Cannot install into target '/t' mounted with noexec or nodev", EngineError, "TMPDIR"),
        ("W: Failure trying to run: chroot /t mount", EngineError, "ended with 7"),
    ],
)
def test_failure(place: Place, message: str, kind: type[Exception], expected: str) -> None:
    place.debootstrap(f'#!/bin/sh\nmkdir $5\necho I: Retrieving x\necho "{message}" >&2\nexit 7\n')
    with pytest.raises(kind, match=expected):
        make(place)
    assert place.imported == {}
    assert list(place.temporary.iterdir()) == []


def test_interrupt_ends_the_whole_group(place: Place) -> None:
    place.debootstrap(
        '#!/bin/sh\nmkdir $5\nsleep 60 & echo $! > {log}\necho "I: Retrieving InRelease"\nwait\n'
    )

    def interrupt(event: Event) -> None:
        if isinstance(event, Notice) and "signature" in event.text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bootstrap(
            None,  # type: ignore[arg-type]
            suite="bookworm",
            ref="a:1",
            on_event=interrupt,
        )
    assert list(place.temporary.iterdir()) == []
    until(partial(gone, place.log.read_text().strip()), Deadline.after(20))


def gone(pid: str) -> None:
    """Killed processes end when the kernel gets to it; a zombie has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        if Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
            raise NotYetError(f"process {pid} runs")


def test_not_root(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EngineError, match="needs root"):
        make(place)


@pytest.mark.parametrize("program", ["debootstrap", "gpgv"])
def test_missing_program(place: Place, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    (place.folder / program).unlink()
    monkeypatch.setattr(module, "_path", lambda: str(place.folder))
    with pytest.raises(EngineError, match=f"apt-get install {program}"):
        make(place)


@pytest.mark.parametrize("suite", ["", "../x", "book worm", "-x"])
def test_wrong_suite(place: Place, suite: str) -> None:
    with pytest.raises(InputError, match="no release's code name"):
        make(place, suite=suite)
