"""``imagekit list``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from imagekit import document, profile
from imagekit.commands.options import (
    driver_option,
    gpu_option,
    json_option,
    knows_hardware,
)
from imagekit.document import Scalar
from imagekit.errors import InputError

if TYPE_CHECKING:
    from imagekit.catalogue.hardware import Hardware


@dataclass(frozen=True, slots=True)
class _Row:
    """A profile as it is listed; ``runs`` is None where nothing can be said."""

    name: str
    description: str
    file: str
    runs: bool | None
    reasons: tuple[str, ...]


# Begins what `show` and `validate` say beside a reason, and JSON, too.
_SOURCE = " (source: "
_MARKS = {True: "runs", False: "no", None: "?"}


@click.command()
@click.option("--names", "only_names", is_flag=True, help="Print the names alone.")
@gpu_option
@driver_option
@json_option
def command(only_names: bool, gpu: str, driver: str, as_json: bool) -> None:
    """List the profiles that can be built.

    With --gpu or --driver, and on a host with NVIDIA's driver, each is marked: "runs" or
    "no", with the reasons below it; "?" when it is no valid profile.

    JSON: {"version": 1, "profiles": [{"name", "description", "file", "runs", "reasons"}],
    "hardware": [{"gpu", "cc", "driver"}]}; "runs" is null when no hardware is known.
    """
    if only_names:
        for name in profile.names():
            click.echo(name)
        return
    there = _present(gpu, driver)
    rows = [_row(name, there) for name in profile.names()]
    if as_json:
        shown = {
            "version": 1,
            "profiles": [asdict(row) for row in rows],
            "hardware": [asdict(one) for one in there],
        }
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        mark = f"{_MARKS[row.runs]:<4}  " if there else ""
        click.echo(f"{mark}{row.name:<{width}}  {row.description}".rstrip())
        for reason in row.reasons:
            click.echo(f"      {reason.partition(_SOURCE)[0]}")


def _present(gpu: str, driver: str) -> tuple[Hardware, ...]:
    """The hardware in play, after saying what is to be noted of it."""
    if not knows_hardware(gpu, driver):
        return ()
    # The resolver, which a list without hardware does without.
    from imagekit.commands import fits  # noqa: PLC0415

    there = fits.present(gpu, driver)
    fits.say_notes(there)
    return there


def _row(name: str, there: tuple[Hardware, ...]) -> _Row:
    """A profile; it is resolved only when hardware is in play, which takes longer."""
    file = str(profile.find(name))
    description = _description(name)
    if not there:
        return _Row(name, description, file, None, ())
    from imagekit.commands import fits  # noqa: PLC0415
    from imagekit.plan.resolve import resolve  # noqa: PLC0415

    try:
        reasons = fits.misfits(resolve(profile.load(name)), there)
    except InputError:
        return _Row(name, description, file, None, ())
    return _Row(name, description, file, not reasons, reasons)


def _description(name: str) -> str:
    """A profile's description; a file that cannot be read says so in its place."""
    try:
        node = document.load(profile.find(name)).root.get("description")
    except InputError as error:
        return f"(cannot be read: imagekit validate {name}: {error.messages[0].what})"
    return node.text if isinstance(node, Scalar) else ""
