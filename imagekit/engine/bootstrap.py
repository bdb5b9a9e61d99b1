"""A base image made on this host with debootstrap, for when no registry has one.

The packages come from a mirror whose signature is checked; nothing of this host goes
into the image but the mirror's address.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from imagekit.engine.aptsources import first_mirror, host_mirror, sources
from imagekit.engine.connection import Engine
from imagekit.engine.images import ImageFacts, import_root
from imagekit.engine.process import output, running
from imagekit.errors import EngineError, ImagekitError, InputError, Message, NetworkError
from imagekit.events import Emit, Notice, ignore

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
"""Debian's archive keys, from the package debian-archive-keyring."""

_SCRIPTS = Path("/usr/share/debootstrap/scripts")
_NEWEST_SCRIPT = "sid"  # serves Debian suites that this debootstrap is too old to know

# debootstrap's messages that begin a phase, and what people are told.
_PHASES = {
    "I: Retrieving InRelease": "checking the mirror's signature",
    "I: Retrieving Packages": "reading the list of packages",
    "I: Retrieving ": "downloading packages",
    "I: Extracting ": "unpacking the first packages",
    "I: Unpacking ": "unpacking packages",
    "I: Configuring ": "configuring packages",
}
_UNTRUSTED = re.compile(r"^E: .*(sign|keyring|gpg)", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"^E: .*\b(getting|downloading|download|retrieve|mirror)\b", re.IGNORECASE
)

# Left by debootstrap from this host, or rebuilt by the next apt; relative to the root.
_LEFTOVERS = (
    "etc/resolv.conf",
    "etc/hostname",
    "etc/apt/sources.list",
    "var/lib/dbus/machine-id",
    "var/cache/ldconfig/aux-cache",
)
_EMPTIED = ("var/lib/apt/lists", "var/cache/apt", "var/log", "var/cache/debconf", "tmp", "run")
_LOGIN_RECORDS = {"btmp", "faillog", "lastlog", "wtmp"}  # login programs expect these files
_MOUNTED = ("./dev/*", "./proc/*", "./sys/*")  # an engine fills these itself


def bootstrap(  # noqa: PLR0913 - what a base is made of, each by name
    engine: Engine,
    *,
    suite: str,
    ref: str,
    keyring: str = "",
    mirror: str = "",
    labels: Mapping[str, str] = {},
    on_event: Emit = ignore,
) -> ImageFacts:
    """Make a minimal Debian and import it as an image.

    Args:
        engine: where the image goes; it may be far away.
        suite: the release's code name, for instance ``bookworm``.
        ref: the image's name.
        keyring: file with the archive's keys; ``KEYRING`` by default.
        mirror: the archive; by default the one this host uses, else debootstrap's own.
        labels: the image's labels.
        on_event: told of the phases.

    Raises:
        EngineError: not root, a program or the keyring is missing, or it failed.
        NetworkError: the mirror cannot be reached, or its signature is wrong.
        InputError: ``suite`` is no code name.
    """
    keys = Path(keyring or KEYRING)
    _check(suite, keys)
    archive = mirror or host_mirror()
    on_event(
        Notice(f"{ref}: making Debian {suite} with debootstrap from {archive or 'its mirror'}")
    )
    with _folder() as folder:
        root = folder / "root"
        _debootstrap(suite, root, keys, archive, on_event)
        _clean(root, suite, archive or first_mirror(root))
        on_event(Notice(f"{ref}: importing it into the engine"))
        return import_root(engine, _tar(root), ref, labels=labels, changes=('CMD ["/bin/bash"]',))


def _check(suite: str, keyring: Path) -> None:
    """Raise unless everything that is needed is here."""
    if not re.fullmatch(r"[a-z][a-z0-9.-]*", suite):
        raise InputError(Message("suite", f"{suite!r} is no release's code name", "e.g. bookworm"))
    where = f"bootstrap of {suite}"
    if os.geteuid() != 0:
        raise EngineError(
            Message(where, "needs root, for chroot", "run with sudo, or pull or load a base image")
        )
    for program, package in (("debootstrap", "debootstrap"), ("gpgv", "gpgv")):
        if shutil.which(program, path=_path()) is None:
            hint = f"apt-get install {package}"
            raise EngineError(Message(where, f"{program} is not installed", hint))
    if not keyring.is_file():
        package = "debian-archive-keyring" if str(keyring) == KEYRING else ""
        hint = f"apt-get install {package}" if package else "name an existing keyring"
        raise EngineError(Message(where, f"the archive's keyring {keyring} is not there", hint))


