"""A picture of the screen as a file."""

from __future__ import annotations

import io

from imagekit.checks.rfb import Frame


def png(frame: Frame) -> bytes:
    """The frame as PNG (RFC 2083)."""
    from PIL import Image  # noqa: PLC0415 (slow import)

    size = (frame.width, frame.height)
    image = Image.frombuffer("RGB", size, frame.pixels, "raw", "BGRX", 0, 1)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=6)
    return out.getvalue()
