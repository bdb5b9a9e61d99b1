"""``imagekit validate``."""

from __future__ import annotations

from functools import cache

import click

from imagekit import profile
from imagekit.commands import fits
from imagekit.commands.options import driver_option, gpu_option
from imagekit.errors import InputError, Message
from imagekit.plan.resolve import resolve


@click.command()
@click.argument("profiles", nargs=-1, metavar="[PROFILE]...")
@gpu_option
@driver_option
def command(profiles: tuple[str, ...], gpu: str, driver: str) -> None:
    """Check profiles without building them.

    All that can be found are checked when none is named. Those that do not run on the GPU
    or with the driver given are refused; so are those that are named and do not run on this
    host, where NVIDIA's driver answers.
    """
    asked = gpu or driver or profiles
    there = fits.present(gpu, driver) if asked else ()
    fits.say_notes(there)
    others = cache(fits.every_plan)  # asked for by each refusal
    problems: list[Message] = []
    for name in profiles or profile.names():
        try:
            plan = resolve(profile.load(name))
        except InputError as error:
            problems.extend(error.messages)
            continue
        wrong = list(fits.refusal(plan, there, others))
        problems.extend(wrong)
        if not wrong:
            click.echo(f"{name}: ok")
    if problems:
        raise InputError(problems)
