"""The live display on a terminal: a line for each step, the log's tail of what runs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from imagekit.events import (
    Emit,
    Event,
    Notice,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
)

_TAIL = 3  # log lines under each running step
_REFRESH = 8  # a second


@dataclass(slots=True)
class _Running:
    """A step that has not ended."""

    name: str
    began: float
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    transfer: str = ""


@contextmanager
def live_display(title: str, shorten: Callable[[str], str]) -> Iterator[Emit]:
    """Show events on the terminal until the block ends; steps that ended stay above."""
    # rich takes 0.1 s to import, and only a terminal needs it.
    from rich.console import Console, Group, RenderableType  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.spinner import Spinner  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(stderr=True)
    running: dict[str, _Running] = {}
    began = time.monotonic()
    spinner = Spinner("dots")

    def line(mark: str, style: str, name: str, right: str) -> Text:
        room = max(console.width - len(right) - 4, 10)
        shown = name if len(name) <= room else name[: room - 1] + "…"
        return Text.assemble((f"{mark} ", style), f"{shown:<{room}} ", (right, "dim"))

    class Status:
        """What is running now; rendered anew at each refresh."""

        def __rich__(self) -> RenderableType:
            now = time.monotonic()
            rows: list[RenderableType] = []
            for step in list(running.values()):
                right = f"{step.transfer} {now - step.began:5.1f}s".strip()
                rows.append(line("▸", "cyan", step.name, right))
                rows.extend(
                    Text(f"    {entry}", style="dim", no_wrap=True, overflow="ellipsis")
                    for entry in step.tail
                )
            spinner.update(text=Text(f"{title}  {now - began:.0f}s", style="bold"))
            return Group(*rows, spinner)

    def emit(event: Event) -> None:
        if isinstance(event, Notice):
            console.print(Text(f"• {event.text}", style="yellow"))
        elif isinstance(event, StepStarted):
            running[event.step] = _Running(shorten(event.name), time.monotonic())
        elif isinstance(event, StepLog) and event.step in running:
            # Text(...) takes no markup, and control characters must not reach the terminal.
            running[event.step].tail.extend(_printable(entry) for entry in event.lines)
        elif isinstance(event, StepProgress) and event.step in running:
            running[event.step].transfer = _amount(event.current, event.total)
        elif isinstance(event, StepFinished) and event.step in running:
            step = running.pop(event.step)
            mark, style = ("✗", "red") if event.error else ("✓", "green")
            right = "cached" if event.cached else f"{event.seconds:.1f}s"
            console.print(line(mark, style, step.name, right))

    with Live(Status(), console=console, refresh_per_second=_REFRESH, transient=True):
        yield emit


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _amount(current: int, total: int) -> str:
    if not total:
        return f"{current / 1e6:.1f} MB" if current else ""
    return f"{current / 1e6:.1f}/{total / 1e6:.1f} MB"