@contextmanager
def _folder() -> Iterator[Path]:
    """A private folder, removed afterwards whatever happens.

    In /var/tmp by default, because /tmp is often small and mounted ``nodev``.
    """
    place = os.environ.get("TMPDIR") or "/var/tmp"  # noqa: S108 - mkdtemp's name is not guessable
    folder = Path(tempfile.mkdtemp(prefix="imagekit-", dir=place))
    try:
        yield folder
    finally:
        # debootstrap mounts in a namespace of its own, so nothing can be mounted here;
        # but deleting through a mounted /dev would hurt the host, so look.
        if str(folder) in Path("/proc/self/mountinfo").read_text(encoding="utf-8"):
            raise EngineError(Message(str(folder), "has mounts left and is not removed"))
        shutil.rmtree(folder)


def _debootstrap(suite: str, root: Path, keyring: Path, mirror: str, on_event: Emit) -> None:
    """Run debootstrap into ``root``."""
    command = [
        *("unshare", "--mount", "debootstrap", "--variant=minbase", "--force-check-gpg"),
        *(f"--keyring={keyring}", suite, str(root), mirror),
        *(() if (_SCRIPTS / suite).exists() else (_NEWEST_SCRIPT,)),
    ]
    env = {**os.environ, "PATH": _path(), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    last: deque[str] = deque(maxlen=20)
    told: set[str] = set()
    with running(command, env=env, stderr=subprocess.STDOUT) as process:
        for raw in process.stdout or ():
            line = raw.decode(errors="replace").rstrip()
            last.append(line)
            phase = next((text for start, text in _PHASES.items() if line.startswith(start)), "")
            if phase and phase not in told:
                told.add(phase)
                on_event(Notice(f"{suite}: {phase}"))
        code = process.wait()
    if code:
        raise _failure(suite, code, list(last))


def _failure(suite: str, code: int, lines: list[str]) -> ImagekitError:
    """The error for debootstrap's last lines."""
    where = f"bootstrap of {suite}"
    errors = [line for line in lines if line.startswith(("E:", "W: Failure"))]
    text = "; ".join(errors or lines[-3:]) or "no message"
    what = f"debootstrap ended with {code}: {text}"
    if any(map(_UNTRUSTED.match, errors)):
        hint = "the mirror is not what it says, or debian-archive-keyring is too old"
        return NetworkError(Message(where, what, hint))
    if any(map(_UNREACHABLE.match, errors)):
        return NetworkError(Message(where, what, "check the mirror and the way to it"))
    hint = "set TMPDIR to a folder on a disk that is mounted without nodev and noexec"
    return EngineError(Message(where, what, hint if "noexec or nodev" in text else ""))


def _clean(root: Path, suite: str, mirror: str) -> None:
    """Leave nothing of this host and no caches; write the package sources."""
    for path in _LEFTOVERS:
        (root / path).unlink(missing_ok=True)
    for name in _EMPTIED:
        for folder, _, files in os.walk(root / name):
            for file in files:
                if file in _LOGIN_RECORDS:
                    os.truncate(Path(folder) / file, 0)
                else:
                    (Path(folder) / file).unlink()
    for old in (*(root / "var/lib/dpkg").glob("*-old"), *(root / "etc").glob("*-")):
        old.unlink()
    machine_id = root / "etc/machine-id"
    if machine_id.is_file():
        machine_id.write_bytes(b"")
    keyrings = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")
    names = (f"usr/share/keyrings/{name}" for name in keyrings)
    signed_by = next((f"/{name}" for name in names if (root / name).exists()), "")
    target = root / "etc/apt/sources.list.d/debian.sources"
    target.write_text(sources(mirror, suite, signed_by), encoding="utf-8")


def _tar(root: Path) -> Iterator[bytes]:
    """The archive of ``root`` in pieces, without what an engine mounts itself."""
    excludes = (f"--exclude={pattern}" for pattern in _MOUNTED)
    command = ["tar", "--numeric-owner", "--sort=name", *excludes, "-C", str(root), "-c", "."]
    return output(command)


def _path() -> str:
    """The search path with the administrator's folders, which sudo and cron may lack."""
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
