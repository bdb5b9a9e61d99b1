"""The desktop session: complete, and nothing of it asks or locks."""

from __future__ import annotations

import re
from typing import Any

from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.desktop import wanted
from imagekit.checks.screen import LOG, ask_session
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline, NotYetError, until

_SETTLED = 5.0
"""Seconds after which a session has shown whatever dialog it begins with."""

# Programs of the account; the windows that the window manager knows, with their types
# (https://specifications.freedesktop.org/wm-spec/latest/ar01s05.html, _NET_WM_WINDOW_TYPE,
# and ICCCM 4.1.2.6, WM_TRANSIENT_FOR); the age of the session in seconds.
_LOOK = r"""
import json, os, re, subprocess, time
def xprop(*arguments):
    # As Python 3.6 knows it, Ubuntu 18.04's
    done = subprocess.run(["xprop", *arguments], stdout=subprocess.PIPE, universal_newlines=True)
    return done.stdout
programs, ages = {}, []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.getuid() or int(pid) == os.getpid():
            continue
        words = open(f"/proc/{pid}/cmdline").read().split("\0")
        started = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[19])
        bus = "DBUS_SESSION_BUS_ADDRESS=" in open(f"/proc/{pid}/environ").read()
    except OSError:
        continue
    programs[pid] = os.path.basename(words[0])
    if bus:
        now = float(open("/proc/uptime").read().split()[0])
        ages.append(now - started / os.sysconf("SC_CLK_TCK"))
windows = []
for window in re.findall("0x[0-9a-f]+", xprop("-root", "_NET_CLIENT_LIST")):
    said = xprop("-id", window, "_NET_WM_WINDOW_TYPE", "WM_TRANSIENT_FOR", "WM_CLASS", "WM_NAME")
    kinds = re.findall("_NET_WM_WINDOW_TYPE_([A-Z]+)", said)
    name = re.search(r'WM_CLASS.*= (.*)', said)
    title = re.search(r'WM_NAME.*= (.*)', said)
    windows.append(dict(
        kinds=kinds, transient="window id" in said,
        name=name.group(1) if name else "", title=title.group(1) if title else ""))
manager = re.search("0x[0-9a-f]+", xprop("-root", "_NET_SUPPORTING_WM_CHECK"))
print("imagekit:" + json.dumps(dict(
    manager=bool(manager), programs=sorted(set(programs.values())), windows=windows,
    age=max(ages, default=0))))
"""

# Lockers, screen savers and polkit's agents, as their programs are called.
_UNWANTED = re.compile(
    r"light-locker|xscreensaver.*|xfce4-screensaver.*|xlock|i3lock|slock|gnome-screensaver"
    r"|lxlock|xss-lock|.*polkit.*|lxpolkit|polkitd|xfce4-power-man.*|lxqt-powermanag.*"
)


def check_session(subject: Subject, deadline: Deadline) -> Data:
    """The session is up; no window is a dialog, and no locker or polkit agent runs."""
    desktop = wanted(subject)

    def settled() -> Any:
        seen = ask_session(subject, _LOOK, deadline)
        if seen["age"] < _SETTLED:
            raise NotYetError(f"a session of {seen['age']:.0f} s")
        return seen

    with asking("a session that has settled", LOG):
        seen = until(settled, deadline, pause=1.0)
    if not seen["manager"]:
        raise CheckFailedError("a window manager", f"only {', '.join(seen['programs'])}", LOG)
    for window in seen["windows"]:
        if "DIALOG" in window["kinds"] or window["transient"]:
            raise CheckFailedError(
                f"a {desktop.session} session without a dialog",
                f"{window['title']} of {window['name']}",
                LOG,
            )
    if unwanted := [name for name in seen["programs"] if _UNWANTED.fullmatch(name)]:
        raise CheckFailedError(
            f"a {desktop.session} session without lockers and polkit agents",
            ", ".join(unwanted),
            "/etc/imagekit/xdg/autostart in the image",
        )
    return {"programs": seen["programs"], "windows": len(seen["windows"])}
