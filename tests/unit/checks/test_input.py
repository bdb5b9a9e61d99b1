"""The input method's check, against a desktop that notes the keys which arrive."""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from imagekit.checks import input as typing
from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.wait import Deadline

CONTROL, RETURN = 0xFFE3, 0xFF0D


@dataclass
class Terminal:
    """What a container's Python answers: a window, and the lines that were typed."""

    composes: bool = True
    first_is_latin: bool = False
    opens: bool = True
    keys: list[tuple[int, bool]] = field(default_factory=list)
    closed: int = 0
    breaks: bool = False  # when it is to be closed

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = 20.0
    ) -> tuple[int, str]:
        assert user == "lab"
        assert timeout > 0
        if typing._OPEN in argv:
            return 0, f"imagekit:{json.dumps(self.opens)}"
        if typing._CLOSE in argv:
            self.closed += 1
            return (1, "Traceback") if self.breaks else (0, "imagekit:true")
        return 0, "imagekit:" + json.dumps(self.lines(), ensure_ascii=False)

    def lines(self) -> list[str]:
        pressed = [key for key, down in self.keys if down]
        typed = "".join(chr(key) if key < 0x80 else "\n" for key in pressed if key != CONTROL)
        lines = [line[1:] for line in typed.split("\n")[:-1]]  # without Ctrl's space
        if self.composes:
            lines = ["你好" if line == "nihao " else line for line in lines]
        return ["nihao ", *lines[1:]] if self.first_is_latin else lines

    def logs(self) -> str:
        return ""


@pytest.fixture
def ask(
    desktop_server: Any, fake_desktop: Any, subject: Any, plan: Any, monkeypatch: Any
) -> Callable[..., Any]:
    monkeypatch.setattr(typing, "_TRY_SECONDS", 0.5)

    def run(terminal: Terminal, method: str = "pinyin", seconds: float = 6.0) -> Any:
        class Desktop(fake_desktop):  # type: ignore[misc]
            def speak(self, send: Any, receive: Any) -> None:
                def noted() -> bytes:
                    message: bytes = receive()
                    if message[0] == 4 and len(message) == 8:
                        down, key = struct.unpack("!xBxxI", message)
                        terminal.keys.append((key, bool(down)))
                    return message

                super().speak(send, noted)

        locale = replace(plan.locale, input_method=method)
        the_subject = subject(
            web_at=desktop_server(Desktop()),
            inside=terminal,
            the_plan=replace(plan, locale=locale),
        )
        return typing.check_input(the_subject, Deadline.after(seconds))

    return run


def test_the_text_comes_from_keys_that_are_pressed_and_released(ask: Any) -> None:
    terminal = Terminal()
    assert ask(terminal) == {"method": "pinyin", "text": "你好", "tries": 1}
    space = [(CONTROL, True), (32, True), (32, False), (CONTROL, False)]
    letters = [(ord(letter), down) for letter in "nihao " for down in (True, False)]
    assert terminal.keys == [*space, *letters, (RETURN, True), (RETURN, False)]
    assert terminal.closed == 1


def test_a_window_that_the_input_method_did_not_know_yet_gets_another_try(ask: Any) -> None:
    assert ask(Terminal(first_is_latin=True))["tries"] == 2


@pytest.mark.parametrize(
    ("terminal", "message"),
    [
        (Terminal(composes=False), "'你好' by pinyin; got .*nihao"),
        (Terminal(opens=False), "a terminal in front; got none"),
        (Terminal(composes=False, breaks=True), "'你好' by pinyin; got .*nihao"),
        (Terminal(breaks=True), "an answer of the session; got exit code 1 and 'Traceback'"),
    ],
)
def test_fails(ask: Any, terminal: Terminal, message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(terminal, seconds=2.5)


@pytest.mark.parametrize("terminal", [Terminal(composes=False), Terminal(opens=False)])
def test_a_terminal_that_was_opened_is_closed_whatever_happened(
    ask: Any, terminal: Terminal
) -> None:
    with pytest.raises(CheckFailedError):
        ask(terminal, seconds=2.5)
    assert terminal.closed == 1


def test_without_an_input_method_there_is_nothing_to_type(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no input method"):
        ask(Terminal(), method="")
