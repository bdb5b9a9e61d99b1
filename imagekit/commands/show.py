"""``imagekit show``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from imagekit import names, profile
from imagekit.commands.options import json_option, profile_argument, set_option
from imagekit.plan.resolve import resolve


@click.command()
@profile_argument
@set_option
@json_option
def command(profile_: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show what a profile means: every decision made.

    JSON: {"version": 1, "plan": {…}, "digest", "tags"}.
    """
    plan = resolve(profile.load(profile_, overrides))
    if as_json:
        shown = {
            "version": 1,
            "plan": asdict(plan),
            "digest": plan.digest,
            "tags": names.tags(plan),
        }
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for key, value in asdict(plan).items():
        click.echo(f"{key:<12} {_line(value)}".rstrip())
    click.echo(f"{'digest':<12} {plan.digest}")
    click.echo(f"{'tags':<12} {' '.join(names.tags(plan))}")


def _line(value: Any) -> str:
    """A part of the plan in one line."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_line(item)}" for key, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " ".join(
            f"{item[0]}({_line(item[1])})" if isinstance(item, tuple) else str(item)
            for item in value
        )
    return str(value)
