"""``imagekit card``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from imagekit.commands.options import engine_option, json_option


@click.command()
@click.argument("name", metavar="PERSON")
@click.option("--passwords", is_flag=True, help="Say the passwords, too.")
@engine_option
@json_option
def command(name: str, passwords: bool, address: str, as_json: bool) -> None:
    """Say how a person logs in.

    JSON: {"version": 1, "name", "profile", "state", "login", "url", "ssh", "keys_only",
    "jupyter", "vnc", "local_only"},
    and with --passwords "password", "desktop_password", "jupyter_token",
    "vnc_password" and "root_password"; empty is what the image does not read.
    """
    from imagekit.engine.connection import connect  # noqa: PLC0415  (imports docker-py)
    from imagekit.run import person as people  # noqa: PLC0415
    from imagekit.run.card import card  # noqa: PLC0415

    people.check_name(name)
    engine = connect(address)
    person = people.must_find(engine, name)
    secrets = people.read_secrets(engine, person) if passwords else None
    shown = card(person)
    if not as_json:
        for line in shown.lines(secrets):
            click.echo(line)
        return
    values = {"version": 1, **asdict(shown)}
    if secrets:
        values["password"] = secrets.password
        values["desktop_password"] = secrets.desktop_password
        values["jupyter_token"] = secrets.jupyter_token
        values["vnc_password"] = secrets.vnc_password
        values["root_password"] = secrets.root_password
    click.echo(json.dumps(values, indent=2, ensure_ascii=False))
