"""What is asked inside of the desktop's session, against what a container may answer."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks import screen
from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.opengl import check_opengl
from imagekit.checks.screen import ask_session
from imagekit.checks.session import check_session
from imagekit.wait import Deadline

GLXINFO = """name of display: :1.0
OpenGL vendor string: Mesa
OpenGL renderer string: llvmpipe (LLVM 15.0.6, 256 bits)
OpenGL version string: 4.5 (Compatibility Profile) Mesa 22.3.6
"""


@pytest.fixture
def ask(subject: Any, fake_inside: Any, plan: Any) -> Callable[..., Any]:
    """Ask with what the container's Python prints."""

    def run(check: Any, code: int, text: str, **changes: Any) -> Any:
        inside = fake_inside({"/usr/bin/python3": (code, text)})
        the_subject = subject(inside=inside, the_plan=replace(plan, **changes))
        return check(the_subject, Deadline.after(1.2))

    return run


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((1, "Traceback"), "an answer of the session; got exit code 1 and 'Traceback'"),
        (
            (1, "imagekit: no xfce4-panel in a session; programs xfwm4\n"),
            "its panel, xfce4-panel; got .*no xfce4-panel in a session; programs xfwm4",
        ),
    ],
)
def test_without_a_session_there_is_no_answer(
    ask: Any, answer: tuple[int, str], message: str
) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(check_session, *answer)


def hangs(*answers: tuple[int, str]) -> Any:
    """A container that answers, and then does not in time."""
    left = list(answers)

    class Hangs:
        def execute(self, argv: Any, timeout: float, **_user: str) -> tuple[int, str]:
            if left:
                return left.pop(0)
            time.sleep(timeout)
            raise TimeoutError(f"{argv[0]} did not end in {timeout:.0f} s")

    return Hangs()


NO_PANEL = (1, "imagekit: no xfce4-panel in a session; programs xfwm4\n")


@pytest.mark.parametrize(
    ("before", "enough", "message"),
    [
        ([], 9.0, "OpenGL .*; got /usr/bin/python3 did not end in 1 s"),
        ([NO_PANEL], 0.1, "OpenGL .*; got /usr/bin/python3 did not end in "),
        ([NO_PANEL], 9.0, "its panel, xfce4-panel; got not in time: no xfce4-panel in a session"),
    ],
)
def test_a_command_that_hangs_is_no_missing_panel(
    subject: Any, monkeypatch: Any, before: list[Any], enough: float, message: str
) -> None:
    monkeypatch.setattr(screen, "_LOOK_SECONDS", enough)
    with pytest.raises(CheckFailedError, match=message):
        check_opengl(subject(inside=hangs(*before)), Deadline.after(0.7))


def test_an_answer_is_the_line_with_the_mark_whatever_else_is_said(subject: Any, ask: Any) -> None:
    def asked(the_subject: Any, deadline: Deadline) -> Any:
        return ask_session(the_subject, "", deadline)

    assert ask(asked, 0, 'a warning\nimagekit:{"a": 1}\nimagekit:[2]\nanother\n') == [2]


@pytest.mark.parametrize("text", ["", "imagekit:", "imagekit:{'a': 1}", "imagekit:[1\n]", "x"])
def test_an_answer_that_cannot_be_read_fails(ask: Any, text: str) -> None:
    def asked(the_subject: Any, deadline: Deadline) -> Any:
        return ask_session(the_subject, "", deadline)

    with pytest.raises(CheckFailedError) as failed:
        ask(asked, 0, f"a warning\n{text}\n")
    said = f"a warning\n{text}".strip()
    assert str(failed.value).startswith(
        f"asked for an answer of the session; got exit code 0 and {said!r}; look at"
    )


def test_opengl_says_who_draws(ask: Any) -> None:
    assert ask(check_opengl, 0, GLXINFO) == {
        "vendor": "Mesa",
        "renderer": "llvmpipe (LLVM 15.0.6, 256 bits)",
        "version": "4.5 (Compatibility Profile) Mesa 22.3.6",
    }


@pytest.mark.parametrize(
    ("code", "text", "message"),
    [
        (1, "Error: couldn't find RGB GLX visual or fbconfig", "couldn't find RGB"),
        (0, GLXINFO.replace("OpenGL renderer", "OpenGL"), "exit code 0"),
        (1, GLXINFO, "exit code 1"),
    ],
)
def test_opengl_fails(ask: Any, code: int, text: str, message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(check_opengl, code, text)


def test_without_a_desktop_there_is_nothing_to_ask(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no desktop"):
        ask(check_opengl, 0, "", desktop=None)
