"""The windows on the desktop: which there are, and programs that open one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.checks.check import CheckFailedError
from imagekit.checks.screen import LOG, ask_session
from imagekit.checks.subject import Subject
from imagekit.checks.x11 import PRELUDE
from imagekit.wait import Deadline

# Words in the titles of windows that a session must not greet with, in the languages that
# profiles have, and in English, which programs without a translation speak.
_UNWELCOME = re.compile(
    r"\berror|\bfail(ed|ure)\b|\bcould ?n[o']t\b|\bcannot\b|\bcan't\b|\bunable to\b|\bcrash"
    r"|\bauthenti|\bunlock|\block(ed|ing)? screen|\bpassword\b|\bkeyring\b|\bpermission denied\b"
    r"|错误|錯誤|失败|失敗|无法|無法|不能|崩溃|崩潰|认证|認證|验证|驗證|授权|授權|鉴权|解锁|解鎖|锁屏|鎖定|密码|密碼"
    r"|密钥环|鑰匙圈",
    re.IGNORECASE,
)

# The windows that the window manager knows, with their types (_NET_WM_WINDOW_TYPE, and ICCCM
# 4.1.2.6, WM_TRANSIENT_FOR), and those that it is not asked about, as menus are not. A window
# manager that has ended leaves its mark on the root window; the window that it points to is
# gone then (_NET_SUPPORTING_WM_CHECK).
_SEE = r"""
class Attributes(Structure):
    _fields_ = [(name, c_int) for name in ("x", "y", "width", "height", "border", "depth")] + [
        ("visual", c_void_p), ("root", c_ulong)] + [
        (name, c_int) for name in ("kind", "bits", "gravity", "backing")] + [
        ("planes", c_ulong), ("pixel", c_ulong), ("under", c_int), ("colormap", c_ulong),
        ("installed", c_int), ("state", c_int)] + [
        (name, c_long) for name in ("all", "mine", "never")] + [
        ("redirect", c_int), ("screen", c_void_p)]

def name_of(number):
    data = x.XGetAtomName(display, number)
    text = ctypes.string_at(data).decode() if data else ""
    if data:
        x.XFree(data)
    return text

def words(data):
    return [word.decode("utf-8", "replace") for word in bytes(data).split(b"\0") if word]

def seen(window):
    its = Attributes()
    if not x.XGetWindowAttributes(display, window, byref(its)):
        return None
    left, top, child = c_int(), c_int(), c_ulong()
    x.XTranslateCoordinates(display, window, root, 0, 0, byref(left), byref(top), byref(child))
    kinds = [name_of(kind) for kind in read(window, "_NET_WM_WINDOW_TYPE")]
    title = read(window, "_NET_WM_NAME") or read(window, "WM_NAME")
    return dict(
        id=window, kinds=[kind.replace("_NET_WM_WINDOW_TYPE_", "") for kind in kinds],
        transient=any(read(window, "WM_TRANSIENT_FOR")), mapped=its.state == 2,
        name=" ".join(words(read(window, "WM_CLASS"))), title=" ".join(words(title)),
        free=bool(its.redirect),
        left=left.value, top=top.value, width=its.width, height=its.height)

def clients():
    return [each for each in map(seen, read(root, "_NET_CLIENT_LIST")) if each]

def children(window):
    above, parent, below, count = c_ulong(), c_ulong(), c_void_p(), c_uint()
    if not x.XQueryTree(display, window, byref(above), byref(parent), byref(below), byref(count)):
        return []
    if not below.value:
        return []
    data = ctypes.string_at(below.value, count.value * ctypes.sizeof(c_ulong))
    x.XFree(below)
    return list(struct.unpack("%dL" % count.value, data))

def popups():
    found = [each for each in map(seen, children(root)) if each]
    return [each for each in found if each["free"] and each["mapped"]]

def panels(known):
    # Those that are no clients: IceWM's bar is its own, and tells of no type but of the edge
    # that it takes.
    found, level = [], children(root)
    for _ in range(3):
        for window in level:
            if window not in known and read(window, "_NET_WM_STRUT"):
                found.append(seen(window))
        level = [child for window in level for child in children(window)]
    return [dict(each, kinds=each["kinds"] or ["DOCK"]) for each in found if each]

