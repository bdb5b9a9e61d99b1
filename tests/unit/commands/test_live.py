"""The live display: what stands on the terminal while work goes on, and at its end."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from imagekit.commands.live import Board, live_display
from imagekit.events import (
    BuildFinished,
    BuildStarted,
    Notice,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
)

WIDE = "[image 1/2] RUN 安装软件包" + "漢字" * 60


def test_steps_that_ended_stay_on_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    with live_display(["lab"]) as emits:
        on_event = emits["lab"]
        on_event(Notice("[bold]no markup[/bold]"))
        on_event(StepStarted("1", "RUN one"))
        on_event(StepLog("1", ("\x1b]0;title\x07", "line")))
        on_event(StepProgress("1", "layer", 500_000, 2_000_000))
        on_event(StepFinished("1", 2.0, cached=False, error=""))
        on_event(StepStarted("2", "x" * 100))
        on_event(StepFinished("2", 0.0, cached=True, error=""))
        on_event(StepStarted("3", "RUN three"))
        on_event(StepFinished("3", 71.0, cached=False, error="exit code: 1"))
        on_event(StepLog("9", ("of nobody",)))
        on_event(StepFinished("9", 1.0, cached=False, error=""))
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line.rstrip() for line in err.splitlines()]
    assert lines[0] == "• [bold]no markup[/bold]"
    assert lines[1].startswith("✓ RUN one ")
    assert lines[1].endswith(" 2.0s")
    assert "…" in lines[2]
    assert lines[2].endswith("cached")
    assert lines[3].startswith("✗ RUN three")
    assert lines[3].endswith(" 1m11s")
    assert "title" not in err
    assert all(len(line) <= 60 for line in lines)


def test_the_display_ends_when_the_work_fails() -> None:
    with pytest.raises(KeyboardInterrupt), live_display(["lab"]):
        raise KeyboardInterrupt


class Terminal:
    """A board on a terminal of some size, and what it looks like."""

    def __init__(self, *titles: str, width: int = 80, height: int = 24) -> None:
        self._printed = io.StringIO()
        self._size = {"width": width, "height": height, "color_system": None}
        console = Console(file=self._printed, **self._size)  # type: ignore[arg-type]
        self.board = Board(console, titles)
        self.emits = self.board.emits()

    @property
    def printed(self) -> list[str]:
        return self._printed.getvalue().splitlines()

    def drawn(self) -> list[str]:
        drawing = Console(file=io.StringIO(), **self._size)  # type: ignore[arg-type]
        with drawing.capture() as text:
            drawing.print(self.board)
        return [line.rstrip() for line in text.get().splitlines()]


@pytest.mark.parametrize("width", [80, 120, 41])
def test_wide_characters_count_as_two(width: int) -> None:
    terminal = Terminal("课程", "b", width=width)
    emit = terminal.emits["课程"]
    emit(BuildStarted())
    emit(StepStarted("1", WIDE))
    emit(StepLog("1", ("正在读取软件包列表" * 20,)))
    emit(StepStarted("2", WIDE))
    emit(StepFinished("2", 3.0, cached=False, error=""))
    drawn = terminal.drawn()
    assert drawn[0].startswith("• 课程 ")
    assert [cell_len(line) for line in drawn[:2]] == [width, width]
    assert all(cell_len(line) <= width for line in drawn)
    (ended,) = terminal.printed
    assert ended.startswith("✓ 课程: [image")
    assert ended.endswith("… 3.0s")
    assert cell_len(ended) == width


def test_builds_stand_side_by_side_with_a_total() -> None:
    terminal = Terminal("a", "b", "c", "d")
    for name in "ab":
        terminal.emits[name](BuildStarted())
        terminal.emits[name](StepStarted("1", f"RUN --mount=type=secret,id=ca {name}"))
    terminal.emits["a"](StepLog("1", ("one", "two", "three", "four")))
    terminal.emits["a"](StepProgress("1", "l", 5_000_000, 200_000_000))
    terminal.emits["c"](BuildStarted())
    terminal.emits["c"](BuildFinished(62.0, "it broke"))
    drawn = [" ".join(line.split()) for line in terminal.drawn()]
    assert drawn[:6] == [
        "• a 0.0s",
        "▸ RUN a 5.0/200.0 MB 0.0s",
        "two",
        "three",
        "four",
        "• b 0.0s",
    ]
    assert drawn[6] == "▸ RUN b 0.0s"
    assert drawn[7].endswith("0 of 4 built, 2 running, 1 failed 0.0s")
    assert len(drawn) == 8
    (ended,) = terminal.printed
    assert ended.split() == ["✗", "c:", "failed", "1m02s"]


def test_a_build_alone_has_one_line_of_its_own() -> None:
    terminal = Terminal("a")
    emit = terminal.emits["a"]
    emit(BuildStarted())
    emit(StepStarted("1", "RUN x"))
    emit(StepFinished("1", 0.0, cached=True, error=""))
    (line,) = terminal.drawn()
    assert line.endswith("a  1 step, 1 cached  0.0s")
    emit(BuildFinished(1.0, ""))
    assert len(terminal.printed) == 1  # the step; the verb says the rest


@pytest.mark.parametrize("lines", [("one",), ("one", "two"), ("one", "two", "three")])
def test_a_short_log_is_shown_whole(lines: tuple[str, ...]) -> None:
    terminal = Terminal("a")
    terminal.emits["a"](StepStarted("1", "RUN x"))
    terminal.emits["a"](StepLog("1", lines))
    assert [line.strip() for line in terminal.drawn()[1:-1]] == list(lines)


def test_a_low_terminal_shows_less_of_the_logs() -> None:
    tall, low = (Terminal("a", "b", height=height) for height in (24, 8))
    for terminal in (tall, low):
        for name in "ab":
            terminal.emits[name](BuildStarted())
            terminal.emits[name](StepStarted("1", "RUN x"))
            terminal.emits[name](StepLog("1", ("one", "two", "three")))
    assert len(tall.drawn()) == 2 + 2 + 6 + 1
    assert len(low.drawn()) == 2 + 2 + 2 + 1
