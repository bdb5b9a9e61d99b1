"""``imagekit push``."""

from __future__ import annotations

import json
import shlex
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from imagekit import names, profile, targets
from imagekit import site as site_file
from imagekit.commands import progress
from imagekit.commands.options import engine_option, json_option, set_option, site_option
from imagekit.errors import ImagekitError, Message, WorkFailedError
from imagekit.plan.model import Plan
from imagekit.plan.resolve import resolve

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine
    from imagekit.engine.images import ImageFacts
    from imagekit.push import Pushed


@click.command()
@click.argument("arguments", nargs=-1, metavar="[PROFILE] [TARGET]...")
@click.option("--image", metavar="REF", default="", help="Push this image instead of a profile's.")
@set_option
@site_option
@engine_option
@json_option
@progress.option
def command(
    arguments: tuple[str, ...],
    image: str,
    overrides: tuple[str, ...],
    site: str,
    address: str,
    as_json: bool,
    style: str,
) -> None:
    """Push a profile's image to registries, and see that it is there.

    A TARGET is a repository, which gets the tags {plan}-{image} (never overwritten),
    {plan} and latest; or repository:tag with {profile}, {version}, {date}, {plan} and
    {image} in it. Without one the site's registry is taken.

    Prints one line a name to stdout, once the registry was seen to have it:
    repository:tag@digest.

    JSON: {"version": 1, "image", "profile", "ok", "pushed": [{"reference", "digest",
    "sent"}], "failed": [{"where", "what", "hint"}]}. Exits with 4 when a registry failed.
    """
    if not arguments and not image:
        raise click.UsageError("name a PROFILE, or an image with --image")
    named, texts = ("", arguments) if image else (arguments[0], arguments[1:])
    place = site_file.load(site)
    wanted = targets.wanted(texts, place.registry)
    plan = resolve(profile.load(named, overrides)) if named else None

    # These import docker-py, which takes longer than all of the above.
    from imagekit.engine.connection import connect  # noqa: PLC0415
    from imagekit.push import push  # noqa: PLC0415

    with closing(connect(address)) as engine:
        facts = _image(engine, plan, overrides) if plan else _named(engine, image)
        done: list[Pushed] = []
        failed: tuple[Message, ...] = ()
        complete = False
        try:
            with progress.show(style, named or image) as on_event:
                for each in push(engine, facts, wanted, place, on_event):
                    done.append(each)
            complete = True
        except ImagekitError as error:
            failed = error.messages
            raise
        finally:
            # Also when it failed or was interrupted: what was proved before is there.
            if as_json:
                click.echo(_json(facts, done, failed, complete=complete))
            else:
                for each in done:
                    click.echo(each.pinned)


def _image(engine: Engine, plan: Plan, overrides: tuple[str, ...]) -> ImageFacts:
    """The image of a plan.

    Raises:
        WorkFailedError: it has not been built, or its name was given to another image.
    """
    from imagekit.engine import images  # noqa: PLC0415  (imports docker-py)

    # The plan's own tag, not `latest`: what is pushed is what the profile says now.
    found = images.find(engine, names.tags(plan)[1])
    if found is None or found.labels.get(names.PLAN_LABEL) != plan.digest:
        settings = [part for override in overrides for part in ("--set", override)]
        hint = shlex.join(["imagekit", "build", plan.profile, *settings])
        raise WorkFailedError(Message(plan.profile, "not built yet", hint))
    return found


def _named(engine: Engine, image: str) -> ImageFacts:
    from imagekit.engine import images  # noqa: PLC0415  (imports docker-py)

    found = images.find(engine, image)
    if found is None:
        hint = "imagekit build PROFILE makes one"
        raise WorkFailedError(Message(image, "there is no such image", hint))
    return found


def _json(
    image: ImageFacts, done: list[Pushed], failed: tuple[Message, ...], *, complete: bool
) -> str:
    shown = {
        "version": 1,
        "image": image.id,
        "profile": image.labels.get(names.PROFILE_LABEL, ""),
        "ok": complete,
        "pushed": [asdict(each) for each in done],
        "failed": [asdict(message) for message in failed],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False)
