"""The clipboard between a scripted X server's viewer and its programs."""

import struct
import threading
import zlib
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks import clipboard
from imagekit.checks.check import AnswerError, CheckFailedError, CheckSkippedError
from imagekit.checks.clipboard import check_clipboard
from imagekit.checks.cuttext import Clipboard
from imagekit.checks.rfb import Client
from imagekit.wait import Deadline
from tests.unit.checks.fakerfb import FakeClipboard


@pytest.fixture
def ask(desktop_server: Any, fake_desktop: Any, subject: Any, plan: Any, monkeypatch: Any) -> Any:
    monkeypatch.setattr(clipboard, "_HELLO_SECONDS", 0.5)
    monkeypatch.setattr(clipboard, "_WAY_SECONDS", 0.8)

    def run(
        release: str = "debian12", inside: Any = None, seconds: float = 5, **behaviour: Any
    ) -> Any:
        board = behaviour.pop("board", None) or FakeClipboard(**behaviour)
        the_plan = replace(plan, os=replace(plan.os, id=release))
        address = desktop_server(fake_desktop(clipboard=board))
        asked = subject(web_at=address, inside=inside or board, the_plan=the_plan)
        return check_clipboard(asked, Deadline.after(seconds))

    return run


def test_chinese_and_emoji_go_both_ways(ask: Any) -> None:
    assert ask() == {"text": "中文剪贴板 臺灣 ñ 😀"}


def questions(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"speaks": False}, "extended clipboard, without which .* question marks"),
        ({"gives": False}, "出', copied by a program of the desktop, at the page; got nothing"),
        ({"takes": False}, "入', copied at the page, in a program of the desktop; got nothing"),
        ({"alphabet": questions}, r"出', copied .* got '\?\?\?\?\? \?\? ñ"),
    ],
)
def test_fails(ask: Any, behaviour: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(**behaviour)


def test_a_program_that_cannot_reach_the_x_server_is_the_cause(ask: Any, fake_inside: Any) -> None:
    inside = fake_inside({"/usr/bin/env": (1, "no X server at :1")})
    with pytest.raises(CheckFailedError, match="exit code 1 and 'no X server at :1'"):
        ask(inside=inside)


def test_the_oldest_release_copies_latin_letters_only(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match=r"ubuntu18\.04 copies Latin"):
        ask(release="ubuntu18.04", speaks=False)


def test_a_program_that_does_not_answer_is_told(ask: Any) -> None:
    class Hangs(FakeClipboard):
        def execute(self, argv: Any, user: str = "", timeout: float = 20.0) -> tuple[int, str]:
            if argv[-3] == "paste":
                over.wait(10)
            return super().execute(argv, user, timeout)

    over = threading.Event()
    board = Hangs()
    with pytest.raises(CheckFailedError, match="the program that pastes did not answer in time"):
        ask(inside=board, board=board, seconds=1.5)
    over.set()


class Says:
    def __init__(self, content: bytes) -> None:
        self.content = struct.pack("!Bxxxi", 3, -len(content)) + content

    def send(self, data: bytes) -> None:
        del data

    def receive(self, deadline: Deadline) -> bytes:
        said, self.content = self.content, b""
        if not said:
            raise TimeoutError(f"nothing within {deadline.left:.0f} s")
        return said


@pytest.mark.parametrize(
    "content",
    [
        b"\1\2",
        struct.pack("!I", 1 << 28 | 1) + b"not packed",
        struct.pack("!I", 1 << 28 | 1) + zlib.compress(b"ab"),
    ],
)
def test_nonsense_is_told(content: bytes) -> None:
    board = Clipboard(Client(Says(content), Deadline.after(1)))
    with pytest.raises(AnswerError):
        board.serve(0.1)


def test_lines_end_as_the_protocol_has_it_and_no_bomb_goes_off() -> None:
    text = b"one\r\ntwo\0"
    packed = zlib.compress(struct.pack("!I", len(text)) + text)
    board = Clipboard(Client(Says(struct.pack("!I", 1 << 28 | 1) + packed), Deadline.after(1)))
    board.serve(0.1)
    assert board.received == "one\ntwo"
    bomb = zlib.compress(struct.pack("!I", 1 << 30) + b"x" * (1 << 24))
    board = Clipboard(Client(Says(struct.pack("!I", 1 << 28 | 1) + bomb), Deadline.after(1)))
    board.serve(0.1)
    assert len(board.received or "") <= 1 << 20
