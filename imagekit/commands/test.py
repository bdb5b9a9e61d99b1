"""``imagekit test``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagekit import metadata
from imagekit.checks.selection import choose
from imagekit.commands import progress
from imagekit.commands.options import engine_option, json_option, set_option
from imagekit.container import check_gpus

if TYPE_CHECKING:
    from imagekit.checks.report import Report


@click.command()
@click.argument("profile_", metavar="[PROFILE]", default="")
@click.option("--image", metavar="REF", default="", help="Test this image, whoever built it.")
@click.option("--only", metavar="CHECK", multiple=True, help="Only this check; may be repeated.")
@click.option(
    "--with",
    "told",
    metavar="KEY=VALUE",
    multiple=True,
    help="Tell how somebody else's image is used, for instance --with port.sshd=2222.",
)
@click.option("--full", is_flag=True, help="Also what takes minutes: restart, installs, …")
@click.option("--browser", is_flag=True, help="Also open the desktop in a real Chromium.")
@click.option("--require", metavar="CHECK", multiple=True, help="Fail where it is skipped.")
@click.option("--gpus", metavar="all|none|UUID,…", default="", help="With CUDA all, by default.")
@set_option
@engine_option
@json_option
@click.option("--junit", metavar="FILE", default="", help="Write JUnit XML for CI servers.")
@click.option("--report", "folder", metavar="DIR", default="", help="Write an HTML page.")
@progress.option
def command(
    profile_: str,
    image: str,
    only: tuple[str, ...],
    told: tuple[str, ...],
    full: bool,
    browser: bool,
    require: tuple[str, ...],
    gpus: str,
    overrides: tuple[str, ...],
    address: str,
    as_json: bool,
    junit: str,
    folder: str,
    style: str,
) -> int:
    """Smoke-test a profile's image, or any other.

    A real login, a real desktop; with --full, a real restart. With --image and a PROFILE,
    the profile says what is expected of the image; without one, the image itself or, where
    imagekit did not build it, what --only asks for (docs/foreign-images.md).

    Exits with 1 when a check failed. --report writes DIR/index.html, which needs nothing
    beside it, DIR/report.json, and the pictures that checks took.

    JSON: {"version": 1, "image", "profile", "ok", "checks": [{"name", "status", "reason",
    "failure", "started", "seconds", "data"}], …}; `imagekit schema report` has all of it.
    """
    if not profile_ and not image:
        raise click.UsageError("name a PROFILE, or an image with --image")
    check_gpus(gpus)
    # Wrong paths are to be found before anything is contacted.
    junit_file = metadata.check_path(junit, "--junit") if junit else None
    report_folder = metadata.check_folder(folder, "--report") if folder else None
    reference, wish = choose(profile_, image, only, overrides, told)

    # These import docker-py and testcontainers, which takes longer than all of the above.
    from imagekit.checks.runner import Options, run_checks, select  # noqa: PLC0415
    from imagekit.commands import results  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415

    also = ("browser",) if browser else ()
    options = Options(only, full, require, gpus, also, wish)
    select(options)
    with (
        closing(connect(address)) as engine,
        progress.show(style, profile_ or image) as on_event,
    ):
        report = run_checks(engine, reference, options, on_event=on_event)
    if as_json:
        click.echo(report.to_json())
    else:
        results.tell(report)
    _write(report, junit_file, report_folder)
    return 0 if report.ok else 1


def _write(report: Report, junit: Path | None, folder: Path | None) -> None:
    """Write what was asked for, and say so where it does not mix with results."""
    from imagekit.checks.forms.folder import write_file, write_folder  # noqa: PLC0415
    from imagekit.checks.forms.junit import to_junit  # noqa: PLC0415

    if junit is not None:
        write_file(junit, to_junit(report))
        click.echo(f"wrote {junit}", err=True)
    if folder is not None:
        click.echo(f"wrote {write_folder(report, folder)[0]}", err=True)
