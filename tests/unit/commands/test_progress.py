"""How events are shown where no terminal is."""

from __future__ import annotations

import json
import sys
import threading
import unicodedata

import pytest

from imagekit.commands import progress
from imagekit.events import (
    BuildFinished,
    BuildStarted,
    Event,
    Notice,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
)

RUN = (
    "[image 3/9] RUN --mount=type=bind,source=build/base,target=/run/imagekit-build/base     "
    "--mount=type=secret,id=ca     . /run/imagekit-build/base/env.sh &&     apt_install     htop"
)
EVENTS: tuple[Event, ...] = (
    Notice("base debian:12-slim: pulling"),
    StepStarted("1", RUN),
    StepLog("1", ("Reading \x1b[1mlists\x1b[0m", "done 中文")),
    StepProgress("1", "layer", 5, 10),
    StepFinished("1", 1.25, cached=False, error=""),
    StepStarted("2", "[image 4/9] COPY a b"),
    StepFinished("2", 0.0, cached=True, error=""),
    StepStarted("3", "load build context"),
    StepLog("3", ("transferring",)),
    StepFinished("3", 0.5, cached=False, error="exit code: 1"),
)


def shown(
    capsys: pytest.CaptureFixture[str], style: str, *events: Event, title: str = "lab"
) -> str:
    with progress.show(style, title) as on_event:
        for event in events:
            on_event(event)
    out, err = capsys.readouterr()
    assert out == ""  # results go to stdout, everything else to stderr
    return err


@pytest.mark.parametrize("style", ["plain", "auto"])
def test_plain_lines_say_whose_they_are(capsys: pytest.CaptureFixture[str], style: str) -> None:
    assert not sys.stderr.isatty()
    assert shown(capsys, style, *EVENTS).splitlines() == [
        "lab: base debian:12-slim: pulling",
        "lab: [image 3/9] RUN apt_install htop",
        "lab: [image 3/9] Reading lists",
        "lab: [image 3/9] done 中文",
        "lab: [image 3/9] done 1.2 s",
        "lab: [image 4/9] COPY a b",
        "lab: [image 4/9] cached",
        "lab: load build context",
        "lab: load build context: transferring",
        "lab: load build context: failed 0.5 s",
    ]


def test_events_of_unknown_steps_are_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(
        capsys, "plain", StepLog("9", ("x",)), StepFinished("9", 0.0, cached=False, error="")
    )
    assert lines.splitlines() == ["lab: x", "lab: done 0.0 s"]


def test_json_is_one_versioned_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in shown(capsys, "json", *EVENTS).splitlines()]
    assert len(lines) == len(EVENTS)
    assert {(line["version"], line["about"]) for line in lines} == {(1, "lab")}
    assert [line["event"] for line in lines] == [type(event).__name__ for event in EVENTS]
    assert lines[0] == {
        "version": 1,
        "about": "lab",
        "event": "Notice",
        "text": "base debian:12-slim: pulling",
    }
    assert lines[3]["total"] == 10
    assert lines[4] == {
        "version": 1,
        "about": "lab",
        "event": "StepFinished",
        "step": "1",
        "seconds": 1.25,
        "cached": False,
        "error": "",
    }


# What a build's output could do to the terminal of whoever reads it.
ESCAPES = [
    "\x1b[31mred",
    "\x1b[2J",
    "\x1b[>c",
    "\x1b[?25l",
    "\x1b[6n",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\",
    "\x1b]52;c;aGk=\x07",
    "\x1bPq\x1b\\",
    "\x1bc",
    "\x1b#8",
    "\x1b(0",
    "\x1b_x\x1b\\",
    "\x9b31m",
    "\x9d0;x\x9c",
    "a\rb",
    "a\x08b",
    "\x07",
    "\x0e",
    "\x7f",
    "\u202egnp.exe",
]


@pytest.mark.parametrize("style", ["plain", "json"])
@pytest.mark.parametrize("text", ESCAPES)
def test_no_control_character_reaches_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, style: str, text: str
) -> None:
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)  # as on a terminal
    events = (Notice(text), StepStarted("1", text), StepLog("1", (text,)))
    seen = shown(capsys, style, *events).replace("\n", "")
    if style == "plain":
        assert seen.isprintable()
    else:
        assert not [char for char in seen if unicodedata.category(char) == "Cc"]


def test_what_fails_while_events_are_shown_goes_on_up() -> None:
    with pytest.raises(KeyError), progress.show("plain", "x"):
        raise KeyError


def test_of_builds_side_by_side_each_says_when_it_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.show_several("plain", ["a", "b"]) as emits:
        emits["a"](BuildStarted())
        emits["b"](BuildStarted())
        emits["a"](StepStarted("1", "RUN one"))
        emits["b"](StepStarted("1", "RUN other"))
        emits["b"](StepLog("1", ("line",)))
        emits["b"](BuildFinished(1.25, "it broke"))
        emits["a"](BuildFinished(2.0, ""))
    assert capsys.readouterr().err.splitlines() == [
        "a: RUN one",
        "b: RUN other",
        "b: RUN other: line",
        "b: failed 1.2 s",
        "a: built 2.0 s",
    ]


def test_one_build_alone_has_its_end_told_by_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "plain", BuildStarted(), BuildFinished(2.0, "")) == ""


def test_json_says_whose_event_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.show_several("json", ["a", "b"]) as emits:
        emits["b"](BuildStarted())
        emits["a"](BuildFinished(2.0, "x"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        {"version": 1, "about": "b", "event": "BuildStarted"},
        {"version": 1, "about": "a", "event": "BuildFinished", "seconds": 2.0, "error": "x"},
    ]


def test_events_of_several_threads_are_shown_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A line that is being written is not interrupted by another thread's."""
    inside = threading.Event()
    done: list[str] = []

    def slow(text: str, *, err: bool) -> None:
        assert err
        assert not inside.is_set()
        inside.set()
        turn.wait(0.01)
        inside.clear()
        done.append(text)

    turn = threading.Event()  # never set: it only lets the other thread run
    monkeypatch.setattr(progress.click, "echo", slow)
    with progress.show_several("plain", ["a", "b"]) as emits:
        threads = [
            threading.Thread(target=lambda emit=emit: [emit(Notice("x")) for _ in range(5)])
            for emit in emits.values()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(done) == ["a: x"] * 5 + ["b: x"] * 5
