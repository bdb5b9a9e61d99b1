"""``imagekit rm``."""

from __future__ import annotations

import click

from imagekit.commands.options import engine_option
from imagekit.errors import InputError, Message


@click.command()
@click.argument("name", metavar="PERSON")
@engine_option
@click.option("--purge", is_flag=True, help="Remove the home as well. There is no way back.")
@click.option("--yes", metavar="PERSON", default="", help="With --purge: the name again.")
def command(name: str, address: str, purge: bool, yes: str) -> None:
    """Remove a person's container; the home stays.

    A home that stayed goes with --purge, later, too.
    """
    if purge and yes != name:
        hint = f"to delete it: imagekit rm {name} --purge --yes {name}"
        raise InputError(Message("", f"--purge deletes the home of {name} for good", hint))

    from imagekit.engine.connection import connect  # noqa: PLC0415  (imports docker-py)
    from imagekit.run import person as people  # noqa: PLC0415

    people.check_name(name)
    engine = connect(address)
    if purge and people.find(engine, name) is None:
        left = people.remove_volumes(engine, name)
        if left:
            click.echo(f"{name}: had no container; removed for good: {' '.join(left)}")
            return
    kept = people.remove(engine, people.must_find(engine, name), purge=purge)
    click.echo(f"{name}: removed; kept: {' '.join(kept)}" if kept else f"{name}: removed for good")
