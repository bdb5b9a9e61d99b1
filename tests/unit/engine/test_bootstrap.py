"""Bootstrapping, with a debootstrap that does what the test says."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from imagekit.engine import bootstrap as module
from imagekit.engine import debootstrap, keyrings
from imagekit.engine.bootstrap import ORIGIN_LABEL, Recipe, bootstrap
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
echo signed > $root/var/lib/apt/lists/host_debian_dists_$4_InRelease
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

    def program(self, script: str, name: str = "debootstrap") -> None:
        path = self.folder / name
        path.write_text(script.replace("{log}", str(self.log)))
        path.chmod(0o755)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    host = Place(tmp_path / "bin", tmp_path / "log", tmp_path / "keys.gpg", tmp_path / "tmp")
    for folder in (host.folder, host.temporary):
        folder.mkdir()
    host.keyring.touch()
    host.program(MAKES_A_ROOT)
    for name, text in (("unshare", '#!/bin/sh\nshift\nexec "$@"\n'), ("gpgv", "#!/bin/sh\n")):
        (host.folder / name).write_text(text)
        (host.folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{host.folder}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(host.temporary))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, "host_mirror", lambda _: "")
    monkeypatch.setattr(debootstrap, "search_path", lambda: f"{host.folder}:/usr/bin:/bin")
    monkeypatch.setattr(debootstrap, "PROGRAMS", ("debootstrap",))
    monkeypatch.setattr(debootstrap, "_MERGED_USR", host.folder)
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
        Recipe(**{"suite": "bookworm", **more}),
        "a:1",
        labels={"k": "v"},
        on_event=events.append,
    )
    return facts, [event.text for event in events if isinstance(event, Notice)]


def test_image_holds_nothing_of_the_host(place: Place) -> None:
    facts, told = make(place)
    assert facts == FACTS
    origin = Recipe("bookworm", mirror="http://default.test/debian").origin(b"signed\n")
    assert place.labels == {"k": "v", ORIGIN_LABEL: origin}
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
    monkeypatch.setattr(debootstrap, "_SCRIPTS", place.folder)
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
    place.program(f'#!/bin/sh\nmkdir $5\necho I: Retrieving x\necho "{message}" >&2\nexit 7\n')
    with pytest.raises(kind, match=expected):
        make(place)
    assert place.imported == {}
    assert list(place.temporary.iterdir()) == []


def test_interrupt_ends_the_whole_group(place: Place) -> None:
    place.program(
        '#!/bin/sh\nmkdir $5\nsleep 60 & echo $! > {log}\necho "I: Retrieving InRelease"\nwait\n'
    )

    def interrupt(event: Event) -> None:
        if isinstance(event, Notice) and "signature" in event.text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bootstrap(
            None,  # type: ignore[arg-type]
            Recipe("bookworm"),
            "a:1",
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


@pytest.mark.parametrize(("program", "package"), [("debootstrap", "debootstrap"), ("gpgv", "gpgv")])
def test_missing_program(
    place: Place, monkeypatch: pytest.MonkeyPatch, program: str, package: str
) -> None:
    (place.folder / program).unlink()
    for at in (module, debootstrap):
        monkeypatch.setattr(at, "search_path", lambda: str(place.folder))
    with pytest.raises(EngineError, match=f"apt-get install {package}"):
        make(place)


@pytest.mark.parametrize("suite", ["", "../x", "book worm", "-x"])
def test_wrong_suite(place: Place, suite: str) -> None:
    with pytest.raises(InputError, match="no release's code name"):
        make(place, suite=suite)


# Arguments: --mode --format --variant --keyring --skip --hook-dir SUITE ROOT LINE
MMDEBSTRAP = """#!/bin/sh
printf '%s\\n' "$@" > {log}
root=$8
mkdir -p $root/etc/apt/sources.list.d $root/var/lib/apt/lists $root/var/lib/dpkg
echo signed > $root/var/lib/apt/lists/host_dists_$7_InRelease
echo "I: running apt-get update..."; echo "I: downloading packages with apt..."
"""


@pytest.fixture
def both(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A host with both programs, which takes mmdebstrap."""
    monkeypatch.setattr(debootstrap, "PROGRAMS", ("mmdebstrap",))
    place.program(MMDEBSTRAP, "mmdebstrap")
    return place


