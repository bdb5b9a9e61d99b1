"""The input method: Chinese text, typed key by key into a terminal of the desktop."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from imagekit.checks import keyboard
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, afterwards, asking
from imagekit.checks.entry import joined, wanted
from imagekit.checks.rfb import Client
from imagekit.checks.screen import LOG, ask_session
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline, NotYetError, until


@dataclass(frozen=True, slots=True)
class Typed:
    """What is typed after Ctrl+Space, how often Enter follows, and the text that comes of it."""

    keys: str
    returns: int
    text: str


# Pinyin: the space takes the first candidate. Chewing (the keyboard of Dachen): 5j/ is ㄓㄨㄥ
# and the space its tone, jp6 is ㄨㄣˊ; a first Enter takes what is composed.
TYPED = {
    "pinyin": Typed("nihao ", 1, "你好"),
    "chewing": Typed("5j/ jp6", 2, "中文"),
}

_TRY_SECONDS = 3.0

_LOOK_AT = f"{LOG}; fcitx5-diagnose in the desktop's terminal"

# A terminal whose shell keeps every line that is typed. The terminal becomes the active
# window (https://specifications.freedesktop.org/wm-spec/latest/, _NET_ACTIVE_WINDOW).
_OPEN = r"""
import os, re, subprocess, sys, time
folder = sys.argv[1]
def active():
    done = subprocess.run(["xprop", "-root", "_NET_ACTIVE_WINDOW"], capture_output=True, text=True)
    return re.findall("0x[0-9a-f]+", done.stdout)
before = active()
os.mkdir(folder)
script = folder + "/type"
with open(script, "w") as file:
    file.write(f'#!/bin/sh\ntouch {folder}/ready\n'
               f'while IFS= read -r line; do printf "%s\\n" "$line" >> {folder}/lines; done\n')
os.chmod(script, 0o755)
with open(folder + "/log", "w") as log:
    subprocess.Popen(["x-terminal-emulator", "-e", script], stdin=subprocess.DEVNULL, stdout=log,
                     stderr=log, start_new_session=True,
                     env=dict(os.environ, IMAGEKIT_CHECK=folder))
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    if os.path.exists(folder + "/ready") and active() not in ([], ["0x0"], before):
        print("imagekit:true")
        sys.exit()
    time.sleep(0.1)
print("imagekit:false")
"""

_READ = r"""
import json, os, sys
path = sys.argv[1] + "/lines"
lines = open(path, encoding="utf-8", errors="replace").read().splitlines() \
    if os.path.exists(path) else []
print("imagekit:" + json.dumps(lines))
"""

# The script's end is not every terminal's: LXQt's keeps its window open.
_CLOSE = r"""
import os, shutil, signal, sys
mark = b"IMAGEKIT_CHECK=" + sys.argv[1].encode()
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if mark in open(f"/proc/{pid}/environ", "rb").read().split(b"\0"):
            os.kill(int(pid), signal.SIGHUP)
    except OSError:
        continue
shutil.rmtree(sys.argv[1], ignore_errors=True)
print("imagekit:true")
"""


def check_input(subject: Subject, deadline: Deadline) -> Data:
    """Ctrl+Space and a few keys make Chinese text in the session's own terminal."""
    wanted(subject)
    method = subject.plan.locale.input_method
    if not method:
        raise CheckSkippedError("the plan has no input method")
    typed = TYPED[method]
    folder = f"/tmp/imagekit-input-{secrets.token_hex(4)}"  # noqa: S108 (in the container)
    with (
        joined(subject, deadline) as client,
        asking(f"{typed.text!r} by {method}", _LOOK_AT),
        afterwards(lambda: ask_session(subject, _CLOSE, deadline, folder)),
    ):
        if not ask_session(subject, _OPEN, deadline, folder, str(deadline.timeout(20.0))):
            raise CheckFailedError("a terminal in front", "none", _LOOK_AT)
        tries = _type(subject, client, folder, typed, deadline)
    return {"method": method, "text": typed.text, "tries": tries}


def _type(subject: Subject, client: Client, folder: str, typed: Typed, deadline: Deadline) -> int:
    """Type until the text is right; returns how often that took.

    A window has the keyboard before the input method knows of it: what is typed then stays
    Latin, and the next try begins with Latin again.
    """
    tries = 0

    def read() -> None:
        lines = ask_session(subject, _READ, deadline, folder)
        if typed.text not in lines:
            raise NotYetError(f"the lines {json.dumps(lines, ensure_ascii=False)}")

    def attempt() -> int:
        nonlocal tries
        tries += 1
        keyboard.press(client, ord(" "), held=keyboard.CONTROL)
        keyboard.type_text(client, typed.keys)
        for _ in range(typed.returns):
            keyboard.press(client, keyboard.RETURN)
        try:
            until(read, Deadline.after(deadline.timeout(_TRY_SECONDS)), pause=0.3)
        except TimeoutError as error:
            raise NotYetError(str(error)) from error
        return tries

    # What is left serves to close the terminal.
    return until(attempt, Deadline.after(deadline.left * 0.8))
