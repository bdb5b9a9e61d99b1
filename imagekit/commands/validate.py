"""``imagekit validate``."""

from __future__ import annotations

import click

from imagekit import profile
from imagekit.errors import InputError, Message
from imagekit.plan.resolve import resolve


@click.command()
@click.argument("profiles", nargs=-1, metavar="[PROFILE]...")
def command(profiles: tuple[str, ...]) -> None:
    """Check profiles without building them.

    All that can be found are checked when none is named.
    """
    problems: list[Message] = []
    for name in profiles or profile.names():
        try:
            resolve(profile.load(name))
        except InputError as error:
            problems.extend(error.messages)
        else:
            click.echo(f"{name}: ok")
    if problems:
        raise InputError(problems)
