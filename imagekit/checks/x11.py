"""Python that asks the desktop's X server, run in the container.

Images have Python and libX11 (the X server's own tools need it), but neither xclip nor wmctrl;
``PRELUDE`` is what scripts begin with. It has to run on Python 3.6, Ubuntu 18.04's.

Sources: the structures and numbers are those of libX11's X11/Xlib.h and X11/X.h; the names
of properties those of the Extended Window Manager Hints
(https://specifications.freedesktop.org/wm-spec/latest/).
"""

from __future__ import annotations

from imagekit.checks.answer import PYTHON, answered
from imagekit.checks.check import asking
from imagekit.checks.screen import LOG
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

_DISPLAY = ("DISPLAY=:1", "XAUTHORITY=/run/imagekit/desktop/xauthority")
"""Where the X server is, and what lets one in: ``/usr/lib/imagekit/desktop``."""

PRELUDE = r"""
import ctypes, json, os, select, struct, subprocess, sys, time
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p

x = ctypes.CDLL("libX11.so.6")

def declare(name, result, *arguments):
    function = getattr(x, name)
    function.restype, function.argtypes = result, arguments

ids = POINTER(c_ulong)
ints = POINTER(c_int)
declare("XOpenDisplay", c_void_p, c_char_p)
declare("XDefaultRootWindow", c_ulong, c_void_p)
declare("XInternAtom", c_ulong, c_void_p, c_char_p, c_int)
declare("XGetAtomName", c_void_p, c_void_p, c_ulong)
declare("XFree", c_int, c_void_p)
declare("XGetWindowProperty", c_int, c_void_p, c_ulong, c_ulong, c_long, c_long, c_int, c_ulong,
        ids, ints, ids, ids, POINTER(c_void_p))
declare("XChangeProperty", c_int, c_void_p, c_ulong, c_ulong, c_ulong, c_int, c_int, c_void_p,
        c_int)
declare("XQueryTree", c_int, c_void_p, c_ulong, ids, ids, POINTER(c_void_p), POINTER(c_uint))
declare("XGetWindowAttributes", c_int, c_void_p, c_ulong, c_void_p)
declare("XTranslateCoordinates", c_int, c_void_p, c_ulong, c_ulong, c_int, c_int, ints, ints, ids)
declare("XCreateSimpleWindow", c_ulong, c_void_p, c_ulong, c_int, c_int, c_uint, c_uint, c_uint,
        c_ulong, c_ulong)
declare("XSetSelectionOwner", c_int, c_void_p, c_ulong, c_ulong, c_ulong)
declare("XGetSelectionOwner", c_ulong, c_void_p, c_ulong)
declare("XConvertSelection", c_int, c_void_p, c_ulong, c_ulong, c_ulong, c_ulong, c_ulong)
declare("XSendEvent", c_int, c_void_p, c_ulong, c_int, c_long, c_void_p)
declare("XSync", c_int, c_void_p, c_int)
declare("XPending", c_int, c_void_p)
declare("XNextEvent", c_int, c_void_p, c_void_p)
declare("XConnectionNumber", c_int, c_void_p)

# Windows come and go while one asks about them: what is gone has no properties.
quiet = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)(lambda display, error: 0)
x.XSetErrorHandler(quiet)

# One that is just coming up has its socket before it answers.
display = None
for _ in range(50):
    display = x.XOpenDisplay(None)
    if display:
        break
    time.sleep(0.1)
if not display:
    sys.exit("no X server at " + os.environ.get("DISPLAY", "no DISPLAY"))
root = x.XDefaultRootWindow(display)

def atom(name):
    return x.XInternAtom(display, name.encode(), 0)

def read(window, name):
    "A property: bytes, or numbers."
    kind, form, count, rest, data = c_ulong(), c_int(), c_ulong(), c_ulong(), c_void_p()
    status = x.XGetWindowProperty(display, window, atom(name), 0, 65536, 0, 0, byref(kind),
                                  byref(form), byref(count), byref(rest), byref(data))
    if status != 0 or not data.value:
        return b""
    size = {8: 1, 16: 2, 32: ctypes.sizeof(c_long)}[form.value]
    raw = ctypes.string_at(data.value, count.value * size)
    x.XFree(data)
    return list(struct.unpack("%dL" % count.value, raw)) if form.value == 32 else raw

def answer(value):
    print("imagekit:" + json.dumps(value))
    sys.exit()
"""


def ask_display(subject: Subject, script: str, deadline: Deadline, *arguments: str) -> object:
    """What a script answers at the X server, as its account, with or without a session there.

    Raises:
        CheckFailedError: it ended without an answer.
        OSError: the engine did not run it.
        TimeoutError: it did not end in time.
    """
    argv = ("/usr/bin/env", *_DISPLAY, PYTHON, "-c", PRELUDE + script, *arguments)
    user = subject.plan.user.name
    code, text = subject.inside.execute(argv, user=user, timeout=deadline.timeout())
    with asking("an answer of the session", LOG):
        return answered(code, text)
