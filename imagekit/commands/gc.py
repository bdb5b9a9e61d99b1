"""``imagekit gc``."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from imagekit import library
from imagekit import site as site_file
from imagekit.commands.options import engine_option, json_option, site_option
from imagekit.errors import InputError, Message

if TYPE_CHECKING:
    from imagekit.engine.inventory import Usage
    from imagekit.gc import Item

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|[kKmMgGtT]B?)?\Z", re.ASCII)
_UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_NOT_REMOVED = "not removed: "


@click.command()
@click.argument("profiles", nargs=-1, metavar="[PROFILE]...")
@click.option("--yes", is_flag=True, help="Remove it without asking.")
@click.option(
    "--cache-cap",
    metavar="SIZE",
    default="",
    help="Build cache that may stay, for instance 20GB; 50GB unless a PROFILE is named.",
)
@site_option
@engine_option
@json_option
def command(
    profiles: tuple[str, ...], yes: bool, cache_cap: str, site: str, address: str, as_json: bool
) -> int:
    """Show what imagekit left in the engine, and remove it.

    Images of superseded plans (the two newest plans of each profile stay, and whatever a
    container uses or has a name of yours), containers and networks of smoke tests that ended
    long ago, and build cache over a cap. Never a person's container, never a volume with a
    name. With a PROFILE only what belongs to it.

    Asks before it removes; without a terminal, and with --json, nothing is removed unless
    --yes is given. Exits with 1 when something could not be removed.

    JSON: {"version": 1, "items": [{"kind", "id", "name", "goes", "reason", "bytes", "removed",
    "error"}], "before": {"images", "cache"}, "after": {"images", "cache"} or null when nothing
    was to be removed}.
    """
    for name in profiles:
        if not library.is_name(name):
            raise InputError(Message("", f"{name!r} is no profile's name", "imagekit list --names"))
    cap = _bytes(cache_cap) if cache_cap else None
    registry = site_file.load(site).registry

    # These import docker-py, which takes longer than all of the above.
    from imagekit import gc  # noqa: PLC0415
    from imagekit.engine import inventory  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415

    if cap is None and not profiles:
        cap = gc.CACHE_CAP
    errors: dict[int, str] = {}
    after = None
    with closing(connect(address)) as engine:
        found = gc.survey(engine, gc.Wanted(frozenset(profiles), registry, cap))
        going = [item for item in found.items if item.goes]
        if not as_json:
            _show(found.items, found.usage)
        if going and (yes or _agreed(len(going), asking=not as_json)):
            for item, error in gc.sweep(going):
                errors[id(item)] = error
                if error:
                    click.echo(f"{item.name}: {_NOT_REMOVED}{error}", err=True)
            after = inventory.usage(engine)
    if as_json:
        shown = [_item(item, errors.get(id(item))) for item in found.items]
        click.echo(json.dumps(_document(shown, found.usage, after), indent=2, ensure_ascii=False))
    elif after is not None:
        removed = sum(not error for error in errors.values())
        click.echo(f"removed {removed} of {len(going)}; {_change(found.usage, after)}")
    return 1 if any(errors.values()) else 0


def _agreed(count: int, *, asking: bool) -> bool:
    """Ask a person; without one the answer is no, and says so."""
    if asking and sys.stdin.isatty() and sys.stdout.isatty():
        return click.confirm(f"remove these {count}?", err=True)
    click.echo(f"nothing removed; --yes removes these {count}", err=True)
    return False


def _show(items: tuple[Item, ...], usage: Usage) -> None:
    rows = [
        ("remove" if item.goes else "keep", item.kind, _text(item.size), item.name, item.reason)
        for item in items
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    for row in rows:
        padded = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(padded).rstrip())
    click.echo(
        f"on the engine's disk, everybody's: images {_text(usage.images)}, "
        f"build cache {_text(usage.cache)}"
    )
    if not any(item.goes for item in items):
        click.echo("nothing to remove")


def _change(before: Usage, after: Usage) -> str:
    """What the engine counted before and afterwards; others may have built meanwhile."""
    return (
        f"images {_text(before.images)} -> {_text(after.images)}, "
        f"build cache {_text(before.cache)} -> {_text(after.cache)}"
    )


def _document(items: list[dict[str, Any]], before: Usage, after: Usage | None) -> dict[str, Any]:
    return {
        "version": 1,
        "items": items,
        "before": {"images": before.images, "cache": before.cache},
        "after": {"images": after.images, "cache": after.cache} if after else None,
    }


def _item(item: Item, error: str | None) -> dict[str, Any]:
    """``error`` is None for what was not tried."""
    return {
        "kind": item.kind,
        "id": item.id,
        "name": item.name,
        "goes": item.goes,
        "reason": item.reason,
        "bytes": item.size,
        "removed": error == "",
        "error": error or "",
    }


def _text(size: int) -> str:
    """Bytes for people: 1.2 GB, 340 MB, empty for none."""
    if size >= 10**9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size else ""


def _bytes(text: str) -> int:
    """A size in powers of ten, as Docker's own command line counts.

    Raises:
        InputError: it is none.
    """
    match = _SIZE.match(text)
    if match is None:
        raise InputError(Message("--cache-cap", f"{text!r} is no size", "for instance 20GB"))
    return int(float(match[1]) * _UNITS[(match[2] or "").upper()[:1]])
