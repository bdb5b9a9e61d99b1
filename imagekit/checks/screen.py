"""Commands in the desktop's session: its display, its bus and its environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imagekit.checks.answer import PYTHON, answered
from imagekit.checks.check import CheckFailedError, asking
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline, NotYetError, until

LOG = "the container's log, lines of the desktop session"

# Of each session the program that draws last, by its name in /proc/PID/comm.
_PANELS = {"xfce": "xfce4-panel", "lxde": "lxpanel", "lxqt": "lxqt-panel", "minimal": "icewm"}

# Becomes the command, with the environment of the session's panel.
_ENTER = """
import os, sys
panel, *command = sys.argv[1:]
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{pid}/comm") as name:
            if name.read().strip() != panel:
                continue
        with open(f"/proc/{pid}/environ", "rb") as environ:
            pairs = [item.partition(b"=") for item in environ.read().split(b"\\0") if item]
    except OSError:  # it ended meanwhile, or is somebody else's
        continue
    environment = {name: value for name, _, value in pairs}
    if b"DISPLAY" in environment and b"DBUS_SESSION_BUS_ADDRESS" in environment:
        os.execvpe(command[0], command, environment)
mine = set()
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if os.stat(f"/proc/{pid}").st_uid == os.getuid() and int(pid) != os.getpid():
            mine.add(open(f"/proc/{pid}/comm").read().strip())
    except OSError:
        continue
sys.exit(f"imagekit: no {panel} in a session; programs {' '.join(sorted(mine)) or 'none'}")
"""
_NO_PANEL = "imagekit: no "

_LOOK_SECONDS = 5.0
"""Enough to look for the panel: what takes longer has found it, and hangs."""


def in_session(subject: Subject, argv: Sequence[str], deadline: Deadline) -> tuple[int, str]:
    """Run a command as the person who sits at the desktop would, once its panel is there.

    Returns:
        The exit code, and output and errors together.

    Raises:
        CheckFailedError: the session's panel never came.
        OSError: the engine did not run it.
        TimeoutError: the command did not end in time.
    """
    desktop = subject.plan.desktop
    panel = _PANELS[desktop.session] if desktop else ""
    command = (PYTHON, "-c", _ENTER, panel, *argv)

    absent = False
    hung: TimeoutError | None = None

    def attempt() -> tuple[int, str]:
        nonlocal absent, hung
        given = deadline.timeout()
        try:
            code, text = subject.inside.execute(command, user=subject.plan.user.name, timeout=given)
        except TimeoutError as error:
            if not absent or given > _LOOK_SECONDS:
                hung = error
            raise
        absent = code == 1 and text.startswith(_NO_PANEL)
        if absent:
            raise NotYetError(text.strip().partition(" ")[2])
        return code, text

    try:
        return until(attempt, deadline, pause=0.3)
    except TimeoutError as error:
        if hung is not None:
            raise hung from None
        raise CheckFailedError(f"a session with its panel, {panel}", str(error), LOG) from error


def ask_session(subject: Subject, script: str, deadline: Deadline, *arguments: str) -> Any:
    """What a Python script in the session answers; see ``answer.answered``.

    Raises:
        CheckFailedError: it ended without an answer, or there is no session.
        OSError: see ``in_session``.
    """
    code, text = in_session(subject, (PYTHON, "-c", script, *arguments), deadline)
    with asking("an answer of the session", LOG):
        return answered(code, text)
