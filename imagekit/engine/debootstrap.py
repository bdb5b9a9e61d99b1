"""The programs that make a root from an apt archive: debootstrap and mmdebstrap.

Both check the archive's signature against the keyring that they are given, and both end
with the same packages. Manuals: debootstrap(8), mmdebstrap(1).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.engine.process import running
from imagekit.errors import EngineError, ImagekitError, Message, NetworkError
from imagekit.events import Emit, Notice

MMDEBSTRAP = "mmdebstrap"
DEBOOTSTRAP = "debootstrap"

PROGRAMS = (DEBOOTSTRAP, MMDEBSTRAP)
"""In the order of preference; docs/bases.md says why."""

_SCRIPTS = Path("/usr/share/debootstrap/scripts")
# By family, the script for suites that this debootstrap is too old to know; all newer ones
# are links to it.
_NEWEST_SCRIPT = {"debian": "sid", "ubuntu": "gutsy"}

_MERGED_USR = Path("/usr/share/mmdebstrap/hooks/maybe-merged-usr")

# Messages that begin a phase, and what people are told.
_PHASES = {
    "I: Retrieving InRelease": "checking the mirror's signature",
    "I: Retrieving Packages": "reading the list of packages",
    "I: Retrieving ": "downloading packages",
    "I: Extracting ": "unpacking the first packages",
    "I: Unpacking ": "unpacking packages",
    "I: Configuring ": "configuring packages",
    "I: running apt-get update": "checking the mirror's signature",
    "I: downloading packages with apt": "downloading packages",
    "I: extracting archives": "unpacking the first packages",
    "I: installing essential packages": "configuring packages",
}
_ERRORS = ("E:", "W: Failure", "Err:")
_UNTRUSTED = re.compile(r"^E: .*(sign|keyring|gpg)", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"^(E: .*\b(getting|downloading|download|fetch|retrieve|mirror)\b|Err:)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Order:
    """What root to make, and where.

    Attributes:
        suite: the release's code name.
        family: ``debian`` or ``ubuntu``.
        mirror: the archive's address; empty for the program's own.
        keyring: file with the archive's keys.
        root: a folder that does not exist.
    """

    suite: str
    family: str
    mirror: str
    keyring: Path
    root: Path


def program() -> str:
    """The program that is used: the first of ``PROGRAMS`` that is installed, or empty."""
    return next((name for name in PROGRAMS if shutil.which(name, path=search_path())), "")


def make(order: Order, environment: Mapping[str, str], on_event: Emit) -> None:
    """Fill ``order.root`` with a minimal system.

    Args:
        order: what to make.
        environment: variables for the program, beside this process's own.
        on_event: told of the phases.

    Raises:
        EngineError: it failed on this host.
        NetworkError: the mirror cannot be reached, or its signature is wrong.
    """
    name = program()
    command = _mmdebstrap(order) if name == MMDEBSTRAP else _debootstrap(order)
    settings = {"PATH": search_path(), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    last: deque[str] = deque(maxlen=20)
    told: set[str] = set()
    env = {**os.environ, **environment, **settings}
    with running(command, env=env, stderr=subprocess.STDOUT) as process:
        for raw in process.stdout or ():
            line = raw.decode(errors="replace").rstrip()
            last.append(line)
            phase = next((text for start, text in _PHASES.items() if line.startswith(start)), "")
            if phase and phase not in told:
                told.add(phase)
                on_event(Notice(f"{order.suite}: {phase}"))
        code = process.wait()
    if code:
        raise _failure(name, order.suite, code, list(last))


def search_path() -> str:
    """The search path with the administrator's folders, which sudo and cron may lack."""
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _debootstrap(order: Order) -> list[str]:
    # The script comes after the mirror, which is empty for debootstrap's own.
    script = [] if (_SCRIPTS / order.suite).exists() else [_NEWEST_SCRIPT[order.family]]
    where = [order.mirror, *script] if order.mirror or script else []
    return [
        *("unshare", "--mount", DEBOOTSTRAP, "--variant=minbase", "--force-check-gpg"),
        *(f"--keyring={order.keyring}", order.suite, str(order.root), *where),
    ]


def _mmdebstrap(order: Order) -> list[str]:
    # Left alone, apt takes usrmerge with all of perl where debootstrap has usr-is-merged.
    hooks = [f"--hook-dir={_MERGED_USR}"] if _MERGED_USR.is_dir() else []
    # No --aptopt: it would stay in the root. The lists stay to be read.
    return [
        *("unshare", "--mount", MMDEBSTRAP, "--mode=root", "--format=directory"),
        *("--variant=minbase", f"--keyring={order.keyring}", "--skip=cleanup/apt/lists", *hooks),
        *(order.suite, str(order.root)),
        *([f"deb {order.mirror} {order.suite} main"] if order.mirror else []),
    ]


def _failure(name: str, suite: str, code: int, lines: list[str]) -> ImagekitError:
    """The error for a program's last lines."""
    where = f"bootstrap of {suite}"
    errors = [line for line in lines if line.startswith(_ERRORS)]
    text = "; ".join(errors or lines[-3:]) or "no message"
    what = f"{name} ended with {code}: {text}"
    if any(map(_UNTRUSTED.match, errors)) or "NO_PUBKEY" in "".join(lines):
        hint = "the mirror is not what it says, or the archive's keyring is too old"
        return NetworkError(Message(where, what, hint))
    if any(map(_UNREACHABLE.match, errors)):
        return NetworkError(Message(where, what, "check the mirror and the way to it"))
    hint = "set TMPDIR to a folder on a disk that is mounted without nodev and noexec"
    return EngineError(Message(where, what, hint if "noexec or nodev" in text else ""))
