"""The clipboard: Chinese text copied here arrives there, in both directions."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future

from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.cuttext import EXTENDED_CLIPBOARD, Clipboard
from imagekit.checks.entry import VNC_LOG, joined, wanted
from imagekit.checks.subject import Subject
from imagekit.checks.x11 import ask_display
from imagekit.wait import Deadline

TEXT = "中文剪贴板 臺灣 ñ 😀"

_LATIN_ONLY = frozenset({"ubuntu18.04"})
"""Releases whose TigerVNC is older than 1.10, which brought the extended clipboard
(https://github.com/TigerVNC/tigervnc/releases/tag/v1.10.0)."""

_LOOK_AT = f"{VNC_LOG}; -AcceptCutText and -SendCutText of Xtigervnc"

_HELLO_SECONDS = 10.0
_OLD_SECONDS = 1.0
_WAY_SECONDS = 20.0
_SLICE_SECONDS = 0.1

# The selection as programs use it (ICCCM, section 2, https://x.org/releases/current/doc/
# xorg-docs/icccm/icccm.html): `copy` has the text until somebody else has one, `paste` reads
# until it finds the text that is due.
_SELECTION = r"""
mode, wanted, seconds = sys.argv[1], bytes.fromhex(sys.argv[2]), float(sys.argv[3])

class Request(Structure):
    _fields_ = [("type", c_int), ("serial", c_ulong), ("sent", c_int), ("display", c_void_p),
                ("owner", c_ulong), ("requestor", c_ulong), ("selection", c_ulong),
                ("target", c_ulong), ("property", c_ulong), ("time", c_ulong)]

class Notify(Structure):
    _fields_ = [("type", c_int), ("serial", c_ulong), ("sent", c_int), ("display", c_void_p),
                ("requestor", c_ulong), ("selection", c_ulong), ("target", c_ulong),
                ("property", c_ulong), ("time", c_ulong)]

class Event(ctypes.Union):
    _fields_ = [("type", c_int), ("request", Request), ("notify", Notify), ("pad", c_long * 24)]

CLEAR, REQUEST, NOTIFY = 29, 30, 31
clipboard, utf8, targets, place = map(atom, ("CLIPBOARD", "UTF8_STRING", "TARGETS", "IMAGEKIT"))
window = x.XCreateSimpleWindow(display, root, 0, 0, 1, 1, 0, 0, 0)
end = time.time() + seconds
event = Event()

def next_event(until):
    x.XSync(display, 0)
    while not x.XPending(display):
        left = until - time.time()
        if left <= 0:
            return 0
        select.select([x.XConnectionNumber(display)], [], [], left)
    x.XNextEvent(display, byref(event))
    return event.type

def give():
    asked = event.request
    where = asked.property or asked.target
    if asked.target == targets:
        known = (c_ulong * 2)(targets, utf8)
        x.XChangeProperty(display, asked.requestor, where, 4, 32, 0, known, 2)
    elif asked.target == utf8:
        x.XChangeProperty(display, asked.requestor, where, utf8, 8, 0, wanted, len(wanted))
    else:
        where = 0
    told = Event()
    told.notify = Notify(NOTIFY, 0, 1, display, asked.requestor, asked.selection, asked.target,
                         where, asked.time)
    x.XSendEvent(display, asked.requestor, 0, 0, byref(told))

if mode == "copy":
    x.XSetSelectionOwner(display, clipboard, window, 0)
    while True:
        kind = next_event(end)
        if kind == REQUEST:
            give()
        elif kind in (0, CLEAR):
            answer(kind == CLEAR)
found = None
while time.time() < end:
    x.XConvertSelection(display, clipboard, utf8, place, window, 0)
    kind = next_event(min(end, time.time() + 2))
    if kind == NOTIFY and event.notify.property:
        found = read(window, "IMAGEKIT")
        if found == wanted:
            break
    time.sleep(0.1)
answer(None if found is None else bytes(found).decode("utf-8", "replace"))
"""


def check_clipboard(subject: Subject, deadline: Deadline) -> Data:
    """What is copied in the desktop reaches the page, and the other way round."""
    wanted(subject)
    # What an earlier check copied must not pass for what this one does.
    mark = secrets.token_hex(3)
    with (
        joined(subject, deadline, (EXTENDED_CLIPBOARD,)) as client,
        asking("the desktop's clipboard", _LOOK_AT),
    ):
        board = Clipboard(client)
        _await_hello(subject, board, deadline)
        _check_outwards(subject, board, f"{TEXT} {mark} 出", deadline)
        _check_inwards(subject, board, f"{TEXT} {mark} 入", deadline)
    return {"text": TEXT}


def _await_hello(subject: Subject, board: Clipboard, deadline: Deadline) -> None:
    """The server says at once whether it speaks the extension."""
    old = subject.plan.os.id in _LATIN_ONLY
    patience = Deadline.after(deadline.timeout(_OLD_SECONDS if old else _HELLO_SECONDS))
    _serve(board, patience, lambda: board.spoken)
    if board.spoken:
        return
    if old:
        raise CheckSkippedError(f"the TigerVNC of {subject.plan.os.id} copies Latin letters only")
    raise CheckFailedError(
        "RFB's extended clipboard, without which Chinese text becomes question marks",
        "an X server that does not speak it",
        "the X server's version: TigerVNC 1.10 and later do",
    )


def _check_outwards(subject: Subject, board: Clipboard, text: str, deadline: Deadline) -> None:
    """From a program of the desktop to the page."""
    # It stays until the page has copied something, which is when this went well.
    program = _started(subject, "copy", text, 2 * _WAY_SECONDS, deadline)
    patience = Deadline.after(deadline.timeout(_WAY_SECONDS))
    _serve(board, patience, lambda: board.received == text or program.done())
    if board.received == text:
        return
    got = "nothing" if board.received is None else repr(board.received)
    if program.done():
        error = program.exception()
        got = str(error) if error else "another program's, which took the clipboard at once"
    raise CheckFailedError(
        f"{text!r}, copied by a program of the desktop, at the page", got, _LOOK_AT
    )


def _check_inwards(subject: Subject, board: Clipboard, text: str, deadline: Deadline) -> None:
    """From the page to a program of the desktop; the one that copied ends by this."""
    board.offer(text)
    reader = _started(subject, "paste", text, _WAY_SECONDS, deadline)
    _serve(board, deadline, reader.done)
    if not reader.done():
        raise TimeoutError("the program that pastes did not answer in time")
    if (found := reader.result()) != text:
        got = "nothing" if found is None else repr(found)
        asked = f"{text!r}, copied at the page, in a program of the desktop"
        raise CheckFailedError(asked, got, _LOOK_AT)


def _serve(board: Clipboard, deadline: Deadline, done: Callable[[], bool]) -> None:
    """Answer the server until something is done, or it is too late."""
    while not done() and deadline.left > 0.0:
        board.serve(_SLICE_SECONDS)


def _started(
    subject: Subject, mode: str, text: str, most: float, deadline: Deadline
) -> Future[object]:
    """A program of the desktop, whose clipboard needs us to answer meanwhile.

    Args:
        subject: whose desktop.
        mode: ``copy`` or ``paste``.
        text: what is copied, or due.
        most: seconds after which it gives up.
        deadline: for the container's answer.
    """
    outcome: Future[object] = Future()
    arguments = (mode, text.encode().hex(), f"{deadline.timeout(most):.1f}")

    def work() -> None:
        try:
            outcome.set_result(ask_display(subject, _SELECTION, deadline, *arguments))
        except BaseException as error:  # noqa: BLE001 (raised again by whoever asks)
            outcome.set_exception(error)

    threading.Thread(target=work, name=f"clipboard {mode}", daemon=True).start()
    return outcome
