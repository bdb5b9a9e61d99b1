"""The desktop as a person uses it: a panel, a terminal, files; and a picture of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from imagekit.checks.check import Attachment, CheckFailedError, Data, afterwards, asking
from imagekit.checks.entry import VNC_LOG, joined, wanted
from imagekit.checks.picture import png
from imagekit.checks.rfb import Frame
from imagekit.checks.screen import LOG
from imagekit.checks.subject import Subject
from imagekit.checks.windows import (
    Look,
    Window,
    check_manager,
    check_no_question,
    close,
    look,
    open_program,
)
from imagekit.wait import Deadline, NotYetError, until


@dataclass(frozen=True, slots=True)
class Program:
    """Something that a person opens.

    Attributes:
        what: as in "a terminal".
        command: what the session's own launcher of it runs.
    """

    what: str
    command: tuple[str, ...]


# XFCE's panel starts its launchers by exo-open (xfce4-settings' or exo-utils'
# xfce4-terminal-emulator.desktop and xfce4-file-manager.desktop); those of the other panels are
# in the image's /etc/imagekit/xdg. The minimal session has no file manager.
PROGRAMS: dict[str, tuple[Program, ...]] = {
    "xfce": (
        Program("a terminal", ("exo-open", "--launch", "TerminalEmulator")),
        Program("a file manager", ("exo-open", "--launch", "FileManager")),
    ),
    "lxde": (Program("a terminal", ("lxterminal",)), Program("a file manager", ("pcmanfm",))),
    "lxqt": (Program("a terminal", ("qterminal",)), Program("a file manager", ("pcmanfm-qt",))),
    "minimal": (Program("a terminal", ("x-terminal-emulator",)),),
}

SCREENSHOT = "desktop.png"

_OPEN_SECONDS = 30.0
"""From the disk, on a busy machine; else half a second."""

_CLOSE_SECONDS = 10.0
"""Beside the deadline: what failed is more than that it took too long to clean up."""

_DRAWN_SECONDS = 2.5
_DRAWN_PAUSE = 0.3


def check_desktop(subject: Subject, deadline: Deadline) -> Data:
    """There is a panel; a terminal and a file manager open, and nothing else does."""
    desktop = wanted(subject)
    with asking("the desktop's windows", LOG):
        before = _await_panel(subject, deadline)
        with _opened(subject, PROGRAMS[desktop.session], deadline) as windows:
            frame = _settled_picture(subject, deadline)
            after = look(subject, deadline)
        check_manager([before, after])
        check_no_question(after.windows, subject)
    panel = panel_of(before)
    return {
        "panel": panel.name if panel else "",
        **{what.split()[-1]: window.name for what, window in windows.items()},
        "screenshot": Attachment(SCREENSHOT, "image/png", png(frame)),
    }


def panel_of(seen: Look) -> Window | None:
    """The panel that can be seen, the broadest when there are several."""
    docks = [window for window in seen.windows if "DOCK" in window.kinds and window.mapped]
    return max(docks, key=lambda window: window.width, default=None)


def _await_panel(subject: Subject, deadline: Deadline) -> Look:
    """The first look in which a panel can be seen, kept by a window manager."""

    def attempt() -> Look:
        seen = look(subject, deadline)
        programs = ", ".join(seen.programs)
        if not seen.manager:
            raise NotYetError(f"no window manager that lives; programs {programs}")
        if panel_of(seen) is None:
            names = ", ".join(map(str, seen.windows)) or "no window at all"
            raise NotYetError(f"{names}; programs {programs}")
        return seen

    with asking("a panel (a window of the type DOCK)", LOG):
        return until(attempt, deadline, pause=0.5)


@contextmanager
def _opened(
    subject: Subject, programs: Sequence[Program], deadline: Deadline
) -> Iterator[dict[str, Window]]:
    """The windows of programs, which are closed again whatever happens."""
    mark = f"imagekit-{secrets.token_hex(4)}"
    came: list[Window] = []
    found: dict[str, Window] = {}

    def close_all() -> None:
        close(subject, mark, came, Deadline.after(_CLOSE_SECONDS))

    with afterwards(close_all):
        for program in programs:
            seconds = min(_OPEN_SECONDS, deadline.timeout() / 2)
            opened = open_program(subject, program.command, mark, seconds, deadline)
            came += opened.others
            command = " ".join(program.command)
            if opened.window is None:
                others = ", ".join(map(str, opened.others)) or "no window"
                raise CheckFailedError(
                    f"{program.what} ({command}) that opens a window",
                    f"{others} within {seconds:.0f} s; it said {opened.said!r}",
                    f"`{command}` in the desktop's session",
                )
            check_no_question(opened.others, subject)
            found[program.what] = opened.window
        yield found


def _settled_picture(subject: Subject, deadline: Deadline) -> Frame:
    """The screen when nothing changes on it any more, or after a while when something does."""
    with joined(subject, deadline) as viewer, asking("a picture of the desktop", VNC_LOG):
        last = viewer.read_frame()

        def attempt() -> Frame:
            nonlocal last
            before, last = last, viewer.read_frame()
            if last != before:
                raise NotYetError("it changes")
            return last

        try:
            return until(attempt, Deadline.after(_DRAWN_SECONDS), pause=_DRAWN_PAUSE)
        except TimeoutError:  # a clock, or a cursor that blinks
            return last
