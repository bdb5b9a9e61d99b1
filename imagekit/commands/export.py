"""``imagekit export``: what other tools build from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagekit import profile
from imagekit import site as site_file
from imagekit.commands.options import site_option
from imagekit.commands.render import write
from imagekit.errors import InputError, Message
from imagekit.plan.resolve import Decision, decide
from imagekit.render import render

if TYPE_CHECKING:
    from imagekit.exports.bake import Target

_profiles_argument = click.argument("profiles", nargs=-1, metavar="[PROFILE]...")


@click.group()
def command() -> None:
    """Write what other tools build from: a CI matrix, a bake file."""


@command.command("ci-matrix")
@_profiles_argument
@click.option(
    "--changed-since",
    "revision",
    metavar="REV",
    default="",
    help="Only profiles whose rendered context is not what it was at this git revision.",
)
def ci_matrix(profiles: tuple[str, ...], revision: str) -> None:
    """Print a matrix of profiles for CI.

    All that can be found when none is named. With --changed-since says on stderr what
    changed; a profile that was not there, or could not be rendered, counts as changed.

    JSON: {"include": [{"profile", "plan"}]}, on one line, as GitHub's "fromJSON" takes it;
    "plan" is the tag of 12 hexadecimal digits that the image gets.
    """
    decisions = _decide(profiles)
    if revision:
        decisions = _changed(decisions, revision)
    rows = [
        {"profile": name, "plan": decision.plan.digest[:12]} for name, decision in decisions.items()
    ]
    click.echo(json.dumps({"include": rows}))


@command.command("bake")
@_profiles_argument
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    required=True,
    help="Folder for docker-bake.json and the contexts; new or empty, or exported before.",
)
@site_option
def bake(profiles: tuple[str, ...], output: str, site: str) -> None:
    """Write contexts, and a docker-bake.json that buildx builds them by.

    All profiles that can be found when none is named; each is a target, and the group
    "default" is all of them. Run buildx in the folder: `docker buildx bake --load`.
    """
    decisions = _decide(profiles)
    place = site_file.load(site)

    from imagekit.exports.bake import FILE, document, targets  # noqa: PLC0415 (docker-py)

    made = targets(decisions.values(), place)
    folder = Path(output)
    try:
        if folder.exists() and not _is_ours(folder, FILE):
            hint = "give a new or empty folder"
            raise InputError(Message(output, "holds other files; nothing was written", hint))
        for target in made:
            write(target.context, folder / target.profile)
            _write_secrets(target, folder)
        text = json.dumps(document(made), indent=2, ensure_ascii=False)
        (folder / FILE).write_text(f"{text}\n", "utf-8")
    except OSError as error:
        raise InputError(Message(output, f"cannot be written: {error.strerror}")) from error
    click.echo(folder / FILE)


def _decide(profiles: tuple[str, ...]) -> dict[str, Decision]:
    """All plans by the name that was asked for, or everything that is wrong with any."""
    decisions: dict[str, Decision] = {}
    problems: list[Message] = []
    for name in profiles or profile.names():
        try:
            decisions[name] = decide(profile.load(name))
        except InputError as error:
            problems.extend(error.messages)
    if problems:
        raise InputError(problems)
    return decisions


def _changed(decisions: dict[str, Decision], revision: str) -> dict[str, Decision]:
    """Those whose context is another than at a revision."""
    from imagekit.exports import revision as git  # noqa: PLC0415 (8 ms that few runs need)

    with git.checkout(revision) as then:
        before = git.contexts(then, decisions)
    changed: dict[str, Decision] = {}
    for name, decision in decisions.items():
        if paths := git.changes(render(decision.plan), before[name]):
            what = ", ".join(paths) if before[name] else "could not be rendered then"
            click.echo(f"{name}: {what}", err=True)
            changed[name] = decision
    return changed


def _is_ours(folder: Path, file: str) -> bool:
    """Whether a folder is empty or was exported before."""
    return folder.is_dir() and ((folder / file).is_file() or not any(folder.iterdir()))


def _write_secrets(target: Target, folder: Path) -> None:
    """Write what the builds are told of the place, for nobody else to read."""
    from imagekit.exports.bake import SECRETS  # noqa: PLC0415 (docker-py)

    for name, data in target.secrets.items():
        file = folder / SECRETS / target.profile / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(data)
