"""``imagekit run``."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import click

from imagekit import names, pem, profile
from imagekit import site as site_file
from imagekit.commands import fits, progress
from imagekit.commands.options import engine_option, profile_argument, set_option, site_option
from imagekit.container import check_gpus, generate_secrets, of_plan
from imagekit.engine import endpoint
from imagekit.errors import InputError, Message, WorkFailedError
from imagekit.events import Notice
from imagekit.plan.resolve import resolve

_PUBLIC_KEY = ("ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")


@click.command()
@profile_argument
@click.option("--name", metavar="PERSON", required=True, help="Who the container is for.")
@click.option("--key", metavar="FILE", default="", help="An OpenSSH public key to let in.")
@click.option("--gpus", metavar="all|UUID,…", default="", help="Give the container these GPUs.")
@set_option
@site_option
@engine_option
@progress.option
def command(
    profile_: str,
    name: str,
    key: str,
    gpus: str,
    overrides: tuple[str, ...],
    site: str,
    address: str,
    style: str,
) -> None:
    """Start a container for a person.

    Prints how to log in. Someone who has a container keeps it: it is started when it was
    stopped, and the card is printed without the passwords.
    """
    plan = resolve(profile.load(profile_, overrides))
    place = site_file.load(site)
    keys = _public_keys(key)
    certificate = _certificate(place)
    check_gpus(gpus)
    if gpus and _engine_is_here(address):
        misfits = list(fits.refusal(plan, fits.present("", "")))
        if misfits:
            raise InputError(misfits)

    # These import docker-py, which takes longer than all of the above.
    from imagekit.engine import images  # noqa: PLC0415
    from imagekit.engine.connection import connect  # noqa: PLC0415
    from imagekit.run import person as people  # noqa: PLC0415
    from imagekit.run.card import card  # noqa: PLC0415
    from imagekit.run.start import Request, resume, start  # noqa: PLC0415

    people.check_name(name)
    engine = connect(address)
    person, secrets = people.find(engine, name), None
    image = images.find(engine, names.tags(plan)[1])
    if person is not None:
        with progress.show(style, name) as on_event:
            if keys or gpus:
                on_event(Notice(f"{name} has a container; --key and --gpus count for a new one"))
            person = resume(engine, person, image, on_event)
    elif image is not None:
        secrets = replace(of_plan(generate_secrets(keys), plan), **certificate)
        request = Request(name, plan, image, secrets, gpus)
        with progress.show(style, name) as on_event:
            person = start(engine, request, place, on_event)
    else:
        settings = [part for override in overrides for part in ("--set", override)]
        hint = shlex.join(["imagekit", "build", profile_, *settings])
        raise WorkFailedError(Message(plan.profile, "not built yet", hint))
    for line in card(person).lines(secrets):
        click.echo(line)


def _engine_is_here(address: str) -> bool:
    """Whether this host's GPUs are those that the engine can give."""
    return endpoint.resolve(address).url.startswith("unix:")


def _certificate(place: site_file.Site) -> dict[str, str]:
    """The site's certificate and key as fields of ``Secrets``; none without them."""
    if not place.tls_certificate:
        return {}
    return {
        "tls_certificate": pem.certificates(Path(place.tls_certificate)).decode(),
        "tls_key": pem.private_key(Path(place.tls_key)).decode(),
    }


def _public_keys(path: str) -> str:
    """The public keys in a file."""
    if not path:
        return ""
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Message(path, f"cannot be read: {error}")) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or not all(line.startswith(_PUBLIC_KEY) for line in lines):
        hint = "give the .pub file, for instance ~/.ssh/id_ed25519.pub"
        raise InputError(Message(path, "not OpenSSH public keys, one a line", hint))
    return "\n".join(lines)
