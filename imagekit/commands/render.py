"""``imagekit render``."""

from __future__ import annotations

from pathlib import Path

import click

from imagekit import profile
from imagekit.commands.options import profile_argument, set_option
from imagekit.context import DOCKERFILE, Context
from imagekit.errors import InputError, Message
from imagekit.plan.resolve import resolve
from imagekit.render import render


@click.command()
@profile_argument
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    help="Write the Dockerfile and the files with it to this folder, new or empty "
    "or rendered before.",
)
@set_option
def command(profile_: str, output: str | None, overrides: tuple[str, ...]) -> None:
    """Write the Dockerfile and its files.

    Without -o only the Dockerfile, to stdout.
    """
    context = render(resolve(profile.load(profile_, overrides)))
    if output is None:
        click.echo(context.dockerfile, nl=False)
        return
    folder = Path(output)
    write(context, folder)
    click.echo(folder / DOCKERFILE)


def write(context: Context, folder: Path) -> None:
    """Write a context to a folder that is new, empty, or was rendered before.

    Raises:
        InputError: it holds other files, or cannot be written.
    """
    try:
        if folder.exists() and not _is_ours(folder):
            hint = "give a new or empty folder"
            what = "holds other files; nothing was written"
            raise InputError(Message(str(folder), what, hint))
        context.write_to(folder)
        _remove_others(folder, {file.path for file in context.files})
    except OSError as error:
        raise InputError(Message(str(folder), f"cannot be written: {error.strerror}")) from error


def _is_ours(folder: Path) -> bool:
    """Whether a folder is empty or was rendered before."""
    if not folder.is_dir():
        return False
    names = {entry.name for entry in folder.iterdir()}
    return not names or names - {"files"} == {DOCKERFILE, "settings", "build", "rootfs"}


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove what an earlier rendering left that this one does not have."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in kept:
            path.unlink()