def test_mmdebstrap_checks_the_same_keys_and_gives_a_base_of_the_same_origin(
    both: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, told = make(both, mirror="http://m.test/debian/")
    assert both.log.read_text().splitlines() == [
        *("--mode=root", "--format=directory", "--variant=minbase"),
        *(f"--keyring={both.keyring}", "--skip=cleanup/apt/lists", f"--hook-dir={both.folder}"),
        *("bookworm", ANY),
        "deb http://m.test/debian bookworm main",
    ]
    assert told[:3] == [
        "a:1: making Debian bookworm with mmdebstrap from http://m.test/debian",
        "bookworm: checking the mirror's signature",
        "bookworm: downloading packages",
    ]
    by_mmdebstrap = both.labels[ORIGIN_LABEL]
    monkeypatch.setattr(debootstrap, "PROGRAMS", ("debootstrap", "mmdebstrap"))
    make(both, mirror="http://m.test/debian")
    assert both.labels[ORIGIN_LABEL] == by_mmdebstrap


@pytest.mark.parametrize(
    ("message", "kind", "expected"),
    [
        ("E: Failed to fetch http://m.test  404  Not Found", NetworkError, "the way to it"),
        ("E: The repository 'http://m.test' is not signed.", NetworkError, "too old"),
        ("E: setup failed", EngineError, "mmdebstrap ended with 7: E: setup failed"),
    ],
)
def test_failure_of_mmdebstrap(
    both: Place, message: str, kind: type[Exception], expected: str
) -> None:
    both.program(f'#!/bin/sh\necho "{message}" >&2\nexit 7\n', "mmdebstrap")
    with pytest.raises(kind, match=expected):
        make(both)


def test_neither_program(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debootstrap, "PROGRAMS", ("no-such-program", "nor-this"))
    with pytest.raises(EngineError) as failed:
        make(place)
    assert str(failed.value) == (
        "bootstrap of bookworm: neither no-such-program nor nor-this is installed\n"
        "  hint: apt-get install no-such-program"
    )


def test_a_base_is_identified_by_its_mirror_its_release_and_what_the_archive_holds() -> None:
    one = Recipe("bookworm", mirror="http://m.test/debian")
    origins = {
        one.origin(b"a"),
        one.origin(b"b"),
        Recipe("trixie", mirror="http://m.test/debian").origin(b"a"),
        Recipe("bookworm", mirror="http://n.test/debian").origin(b"a"),
        Recipe("bookworm", mirror="http://m.test/debian", one_line=True).origin(b"a"),
    }
    assert len(origins) == 5
    assert one.origin(b"a") == Recipe("bookworm", mirror="http://m.test/debian/").origin(b"a")
    assert one.index == "http://m.test/debian/dists/bookworm/InRelease"


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz"])
def test_a_root_is_written_as_an_archive(place: Place, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"base.{suffix}"
    file.write_text("old")
    assert module.write(Recipe("bookworm"), file) == sha256(file.read_bytes()).hexdigest()
    with tarfile.open(file) as archive:
        assert "./etc/passwd" in archive.getnames()
    assert not list(tmp_path.glob(".base*"))


def test_an_archive_that_fails_leaves_the_old_one(place: Place, tmp_path: Path) -> None:
    place.program("#!/bin/sh\nexit 7\n")
    file = tmp_path / "base.tar"
    file.write_text("old")
    with pytest.raises(EngineError):
        module.write(Recipe("bookworm"), file)
    assert file.read_text() == "old"
    assert not list(tmp_path.glob(".base*"))
