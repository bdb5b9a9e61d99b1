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

from imagekit.engine.aptsources import first_mirror, host_mirror, one_line_sources, sources
from imagekit.engine.connection import Engine
from imagekit.engine.images import ImageFacts, import_root
from imagekit.engine.keyrings import keyring as find_keyring
from imagekit.engine.process import output, running
from imagekit.errors import EngineError, ImagekitError, InputError, Message, NetworkError
from imagekit.events import Emit, Notice, ignore

_SCRIPTS = Path("/usr/share/debootstrap/scripts")
# By family, the script for suites that this debootstrap is too old to know; all newer ones
# are links to it.
_NEWEST_SCRIPT = {"debian": "sid", "ubuntu": "gutsy"}

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
    family: str = "debian",
    one_line: bool = False,
    mirror: str = "",
    labels: Mapping[str, str] = {},
    on_event: Emit = ignore,
) -> ImageFacts:
    """Make a minimal Debian or Ubuntu and import it as an image.

    Args:
        engine: where the image goes; it may be far away.
        suite: the release's code name, for instance ``bookworm``.
        ref: the image's name.
        family: ``debian`` or ``ubuntu``.
        one_line: write the apt sources in the one-line style, as older releases have them,
            and not as deb822.
        mirror: the archive; by default the one this host uses, else debootstrap's own.
        labels: the image's labels.
        on_event: told of the phases.

    Raises:
        EngineError: not root, a program or the archive's keys are missing, or it failed.
        NetworkError: the mirror cannot be reached, or its signature is wrong.
        InputError: ``suite`` is no code name.
    """
    _check(suite)
    archive = mirror or host_mirror(family)
    what = f"{family.title()} {suite}"
    on_event(Notice(f"{ref}: making {what} with debootstrap from {archive or 'its mirror'}"))
    with _folder() as folder:
        root = folder / "root"
        (folder / "keys").mkdir()
        keys = find_keyring(family, folder / "keys")
        script = "" if (_SCRIPTS / suite).exists() else _NEWEST_SCRIPT[family]
        _debootstrap((suite, str(root), archive, script), keys, on_event)
        archive = archive or first_mirror(root)
        _clean(root)
        _write_sources(root, archive, suite, family, one_line=one_line)
        on_event(Notice(f"{ref}: importing it into the engine"))
        return import_root(engine, _tar(root), ref, labels=labels, changes=('CMD ["/bin/bash"]',))


def _check(suite: str) -> None:
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


def _debootstrap(what: tuple[str, str, str, str], keyring: Path, on_event: Emit) -> None:
    """Run debootstrap: suite, root, mirror (empty for its own) and script (empty likewise)."""
    suite, *_, script = what
    command = [
        *("unshare", "--mount", "debootstrap", "--variant=minbase", "--force-check-gpg"),
        *(f"--keyring={keyring}", *(what if script else what[:-1])),
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
        hint = "the mirror is not what it says, or the archive's keyring is too old"
        return NetworkError(Message(where, what, hint))
    if any(map(_UNREACHABLE.match, errors)):
        return NetworkError(Message(where, what, "check the mirror and the way to it"))
    hint = "set TMPDIR to a folder on a disk that is mounted without nodev and noexec"
    return EngineError(Message(where, what, hint if "noexec or nodev" in text else ""))


def _clean(root: Path) -> None:
    """Leave nothing of this host and no caches."""
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


def _write_sources(root: Path, mirror: str, suite: str, family: str, *, one_line: bool) -> None:
    """Write the package sources in the place and the style that the official images have."""
    if one_line:
        text = one_line_sources(mirror, suite, family)
        (root / "etc/apt/sources.list").write_text(text, encoding="utf-8")
        return
    names = (f"usr/share/keyrings/{family}-archive-keyring.{suffix}" for suffix in ("pgp", "gpg"))
    signed_by = next((f"/{name}" for name in names if (root / name).exists()), "")
    target = root / f"etc/apt/sources.list.d/{family}.sources"
    target.write_text(sources(mirror, suite, family, signed_by), encoding="utf-8")


def _tar(root: Path) -> Iterator[bytes]:
    """The archive of ``root`` in pieces, without what an engine mounts itself."""
    excludes = (f"--exclude={pattern}" for pattern in _MOUNTED)
    command = ["tar", "--numeric-owner", "--sort=name", *excludes, "-C", str(root), "-c", "."]
    return output(command)


def _path() -> str:
    """The search path with the administrator's folders, which sudo and cron may lack."""
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
