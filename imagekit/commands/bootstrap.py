"""``imagekit bootstrap``."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import click

from imagekit import names, validation
from imagekit import site as site_file
from imagekit.catalogue import OsRelease, os_releases
from imagekit.commands import progress
from imagekit.commands.options import engine_option, json_option, site_option
from imagekit.document import quote
from imagekit.errors import InputError, Message


@click.command()
@click.argument("os_", metavar="OS")
@click.option(
    "--ref",
    metavar="NAME",
    default="",
    help="Name for the image instead of localhost/imagekit/base:OS.",
)
@click.option(
    "--output",
    metavar="FILE",
    default="",
    help="Write the root as a tar archive instead, compressed for .gz, .xz and .zst.",
)
@site_option
@engine_option
@progress.option
@json_option
def command(
    os_: str, ref: str, output: str, site: str, address: str, style: str, as_json: bool
) -> None:
    """Make a base image from an apt mirror, without a registry.

    OS is a release of the catalogue, such as debian12. Needs root, and debootstrap or
    mmdebstrap. The mirror is the site's, or else this host's own; its signature is checked.
    Prints the image's id and name; with --output, which needs no engine, the archive's
    sha256 and path, for base.archives of a site file.

    JSON: {"version": 1, "os", "image": {"id", "name"}, "archive": {"sha256", "file"}};
    "image" or "archive" is null.
    """
    release = _release(os_)
    if ref and output:
        raise click.UsageError("--ref names an image, and --output makes none")
    if output:
        _demand_folder(Path(output))
    name = names.check_reference(ref) if ref else ""
    place = site_file.load(site)

    # The engine's modules import docker-py, which takes longer than all of the above.
    from imagekit import bases  # noqa: PLC0415
    from imagekit.engine import bootstrap  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415

    recipe = bases.recipe(release, place)
    image = archive = None
    if output:
        with progress.show(style, os_) as on_event:
            archive = {
                "sha256": bootstrap.write(recipe, Path(output), on_event),
                "file": output,
            }
        line = f"{archive['sha256']}  {output}"
    else:
        name = name or f"{bases.BOOTSTRAPPED}:{os_}"
        with (
            closing(connect(address, podman=True)) as engine,
            progress.show(style, os_) as on_event,
        ):
            labels = {bases.BASE_LABEL: os_}
            made = bootstrap.bootstrap(engine, recipe, name, labels=labels, on_event=on_event)
        image = {"id": made.id, "name": name}
        line = f"{made.id} {name}"
    if as_json:
        shown = {"version": 1, "os": os_, "image": image, "archive": archive}
        line = json.dumps(shown, indent=2)
    click.echo(line)


def _release(name: str) -> OsRelease:
    found = os_releases().get(name)
    if found is None:
        what = f"{quote(name)} is no release of the catalogue"
        raise InputError(Message("", what, validation.suggestion(name, list(os_releases()))))
    return found


def _demand_folder(file: Path) -> None:
    """Raise before the work when the archive could not be written in the end."""
    if not file.parent.is_dir() or file.is_dir():
        what = "is a folder" if file.is_dir() else "its folder is not there"
        raise InputError(Message(str(file), what, "name a file in a folder that is there"))
