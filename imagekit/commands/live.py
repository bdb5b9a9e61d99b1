"""The live display on a terminal: what runs in each build, above it what has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from imagekit.events import (
    BuildFinished,
    BuildStarted,
    Emit,
    Event,
    Notice,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
)
from imagekit.steps import short_name

_TAIL = 3  # log lines below each running step, where the terminal is high enough
_REFRESH = 8  # a second


@dataclass(slots=True)
class _Step:
    """A step that has not ended. What is drawn is replaced, never changed: another thread draws."""

    name: str
    began: float
    tail: tuple[str, ...] = ()
    transfer: str = ""


@dataclass(slots=True)
class _Work:
    """What one title stands for: a build, or a container that is started or checked."""

    title: str
    began: float = 0.0
    running: dict[str, _Step] = field(default_factory=dict)
    ended: int = 0  # steps
    cached: int = 0
    outcome: str = ""


class Board:
    """Keeps what goes on, prints what ended, and draws the rest at each refresh."""

    def __init__(self, console: Console, titles: Sequence[str]) -> None:
        self._console = console
        self._works = {title: _Work(title) for title in titles}
        self._began = time.monotonic()
        self._spinner = Spinner("dots")

    def emits(self) -> Mapping[str, Emit]:
        """For each title whom to tell."""
        return {title: partial(self._tell, work) for title, work in self._works.items()}

    def __rich__(self) -> RenderableType:
        """What runs now, build by build, and a last line about all of it."""
        active = [work for work in self._works.values() if not work.outcome and work.began]
        steps = sum(len(work.running) for work in active)
        room = self._console.height - len(active) - steps - 2
        tail = min(_TAIL, max(0, room // max(1, steps)))
        rows: list[RenderableType] = []
        for work in active:
            if len(self._works) > 1:
                rows.append(self._header(work))
            for step in list(work.running.values()):
                rows.extend(self._step(step, tail))
        self._spinner.update(text=self._total(active))
        return Group(*rows, self._spinner)

    def _header(self, work: _Work) -> Text:
        right = f"{_counts(work)}  {_clock(time.monotonic() - work.began)}".strip()
        return self._line("•", "bold", work.title, right)

    def _step(self, step: _Step, tail: int) -> Iterator[Text]:
        right = f"{step.transfer} {_clock(time.monotonic() - step.began)}".strip()
        yield self._line("  ▸", "cyan", step.name, right)
        for entry in step.tail[-tail:] if tail else ():
            yield Text(f"      {entry}", style="dim", no_wrap=True, overflow="ellipsis")

    def _total(self, active: Sequence[_Work]) -> Text:
        seconds = _clock(time.monotonic() - self._began)
        if len(self._works) == 1:
            (work,) = self._works.values()
            said = "  ".join(filter(None, (work.title, _counts(work), seconds)))
        else:
            outcomes = [work.outcome for work in self._works.values()]
            said = (
                f"{outcomes.count('built')} of {len(outcomes)} built, {len(active)} running, "
                f"{outcomes.count('failed')} failed  {seconds}"
            )
        return Text(said, style="bold", no_wrap=True, overflow="ellipsis")

    def _line(self, mark: str, style: str, name: str, right: str) -> Text:
        """A line as wide as the terminal; wide characters take two cells."""
        left = Text.assemble((f"{mark} ", style), name)
        room = self._console.width - cell_len(right) - 1
        left.truncate(max(room, 10), overflow="ellipsis", pad=True)
        return Text.assemble(left, " ", (right, "dim"), no_wrap=True, overflow="crop")

    def _tell(self, work: _Work, event: Event) -> None:
        work.began = work.began or time.monotonic()
        if isinstance(event, Notice):
            self._print("•", "yellow", work, _printable(event.text), "")
        elif isinstance(event, BuildStarted):
            work.began = time.monotonic()
        elif isinstance(event, StepStarted):
            name = _printable(short_name(event.name))
            work.running[event.step] = _Step(name, time.monotonic())
        elif isinstance(event, BuildFinished):
            work.outcome = "failed" if event.error else "built"
            work.running.clear()
            if len(self._works) > 1:
                mark, style = ("✗", "red") if event.error else ("✓", "bold green")
                self._print(mark, style, work, work.outcome, _clock(event.seconds))
        elif step := work.running.get(event.step):
            self._change(work, step, event)

    def _change(
        self, work: _Work, step: _Step, event: StepLog | StepProgress | StepFinished
    ) -> None:
        if isinstance(event, StepLog):
            # Text(...) takes no markup, and control characters must not reach the terminal.
            step.tail = (*step.tail, *map(_printable, event.lines))[-_TAIL:]
        elif isinstance(event, StepProgress):
            step.transfer = _amount(event.current, event.total)
        else:
            del work.running[event.step]
            work.ended += 1
            work.cached += event.cached
            mark, style = ("✗", "red") if event.error else ("✓", "green")
            right = "cached" if event.cached else _clock(event.seconds)
            self._print(mark, style, work, step.name, right)

    def _print(self, mark: str, style: str, work: _Work, text: str, right: str) -> None:
        """Something that stays, above what is drawn."""
        whose = f"{work.title}: " if len(self._works) > 1 else ""
        if right:
            self._console.print(self._line(mark, style, whose + text, right))
        else:  # a notice is read whole
            self._console.print(f"{mark} {whose}{text}", style=style, markup=False, highlight=False)


@contextmanager
def live_display(titles: Sequence[str]) -> Iterator[Mapping[str, Emit]]:
    """Show events on the terminal until the block ends; steps that ended stay above.

    Args:
        titles: whose events there will be.
    """
    console = Console(stderr=True)
    board = Board(console, titles)
    with Live(board, console=console, refresh_per_second=_REFRESH, transient=True):
        yield board.emits()


def _counts(work: _Work) -> str:
    if not work.ended:
        return ""
    return f"{work.ended} step{'' if work.ended == 1 else 's'}, {work.cached} cached"


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f}s"
    return f"{seconds // 60:.0f}m{seconds % 60:02.0f}s"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _amount(current: int, total: int) -> str:
    if not total:
        return f"{current / 1e6:.1f} MB" if current else ""
    return f"{current / 1e6:.1f}/{total / 1e6:.1f} MB"
