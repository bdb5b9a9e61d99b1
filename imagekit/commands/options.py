"""Options and arguments that several verbs share."""

from __future__ import annotations

import click

profile_argument = click.argument("profile_", metavar="PROFILE")
set_option = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Override a value of the profile, for instance --set user.name=zhang.",
)
site_option = click.option(
    "--site", metavar="FILE", default="", help="A site file instead of the one that is found."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
