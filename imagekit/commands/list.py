"""``imagekit list``."""

from __future__ import annotations

import json

import click

from imagekit import document, profile
from imagekit.commands.options import json_option
from imagekit.document import Scalar
from imagekit.errors import InputError


@click.command()
@click.option("--names", "only_names", is_flag=True, help="Print the names alone.")
@json_option
def command(only_names: bool, as_json: bool) -> None:
    """List the profiles that can be built.

    JSON: {"version": 1, "profiles": [{"name", "description", "file"}]}.
    """
    if only_names:
        for name in profile.names():
            click.echo(name)
        return
    rows = []
    for name in profile.names():
        file = profile.find(name)
        rows.append({"name": name, "description": _description(name), "file": str(file)})
    if as_json:
        click.echo(json.dumps({"version": 1, "profiles": rows}, indent=2, ensure_ascii=False))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {row['description']}".rstrip())


def _description(name: str) -> str:
    """A profile's description; a file that cannot be read says so in its place."""
    try:
        node = document.load(profile.find(name)).root.get("description")
    except InputError as error:
        return f"(cannot be read: imagekit validate {name}: {error.messages[0].what})"
    return node.text if isinstance(node, Scalar) else ""
