"""Every way into a container, and what a program finds there, such as its environment.

A probe is run in each: the release's own Python, which prints what it saw as JSON. As a
command of the session's own shell it also sees what that shell's start-up files do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from imagekit.checks import ssh
from imagekit.checks.answer import PYTHON
from imagekit.checks.check import AnswerError
from imagekit.checks.notebook import BASE, Notebook
from imagekit.checks.sshd import session
from imagekit.checks.subject import Subject
from imagekit.names import JUPYTER_PORT
from imagekit.wait import Deadline, NotYetError, until

# Statements that leave JSON's values in `seen`.
_ENVIRONMENT = (
    'python = shutil.which("python") or ""; '
    'prefix = python and subprocess.check_output([python, "-c", "import sys; print(sys.prefix)"]); '
    "seen = [dict(os.environ), python, prefix and prefix.decode().strip()]"
)
_ANSWER = re.compile(r"probe-begin (.*?) probe-end", re.DOTALL)

EXECUTE = "in docker exec"
COMMAND_OVER_SSH = "in a command over ssh"
LOGIN_OVER_SSH = "in a login shell over ssh"
DESKTOP_TERMINAL = "in a terminal of the desktop"
KERNEL = "in a Jupyter kernel"

# The first process of the desktop session that has all of its environment. With "shell" the
# probe runs in the user's shell, started with exactly that environment, as a terminal would.
_DESKTOP = r"""
import glob, os, subprocess, sys
wanted = {"DISPLAY", "DBUS_SESSION_BUS_ADDRESS"}
for pid in sorted(int(path.split("/")[2]) for path in glob.glob("/proc/[0-9]*/environ")):
    try:
        data = open("/proc/%d/environ" % pid, "rb").read()
    except OSError:
        continue
    found = dict(item.partition(b"=")[::2] for item in data.split(b"\0") if b"=" in item)
    if wanted <= {name.decode() for name in found}:
        break
else:
    sys.exit("no desktop session")
environment = {os.fsdecode(name): os.fsdecode(value) for name, value in found.items()}
if sys.argv[1] == "shell":
    command = [environment.get("SHELL", "sh"), "-i", "-c", sys.argv[2]]
else:
    command = ["/bin/sh", "-c", sys.argv[2]]
sys.exit(subprocess.call(command, env=environment, stdin=subprocess.DEVNULL))
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the probe found.

    Attributes:
        variables: all of the environment.
        python: what ``python`` is there, a path; empty without one.
        prefix: its ``sys.prefix``; empty without one.
    """

    variables: Mapping[str, str]
    python: str
    prefix: str


Way = tuple[str, Callable[[Deadline], Seen]]
"""Where, as in "PATH … over ssh", and what asks there; see ``everywhere`` for its errors."""


def ways(subject: Subject) -> Iterator[Way]:
    """All ways into a container of this plan, and the environment there."""
    for where, ask in everywhere(subject, _ENVIRONMENT):
        yield where, partial(_seen, ask)


def _seen(ask: Callable[[Deadline], Any], deadline: Deadline) -> Seen:
    return Seen(*ask(deadline))


def everywhere(
    subject: Subject, statements: str
) -> Iterator[tuple[str, Callable[[Deadline], Any]]]:
    """All ways into a container of this plan, for asking something; `docker exec` is the first.

    Those who ask may get ``CheckFailedError``, ``OSError``, ``EOFError`` or ``AnswerError``.

    Args:
        subject: whose container.
        statements: Python on one line without single quotes, which leaves what JSON can say
            in ``seen``; json, os, shutil and subprocess are imported.

    Returns:
        Where, and what asks there and gives ``seen``.
    """
    # No quote but double ones: it stands between single ones in bash, zsh and fish. What it
    # prints is not what a terminal echoes of it.
    probe = (
        f"import json, os, shutil, subprocess; {statements}; "
        'print("probe-" + "begin", json.dumps(seen), "probe-" + "end")'
    )
    command = f"{PYTHON} -c '{probe}'"
    yield EXECUTE, lambda deadline: _execute(subject, [PYTHON, "-c", probe], deadline)
    if subject.plan.sshd is not None:
        typed = f"{command}\nexit\n"
        for where, run, text in (
            (COMMAND_OVER_SSH, ssh.run, command),
            (LOGIN_OVER_SSH, ssh.run_in_login_shell, typed),
            ("in a terminal over ssh", ssh.run_in_terminal, typed),
        ):
            yield where, partial(_over_ssh, subject, run, text)
    if subject.plan.desktop is not None:
        yield "in the desktop session", partial(_desktop, subject, "session", command)
        yield DESKTOP_TERMINAL, partial(_desktop, subject, "shell", command)
    if subject.plan.jupyter:
        yield KERNEL, lambda deadline: _read(_notebook(subject, deadline).compute(probe))
        yield (
            "in a Jupyter terminal",
            lambda deadline: _read(_notebook(subject, deadline).type(command)),
        )


def _execute(subject: Subject, argv: list[str], deadline: Deadline) -> Any:
    user = subject.plan.user.name
    return _read(subject.inside.execute(argv, user=user, timeout=deadline.timeout())[1])


def _over_ssh(
    subject: Subject, run: Callable[..., ssh.Output], text: str, deadline: Deadline
) -> Any:
    with session(subject, deadline) as transport:
        return _read(run(transport, text, deadline).text)


def _desktop(subject: Subject, what: str, command: str, deadline: Deadline) -> Any:
    def attempt() -> Any:
        try:
            return _execute(subject, [PYTHON, "-c", _DESKTOP, what, command], deadline)
        except AnswerError as error:
            raise NotYetError(str(error)) from error

    return until(attempt, deadline, pause=0.5)


def _notebook(subject: Subject, deadline: Deadline) -> Notebook:
    base = subject.foreign.jupyter if subject.foreign else BASE
    token = subject.secrets.jupyter_token
    notebook = Notebook(subject.address(JUPYTER_PORT), token, deadline, base)
    notebook.await_version()
    return notebook


def _read(text: str) -> Any:
    """What the probe printed, between whatever a shell says beside it."""
    match = _ANSWER.search(text)
    try:
        return json.loads(match.group(1) if match else "")
    except ValueError as error:
        raise AnswerError(f"{text[-300:]!r} instead of an answer") from error