def manager():
    marks = read(root, "_NET_SUPPORTING_WM_CHECK")
    return marks[0] if marks and read(marks[0], "_NET_SUPPORTING_WM_CHECK") == marks else 0
"""

# Programs of the account, and the age of the session in seconds.
_LOOK = r"""
programs, ages = {}, []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if os.stat("/proc/%s" % pid).st_uid != os.getuid() or int(pid) == os.getpid():
            continue
        first = open("/proc/%s/cmdline" % pid).read().split("\0")[0]
        started = int(open("/proc/%s/stat" % pid).read().rpartition(")")[2].split()[19])
        bus = "DBUS_SESSION_BUS_ADDRESS=" in open("/proc/%s/environ" % pid).read()
    except OSError:
        continue
    programs[pid] = os.path.basename(first)
    if bus:
        now = float(open("/proc/uptime").read().split()[0])
        ages.append(now - started / os.sysconf("SC_CLK_TCK"))
windows = clients()
windows += panels([each["id"] for each in windows])
answer(dict(manager=manager(), programs=sorted(set(programs.values())), windows=windows,
            popups=popups(), age=max(ages, default=0)))
"""

# What it starts, and all that comes of it, can be told by a variable. A program may also ask
# one that runs already to open the window.
_OPEN = r"""
mark, seconds, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
before = read(root, "_NET_CLIENT_LIST")
log = "/tmp/%s.log" % mark
with open(log, "w") as out:
    try:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            cwd=os.environ.get("HOME", "/"), env=dict(os.environ, IMAGEKIT_CHECK=mark))
    except OSError as error:
        answer(dict(window=None, others=[], said=str(error)))
end = time.time() + seconds
while True:
    new = [each for each in clients() if each["id"] not in before]
    whole = [each for each in new if each["mapped"] and not each["transient"]
             and set(each["kinds"]) <= {"NORMAL"} and each["width"] > 100 and each["height"] > 50]
    if new and not whole:  # an error's dialog, most likely; some programs begin with a splash
        end = min(end, time.time() + 5)
    if whole or time.time() > end:
        break
    time.sleep(0.1)
said = open(log, errors="replace").read()[-300:]
if started.poll():
    said += " (exit code %d)" % started.poll()
answer(dict(window=whole[0] if whole else None, others=new, said=said))
"""

# What was started is ended as by the end of a session (SIGHUP); a window of a program that ran
# before is closed as by its button (_NET_CLOSE_WINDOW).
_CLOSE = r"""
import signal
mark, windows = sys.argv[1], [int(word) for word in sys.argv[2:]]
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        variables = open("/proc/%s/environ" % pid, "rb").read().split(b"\0")
        if b"IMAGEKIT_CHECK=" + mark.encode() in variables:
            os.kill(int(pid), signal.SIGHUP)
    except OSError:
        continue

class Message(Structure):
    _fields_ = [("type", c_int), ("serial", c_ulong), ("sent", c_int), ("display", c_void_p),
                ("window", c_ulong), ("kind", c_ulong), ("form", c_int), ("data", c_long * 5),
                ("rest", c_long * 12)]

def left():
    return [window for window in windows if window in read(root, "_NET_CLIENT_LIST")]

def gone(seconds):
    end = time.time() + seconds
    while left() and time.time() < end:
        time.sleep(0.1)
    return not left()

if not gone(1):
    for window in left():
        told = Message(33, 0, 1, display, window, atom("_NET_CLOSE_WINDOW"), 32, (0, 2))
        x.XSendEvent(display, root, 0, (1 << 20) | (1 << 19), byref(told))
    x.XSync(display, 0)
    gone(3)
if os.path.exists("/tmp/%s.log" % mark):
    os.remove("/tmp/%s.log" % mark)
