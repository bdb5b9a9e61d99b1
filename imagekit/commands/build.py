"""``imagekit build``."""

from __future__ import annotations

import click

from imagekit import names, profile
from imagekit import site as site_file
from imagekit.commands import progress
from imagekit.commands.options import set_option, site_option
from imagekit.errors import InputError, Message
from imagekit.plan.resolve import Decision, decide


@click.command()
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...")
@click.option("--tag", "tags", metavar="NAME", multiple=True, help="One more name for the image.")
@set_option
@site_option
@click.option("--no-cache", is_flag=True, help="Run every step again.")
@click.option("--pull", is_flag=True, help="Fetch the base image again.")
@progress.option
def command(
    profiles: tuple[str, ...],
    tags: tuple[str, ...],
    overrides: tuple[str, ...],
    site: str,
    no_cache: bool,
    pull: bool,
    style: str,
) -> None:
    """Build the images of profiles.

    Prints one line an image to stdout: the image id and its names.
    """
    if tags and len(profiles) > 1:
        raise click.UsageError("--tag names one image; build one profile at a time with it")
    for tag in tags:
        names.check_reference(tag)
    decisions = _decide(profiles, overrides)
    place = site_file.load(site)

    # The engine's modules import docker-py, which takes longer than all of the above.
    from imagekit.build import Options, build  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415
    from imagekit.engine.endpoint import resolve  # noqa: PLC0415
    from imagekit.proxies import check  # noqa: PLC0415

    check(place, resolve().url)
    engine = connect()
    options = Options(tags, no_cache=no_cache, pull=pull)
    for decision in decisions:
        plan = decision.plan
        with progress.show(style, plan.profile) as on_event:
            from_here = place.with_profile_mirrors(decision.mirrors)
            built = build(engine, plan, from_here, options, on_event)
        click.echo(
            f"{plan.profile}: {built.size / 1e6:.0f} MB, {built.seconds:.1f} s, "
            f"{built.cached} of {built.steps} steps cached",
            err=True,
        )
        click.echo(f"{built.image_id} {' '.join(built.tags)}")


def _decide(profiles: tuple[str, ...], overrides: tuple[str, ...]) -> list[Decision]:
    """All plans, or everything that is wrong with any profile."""
    decisions: list[Decision] = []
    problems: list[Message] = []
    for name in profiles:
        try:
            decisions.append(decide(profile.load(name, overrides)))
        except InputError as error:
            problems.extend(error.messages)
    if problems:
        raise InputError(problems)
    return decisions
