"""Options and arguments that several verbs share."""

from __future__ import annotations

import shutil

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
engine_option = click.option(
    "--engine",
    "address",
    metavar="ADDRESS",
    default="",
    help="The engine: ssh://me@server, tcp://…, unix://…, or a docker context's name.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
gpu_option = click.option(
    "--gpu",
    metavar="NAME",
    default="",
    help='Say whether it runs on this GPU: "RTX 2080 Ti", or a compute capability.',
)
driver_option = click.option(
    "--driver", metavar="VERSION", default="", help="Say whether it runs with this NVIDIA driver."
)


def knows_hardware(gpu: str, driver: str) -> bool:
    """Whether hardware is named, or this host may have some; asking more takes longer."""
    return bool(gpu or driver or shutil.which("nvidia-smi"))