answer(left())
"""


@dataclass(frozen=True, slots=True)
class Window:
    """A window.

    Attributes:
        id: its number.
        kinds: such as ``DOCK`` or ``DIALOG``, the preferred one first; maybe none.
        transient: whether it belongs to another window, as dialogs do.
        name: instance and class.
        title: its title, maybe empty.
        mapped: whether it can be seen.
        left: pixels from the left edge of the screen.
        top: pixels from the upper edge.
        width: pixels.
        height: pixels.
    """

    id: int
    kinds: tuple[str, ...]
    transient: bool
    name: str
    title: str
    mapped: bool
    left: int
    top: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.title!r} of {self.name or 'a program without a name'}"


@dataclass(frozen=True, slots=True)
class Look:
    """What is on the desktop.

    Attributes:
        manager: the number of the window manager's own window; 0 without one that lives.
        programs: the account's, by the names of their files.
        windows: those that the window manager knows.
        popups: those that it does not, such as menus.
        age: seconds since the session's first program began.
    """

    manager: int
    programs: tuple[str, ...]
    windows: tuple[Window, ...]
    popups: tuple[Window, ...]
    age: float


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of a program that was to open a window.

    Attributes:
        window: the window; None when none came in time.
        others: all windows that came, dialogs too.
        said: the end of what the program wrote.
    """

    window: Window | None
    others: tuple[Window, ...]
    said: str


def look(subject: Subject, deadline: Deadline) -> Look:
    """See ``Look``.

    Raises:
        CheckFailedError: there is no session to look at.
        OSError: see ``screen.in_session``.
    """
    said = ask_session(subject, PRELUDE + _SEE + _LOOK, deadline)
    return Look(
        said["manager"],
        tuple(said["programs"]),
        _windows(said["windows"]),
        _windows(said["popups"]),
        said["age"],
    )


def open_program(
    subject: Subject, command: Sequence[str], mark: str, seconds: float, deadline: Deadline
) -> Opened:
    """Start a program in the session, and wait some seconds for its window.

    Args:
        subject: whose session.
        command: the program and its arguments.
        mark: what ``close`` finds it by: a word of letters, digits and hyphens.
        seconds: how long to wait.
        deadline: for all of it.
    """
    script = PRELUDE + _SEE + _OPEN
    said = ask_session(subject, script, deadline, mark, f"{seconds:.1f}", *command)
    found = _windows([said["window"]])[0] if said["window"] else None
    return Opened(found, _windows(said["others"]), str(said["said"]).strip())


def close(subject: Subject, mark: str, windows: Iterable[Window], deadline: Deadline) -> None:
    """End what ``open_program`` started, and close windows."""
    numbers = [str(window.id) for window in windows]
    ask_session(subject, PRELUDE + _CLOSE, deadline, mark, *numbers)


def check_manager(looks: Sequence[Look]) -> None:
    """There is a window manager, and it is the same from the first look to the last.

    Raises:
        CheckFailedError: there is none that lives, or it is another one.
    """
    last = looks[-1]
    programs = ", ".join(last.programs)
    if not last.manager:
        raise CheckFailedError("a window manager", f"none that lives; programs {programs}", LOG)
    if len(found := {each.manager for each in looks if each.manager}) > 1:
        got = f"{len(found)} one after another; programs {programs}"
        raise CheckFailedError("a window manager that stays", got, LOG)


def check_no_question(windows: Iterable[Window], subject: Subject) -> None:
    """No window is a dialog, and none has the title of an error, a lock or a login.

    Raises:
        CheckFailedError: one is.
    """
    for window in windows:
        if "DIALOG" in window.kinds or window.transient:
            raise CheckFailedError("a session without a dialog", str(window), LOG)
        # Terminals and file managers are called after the account.
        title = re.sub(rf"\b{re.escape(subject.plan.user.name)}\b", "", window.title)
        if found := _UNWELCOME.search(title):
            raise CheckFailedError(
                f"a session without a window about {found.group()!r}", str(window), LOG
            )


def _windows(said: Iterable[dict[str, Any]]) -> tuple[Window, ...]:
    return tuple(
        Window(
            id=each["id"],
            kinds=tuple(each["kinds"]),
            transient=each["transient"],
            name=each["name"],
            title=each["title"],
            mapped=each["mapped"],
            left=each["left"],
            top=each["top"],
            width=each["width"],
            height=each["height"],
        )
        for each in said
    )
