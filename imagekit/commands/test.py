"""``imagekit test``."""

from __future__ import annotations

import click

from imagekit import names, profile
from imagekit.commands import progress
from imagekit.commands.options import engine_option, json_option, set_option
from imagekit.container import check_gpus
from imagekit.plan.resolve import resolve


@click.command()
@click.argument("profile_", metavar="[PROFILE]", default="")
@click.option("--image", metavar="REF", default="", help="Test this image instead.")
@click.option("--only", metavar="CHECK", multiple=True, help="Only this check; may be repeated.")
@click.option("--full", is_flag=True, help="Also what takes minutes: restart, installs, …")
@click.option("--browser", is_flag=True, help="Also open the desktop in a real Chromium.")
@click.option("--require", metavar="CHECK", multiple=True, help="Fail where it is skipped.")
@click.option("--gpus", metavar="all|none|UUID,…", default="", help="With CUDA all, by default.")
@set_option
@engine_option
@json_option
@progress.option
def command(
    profile_: str,
    image: str,
    only: tuple[str, ...],
    full: bool,
    browser: bool,
    require: tuple[str, ...],
    gpus: str,
    overrides: tuple[str, ...],
    address: str,
    as_json: bool,
    style: str,
) -> int:
    """Smoke-test a profile's image.

    A real login, a real desktop; with --full, a real restart.

    JSON: {"version": 1, "image", "profile", "ok", "checks": [{"name", "status", "reason",
    "seconds", "data"}], …}. Exits with 1 when a check failed.
    """
    if bool(profile_) == bool(image):
        raise click.UsageError("name a PROFILE, or an image with --image")
    check_gpus(gpus)
    # The plan's own tag, not `latest`: what is tested is what the profile says now.
    reference = image or names.tags(resolve(profile.load(profile_, overrides)))[1]

    # These import docker-py and testcontainers, which takes longer than all of the above.
    from imagekit.checks.runner import Options, run_checks, select  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415

    options = Options(only, full, require, gpus, ("browser",) if browser else ())
    select(options)
    engine = connect(address)
    with progress.show(style, profile_ or image) as on_event:
        report = run_checks(engine, reference, options, on_event=on_event)
    if as_json:
        click.echo(report.to_json())
    else:
        for result in report.results:
            reason = f"  {result.reason}" if result.reason else ""
            click.echo(f"{result.status:<8} {result.name:<10} {result.seconds:5.1f} s{reason}")
    return 0 if report.ok else 1
