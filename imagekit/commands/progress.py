"""Shows events while work goes on: live on a terminal, plain lines or JSON elsewhere."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import click

from imagekit.document import printable
from imagekit.events import BuildFinished, Emit, Event, Notice, StepFinished, StepLog, StepStarted
from imagekit.steps import short_name

STYLES = ("auto", "plain", "json")

option = click.option(
    "--progress",
    "style",
    type=click.Choice(STYLES),
    default="auto",
    show_default=True,
    help="How to show progress (on stderr).",
)


@contextmanager
def show(style: str, title: str) -> Iterator[Emit]:
    """Give an ``Emit`` whose events are shown on stderr until the block ends.

    Args:
        style: ``auto`` (live on a terminal, else plain), ``plain`` or ``json``.
        title: what the work is about; a profile's name.
    """
    with show_several(style, (title,)) as emits:
        yield emits[title]


@contextmanager
def show_several(style: str, titles: Sequence[str]) -> Iterator[Mapping[str, Emit]]:
    """The same for work that goes on side by side: an ``Emit`` for each title.

    Each may be called by a thread of its own.
    """
    if style == "auto" and sys.stderr.isatty():
        # This imports rich, which takes 0.1 s, and only a terminal needs it.
        from imagekit.commands.live import live_display  # noqa: PLC0415

        with live_display(titles) as emits:
            yield _in_turn(emits)
    elif style == "json":
        yield _in_turn({title: _json(title) for title in titles})
    else:
        several = len(titles) > 1
        yield _in_turn({title: _plain(title, several=several) for title in titles})


def _in_turn(emits: Mapping[str, Emit]) -> Mapping[str, Emit]:
    """The same, so that no event is shown in the middle of another."""
    turn = threading.Lock()

    def guarded(emit: Emit) -> Emit:
        def tell(event: Event) -> None:
            with turn:
                emit(event)

        return tell

    return {title: guarded(emit) for title, emit in emits.items()}


def _json(title: str) -> Callable[[Event], None]:
    """One object a line; docs/metadata.md has its shape."""

    def emit(event: Event) -> None:
        shown = {"version": 1, "about": title, "event": type(event).__name__, **asdict(event)}
        # ASCII with escapes, and DEL is no exception: nothing here can drive a terminal.
        click.echo(json.dumps(shown).replace("\x7f", "\\u007f"), err=True)

    return emit


def _plain(title: str, *, several: bool) -> Callable[[Event], None]:
    """Lines as they come, each with the step that it belongs to."""
    names: dict[str, str] = {}

    def say(text: str) -> None:
        click.echo(f"{title}: {printable(text)}", err=True)

    def emit(event: Event) -> None:
        if isinstance(event, Notice):
            say(event.text)
        elif isinstance(event, StepStarted):
            names[event.step] = short_name(event.name)
            say(names[event.step][:200])
        elif isinstance(event, StepLog):
            prefix = _prefix(names.get(event.step, ""))
            for line in event.lines:
                say(f"{prefix}{click.unstyle(line)}")
        elif isinstance(event, StepFinished):
            what = "failed" if event.error else "cached" if event.cached else "done"
            seconds = "" if event.cached else f" {event.seconds:.1f} s"
            say(f"{_prefix(names.get(event.step, ''))}{what}{seconds}")
        elif isinstance(event, BuildFinished) and several:
            say(f"{'failed' if event.error else 'built'} {event.seconds:.1f} s")

    return emit


def _prefix(name: str) -> str:
    """The part of a step's name that tells it from others: ``[base 2/2] ``."""
    match = re.match(r"\[[^\]]*\] ", name)
    return match.group() if match else f"{name[:40]}: " if name else ""
