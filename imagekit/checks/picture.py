"""Pictures of the screen: awaiting one on which something is drawn, and one as a file."""

from __future__ import annotations

import io

from imagekit.checks.check import asking
from imagekit.checks.rfb import Client, Frame
from imagekit.wait import Deadline, NotYetError, until

_FEWEST_COLOURS = 16
"""A screen on which nothing was drawn has one colour, or two (X's root weave)."""


def await_picture(viewer: Client, deadline: Deadline, look_at: str) -> Frame:
    """The first frame on which something is drawn.

    Args:
        viewer: one that has joined the desktop.
        deadline: when to give up.
        look_at: where a reader finds out why nothing was drawn.

    Raises:
        CheckFailedError: nothing was drawn in time.
    """

    def attempt() -> Frame:
        frame = viewer.read_frame()
        if (colours := frame.colours()) < _FEWEST_COLOURS:
            raise NotYetError(f"a screen of {colours} colour(s), on which nothing is drawn")
        return frame

    with asking("a picture of the desktop", look_at):
        return until(attempt, deadline, pause=0.3)


def png(frame: Frame) -> bytes:
    """The frame as PNG (RFC 2083)."""
    from PIL import Image  # noqa: PLC0415 (slow import)

    size = (frame.width, frame.height)
    image = Image.frombuffer("RGB", size, frame.pixels, "raw", "BGRX", 0, 1)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=6)
    return out.getvalue()
