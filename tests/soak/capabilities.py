"""Which capabilities which feature needs: `make capabilities`; a table for docs/hardening.md.

Docker's default set is taken away one at a time, and all questions are asked of each
container; then each feature is asked again with those alone whose loss broke it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from imagekit.checks import ssh
from imagekit.checks.check import Check, CheckFailedError, Data, asking
from imagekit.checks.registry import CHECKS
from imagekit.checks.round import ask_all
from imagekit.checks.sshd import session
from imagekit.checks.subject import Subject
from imagekit.engine.connection import Engine, connect
from imagekit.events import ignore
from imagekit.wait import Deadline
from tests.docker.box import read_plan, started

DEFAULT = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
"""https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities"""

_SECONDS = 25.0
_KILLED = 137  # 128 + SIGKILL
_IDS = {"PUID": "3456", "PGID": "3457"}


def _over_ssh(command: str, expected: str) -> Callable[[Subject, Deadline], Data]:
    def ask(subject: Subject, deadline: Deadline) -> Data:
        with session(subject, deadline) as transport, asking(command):
            output = ssh.run(transport, command, deadline)
        if output.text.strip() != expected:
            raise CheckFailedError(expected, output.text)
        return {}

    return ask


def _sftp(subject: Subject, deadline: Deadline) -> Data:
    with session(subject, deadline) as transport, asking("sftp"):
        client = transport.open_sftp_client()
        if client is None or client.normalize(".") != f"/home/{subject.plan.user.name}":
            raise CheckFailedError("the home over sftp", "nothing")
    return {}


_WRITE = "sudo -n sh -c 'touch /usr/x && chown 1234 /usr/x && chmod 600 /usr/x && id -u'"
_INSTALL = """
set -e
mkdir -p /tmp/stub/DEBIAN
printf '%s: %s\\n' Package stub Version 1 Architecture all Maintainer 'a <a@b.c>' Description a \
    > /tmp/stub/DEBIAN/control
dpkg-deb --build /tmp/stub /tmp/stub.deb > /dev/null
sudo -n apt-get install -y /tmp/stub.deb > /tmp/stub.log 2>&1 && dpkg-query -W -f '${Status}' stub
"""
_STOP = "an orderly stop"
QUESTIONS = {
    "ssh with a key": "sshd",
    "ssh with a password": "sshd-password",
    "sftp": Check("sftp", _SECONDS, _sftp),
    "a terminal": Check("terminal", _SECONDS, _over_ssh("script -qec 'id -un' /dev/null", "lab")),
    "sudo": Check("sudo", _SECONDS, _over_ssh("sudo -n id -u", "0")),
    "root's files": Check("root", _SECONDS, _over_ssh(_WRITE, "0")),
    "sudo apt-get install": Check("apt", _SECONDS, _over_ssh(_INSTALL, "install ok installed")),
    "the desktop": "vnc",
    "Jupyter": "jupyter",
}
REMAP = {"PUID and PGID": Check("remap", _SECONDS, _over_ssh("id -u; id -g", "3456\n3457"))}


@dataclass(frozen=True, slots=True)
class Row:
    """A feature, what broke it when it was missing, and whether that alone is enough."""

    feature: str
    needed: tuple[str, ...]
    enough: bool


def measure(engine: Engine, image: str) -> list[Row]:
    """The table. Features that the image does not have are left out."""
    plan = read_plan(engine, image)
    named = {check.name: check for check in CHECKS}
    questions = {
        feature: named[check] if isinstance(check, str) else check
        for feature, check in QUESTIONS.items()
        if (feature != "Jupyter" or plan.jupyter) and (feature != "the desktop" or plan.desktop)
    }
    return _rows(engine, image, questions, {}) + _rows(engine, image, REMAP, _IDS)


def _rows(
    engine: Engine, image: str, questions: dict[str, Check], environment: dict[str, str]
) -> list[Row]:
    def working(capabilities: Iterable[str], asked: dict[str, Check]) -> Collection[str]:
        return _working(engine, image, tuple(capabilities), asked, environment)

    whole = working(DEFAULT, questions)
    if broken := set(questions) - set(whole):
        sys.stderr.write(f"broken with Docker's own set: {sorted(broken)}\n")
    needed: dict[str, list[str]] = {feature: [] for feature in sorted(whole)}
    for left_out in DEFAULT:
        kept = working([name for name in DEFAULT if name != left_out], questions)
        for feature in set(whole) - set(kept):
            needed[feature].append(left_out)
        sys.stderr.write(f"without {left_out}: broke {sorted(set(whole) - set(kept))}\n")
    return [
        Row(feature, tuple(names), feature in working(names, questions))
        for feature, names in needed.items()
    ]


def _working(
    engine: Engine,
    image: str,
    capabilities: tuple[str, ...],
    questions: dict[str, Check],
    environment: dict[str, str],
) -> Collection[str]:
    """The features that work with these capabilities alone."""
    options = {"cap_drop": ["ALL"], "cap_add": list(capabilities), "environment": environment}
    checks = {replace(check, limit=_SECONDS): name for name, check in questions.items()}
    with started(engine, image, **options) as box:

        def gone() -> str:
            return "" if box.stage.state().running else "it ended"

        results = ask_all(tuple(checks), box.subject(), gone, ignore)
        orderly = box.stage.stop(10).exit_code != _KILLED
    by_check = {check.name: feature for check, feature in checks.items()}
    passed = {by_check[result.name] for result in results if result.status == "passed"}
    return {*passed, *([_STOP] if orderly else [])}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="make capabilities", description=__doc__)
    parser.add_argument("image")
    engine = connect()
    rows = measure(engine, engine.client.images.get(parser.parse_args().image).id)
    engine.close()
    lines = ["| feature | needs | these alone are enough |", "|---|---|---|"]
    for row in rows:
        enough = "yes" if row.enough else "no"
        lines.append(f"| {row.feature} | {', '.join(row.needed) or 'none'} | {enough} |")
    together = sorted({name for row in rows for name in row.needed})
    sys.stdout.write("\n".join((*lines, "", f"All of it: {' '.join(together)}")) + "\n")


if __name__ == "__main__":
    main()
