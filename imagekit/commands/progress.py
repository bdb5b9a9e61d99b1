"""Shows events while work goes on: live on a terminal, plain lines or JSON elsewhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from imagekit.commands.live import live_display
from imagekit.document import printable
from imagekit.events import Emit, Event, Notice, StepFinished, StepLog, StepStarted

STYLES = ("auto", "plain", "json")

option = click.option(
    "--progress",
    "style",
    type=click.Choice(STYLES),
    default="auto",
    show_default=True,
    help="How to show progress (on stderr).",
)

# What stands in every step and tells people nothing: mounts, and the line that applies
# the place's settings.
_NOISE = re.compile(r"--mount=\S+\s+|\. /run/imagekit-build/\S+ &&\s+")


def short_name(name: str) -> str:
    """A step's name without its mounts, in one line."""
    return " ".join(_NOISE.sub("", name).split())


@contextmanager
def show(style: str, title: str) -> Iterator[Emit]:
    """Give an ``Emit`` whose events are shown on stderr until the block ends.

    Args:
        style: ``auto`` (live on a terminal, else plain), ``plain`` or ``json``.
        title: what the work is about; a profile's name.
    """
    if style == "json":
        yield _json(title)
    elif style == "auto" and sys.stderr.isatty():
        with live_display(title, short_name) as emit:
            yield emit
    else:
        yield _plain(title)


def _json(title: str) -> Callable[[Event], None]:
    """One object a line: {"version": 1, "about", "event", …the event's fields}."""

    def emit(event: Event) -> None:
        shown = {"version": 1, "about": title, "event": type(event).__name__, **asdict(event)}
        # ASCII with escapes, and DEL is no exception: nothing here can drive a terminal.
        click.echo(json.dumps(shown).replace("\x7f", "\\u007f"), err=True)

    return emit


def _plain(title: str) -> Callable[[Event], None]:
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

    return emit


def _prefix(name: str) -> str:
    """The part of a step's name that tells it from others: ``[base 2/2] ``."""
    match = re.match(r"\[[^\]]*\] ", name)
    return match.group() if match else f"{name[:40]}: " if name else ""
