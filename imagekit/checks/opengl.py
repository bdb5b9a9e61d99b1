"""OpenGL in the desktop's session: that it works, and who draws."""

from __future__ import annotations

import re

from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.entry import wanted
from imagekit.checks.screen import in_session
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

_LOOK_AT = "`glxinfo -B` in the desktop's terminal, and the packages of Mesa"

# What `glxinfo -B` calls them
# (https://gitlab.freedesktop.org/mesa/demos, src/xdemos/glxinfo.c and glinfo_common.c).
_NAMES = ("vendor", "renderer", "version")


def check_opengl(subject: Subject, deadline: Deadline) -> Data:
    """A GLX context can be made: vendor, renderer (llvmpipe without a GPU) and version."""
    wanted(subject)
    with asking("OpenGL in the desktop's session", _LOOK_AT):
        code, text = in_session(subject, ("glxinfo", "-B"), deadline)
    found = {name: re.search(rf"^OpenGL {name} string: (.+)$", text, re.M) for name in _NAMES}
    data = {name: match.group(1).strip() for name, match in found.items() if match}
    if code != 0 or len(data) < len(_NAMES):
        said = text.strip()[-300:]
        raise CheckFailedError("an OpenGL context by GLX", f"exit code {code}, {said!r}", _LOOK_AT)
    return data
