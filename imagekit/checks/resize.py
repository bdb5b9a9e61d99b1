"""The desktop's size: it follows the browser's window."""

from __future__ import annotations

from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.entry import VNC_LOG, joined, wanted
from imagekit.checks.rfb import Client
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

_SIZES = ((1111, 777), (1003, 701))
"""What a window may have: odd, and smaller than most desktops."""

_LOOK_AT = f"{VNC_LOG}; -AcceptSetDesktopSize of Xtigervnc"


def check_resize(subject: Subject, deadline: Deadline) -> Data:
    """Another size is taken and drawn, and the old one after it."""
    wanted(subject)
    with joined(subject, deadline) as viewer:
        with asking("a picture of the desktop", VNC_LOG):
            before = viewer.read_frame()
        width, height = next(size for size in _SIZES if size != (before.width, before.height))
        sizes = [before.size, _resized(viewer, width, height)]
        sizes.append(_resized(viewer, before.width, before.height))
    return {"sizes": sizes}


def put_back(subject: Subject, deadline: Deadline) -> None:
    """Give the desktop the size that it had at first."""
    width, _, height = wanted(subject).geometry.partition("x")
    with joined(subject, deadline) as viewer:
        _resized(viewer, int(width), int(height))


def _resized(viewer: Client, width: int, height: int) -> str:
    asked = f"a desktop of {width}x{height} (SetDesktopSize, as the page asks for its window)"
    with asking(asked, _LOOK_AT):
        viewer.resize(width, height)
        got = viewer.read_frame().size
    if got != f"{width}x{height}":
        raise CheckFailedError(asked, f"a picture of {got}", _LOOK_AT)
    return got
