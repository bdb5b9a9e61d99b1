"""The desktop session: complete, and nothing of it asks or locks."""

from __future__ import annotations

import re

from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.entry import wanted
from imagekit.checks.screen import LOG
from imagekit.checks.subject import Subject
from imagekit.checks.windows import Look, check_manager, check_no_question, look
from imagekit.wait import Deadline, NotYetError, until

_SETTLED = 5.0
"""Seconds after which a session has shown whatever dialog it begins with."""

# Lockers, screen savers and polkit's agents, as their programs are called.
_UNWANTED = re.compile(
    r"light-locker|xscreensaver.*|xfce4-screensaver.*|xlock|i3lock|slock|gnome-screensaver"
    r"|lxlock|xss-lock|.*polkit.*|lxpolkit|polkitd|xfce4-power-man.*|lxqt-powermanag.*"
)


def check_session(subject: Subject, deadline: Deadline) -> Data:
    """The session is up and stays; no window asks, and no locker or polkit agent runs."""
    desktop = wanted(subject)
    looks: list[Look] = []

    def settled() -> Look:
        looks.append(seen := look(subject, deadline))
        if seen.age < _SETTLED:
            raise NotYetError(f"a session of {seen.age:.0f} s")
        return seen

    with asking("a session that has settled", LOG):
        seen = until(settled, deadline, pause=0.5)
    check_manager(looks)
    check_no_question(seen.windows, subject)
    if unwanted := [name for name in seen.programs if _UNWANTED.fullmatch(name)]:
        raise CheckFailedError(
            f"a {desktop.session} session without lockers and polkit agents",
            ", ".join(unwanted),
            "/etc/imagekit/xdg/autostart in the image",
        )
    return {"programs": list(seen.programs), "windows": len(seen.windows)}
