"""``imagekit catalogue``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import click

from imagekit.catalogue.rows import Row
from imagekit.catalogue.tables import TABLES, table
from imagekit.commands.options import json_option
from imagekit.errors import InputError, Message, NetworkError
from imagekit.validation import suggestion

_CHECK = "check"
_CHANGED = 1  # the exit code that says so
_WIDEST = 44  # columns of a cell; --json has the whole value
_TOLD_BY_JSON = frozenset({"source", "date", "note"})


@click.command()
@click.argument("arguments", nargs=-1, metavar="[check] [TABLE]... [WORD]...")
@json_option
def command(arguments: tuple[str, ...], as_json: bool) -> int | None:
    """Print the data on what exists and what fits.

    Without a table, an overview. With tables, their rows; with words, those rows that have
    all of them. JSON has every field, the source and its date among them.

    "imagekit catalogue check" asks package indexes (by pip), registries (by the engine) and
    mirrors whether rows still hold, and proposes the rows that changed. Exit code 0: all
    that could be asked hold; 1: some changed; 4: nothing could be reached.

    JSON: {"version": 1, "tables": {TABLE: [ROW]}}, or for check {"version": 1, "answers":
    [{"table", "row", "answer", "why", "proposed"}]}, where "answer" is "holds", "changed"
    or "not asked".
    """
    checking = arguments[:1] == (_CHECK,)
    names, words = _split(arguments[1:] if checking else arguments, checking=checking)
    if checking:
        return _check(names or tuple(TABLES), words, as_json=as_json)
    if as_json:
        shown = {name: [asdict(row) for row in rows_of(name, words)] for name in names or TABLES}
        _print_json({"version": 1, "tables": shown})
        return None
    if not names:
        for line in _overview():
            click.echo(line)
    for position, name in enumerate(names):
        if len(names) > 1:
            click.echo(f"\n{name}" if position else name)
        for line in _aligned(name, rows_of(name, words)):
            click.echo(line)
    return None


def rows_of(name: str, words: Sequence[str]) -> tuple[Row, ...]:
    """The rows of a table that have all words somewhere, in any case."""
    wanted = [word.lower() for word in words]
    rows = table(TABLES[name])
    return tuple(
        row for row in rows if all(word in json.dumps(asdict(row)).lower() for word in wanted)
    )


def _split(
    arguments: tuple[str, ...], *, checking: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of tables, then words.

    Raises:
        InputError: the first argument is no table.
    """
    count = 0
    while count < len(arguments) and arguments[count] in TABLES:
        count += 1
    if arguments and not count:
        known = [*TABLES] if checking else [*TABLES, _CHECK]
        hint = suggestion(arguments[0], known)
        raise InputError(Message(arguments[0], "the catalogue has no such table", hint))
    return arguments[:count], arguments[count:]


# ---- what is printed


def _overview() -> list[str]:
    """A line a table: its name, how many rows, and what they are."""
    width = max(map(len, TABLES))
    return [
        f"{name:<{width}}  {len(table(kind)):>5}  {what(kind)}" for name, kind in TABLES.items()
    ]


def what(kind: type[Row]) -> str:
    """The first sentence of what says what a row is."""
    first = (kind.__doc__ or "").strip().splitlines()[0]
    return first.partition(". ")[0].rstrip(".")


def _aligned(name: str, rows: Sequence[Row]) -> list[str]:
    """Rows as columns of the same width, their titles first."""
    padded = []
    for column in columns(name, rows):
        width = max(map(len, column))
        padded.append([f"{cell:<{width}}" for cell in column])
    return ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]


def columns(name: str, rows: Sequence[Row]) -> list[list[str]]:
    """The columns of a table, each with its title first; those that are empty are left out."""
    found = []
    for field in fields(TABLES[name]):
        cells = [_cell(getattr(row, field.name)) for row in rows]
        if field.name not in _TOLD_BY_JSON and any(cells):
            found.append([field.name, *cells])
    return found


def _cell(value: Any) -> str:
    """A value on one line, cut where it is long."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, dict):
        value = tuple(value)
    if isinstance(value, tuple):
        value = " ".join(item if isinstance(item, str) else item[0] for item in value)
    text = " ".join(str(value).split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


# ---- check


def _check(names: tuple[str, ...], words: tuple[str, ...], *, as_json: bool) -> int:
    """Ask about rows, print the answers; the exit code."""
    from imagekit import catalogue_check  # noqa: PLC0415  (imports docker-py)

    asked = [(name, row) for name in names for row in rows_of(name, words)]
    # One line that is written over; nothing of it in a file or a pipe.
    live = sys.stderr.isatty()

    def progress(done: int) -> None:
        if live:
            click.echo(f"\rasked about {done} of {len(asked)} rows", nl=False, err=True)

    answers = catalogue_check.check(asked, progress)
    if live:
        click.echo("\r\033[K", nl=False, err=True)
    if as_json:
        _print_json({"version": 1, "answers": [answer.to_dict() for answer in answers]})
    else:
        for line in _report(answers):
            click.echo(line)
    changed = sum(answer.answer == catalogue_check.CHANGED for answer in answers)
    unasked = [answer for answer in answers if answer.answer == catalogue_check.NOT_ASKED]
    holding = len(answers) - changed - len(unasked)
    click.echo(f"{holding} hold, {changed} changed, {len(unasked)} not asked", err=True)
    if answers and len(unasked) == len(answers):
        raise NetworkError(Message("", "none of these rows could be asked about", unasked[0].why))
    return _CHANGED if changed else 0


def _report(answers: Sequence[Any]) -> list[str]:
    lines = []
    for answer in answers:
        why = f": {answer.why}" if answer.why else ""
        lines.append(f"{answer.answer:<9}  {answer.table}  {answer.row}{why}")
        lines += [f"    {line}" for line in answer.proposed.splitlines()]
    return lines
