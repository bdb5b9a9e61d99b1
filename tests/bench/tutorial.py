"""The tutorial's image, built by hand and by imagekit on the same engine, side by side."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from imagekit import bases, build, profile
from imagekit.checks import ssh
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.engine import buildkit
from imagekit.engine.connection import Engine
from imagekit.events import ignore
from imagekit.plan.model import Plan
from imagekit.plan.resolve import resolve
from imagekit.site import Site, load
from imagekit.wait import Deadline

FOLDER = Path(__file__).parent / "tutorial"
BASE = "imagekit-bench/base:1"
THEIRS = "imagekit-bench/tutorial:1"


@dataclass(frozen=True, slots=True)
class Build:
    """A build without any cache: seconds, and the image's bytes as the engine counts them."""

    image: str
    seconds: float
    size: int


def ours(engine: Engine) -> Build:
    """What imagekit makes of the same contents."""
    plan = resolve(profile.load(str(FOLDER / "ours.yaml")))
    begun = time.monotonic()
    built = build.build(engine, plan, load(), build.Options(no_cache=True), ignore)
    return Build(built.image_id, time.monotonic() - begun, built.size)


def theirs(engine: Engine) -> Build:
    """The Dockerfile's own image, on the same base."""
    place = load()
    base = _base(engine, resolve(profile.load(str(FOLDER / "ours.yaml"))), place)
    text = (FOLDER / "Dockerfile").read_bytes()
    begun = time.monotonic()
    built = buildkit.build(
        engine,
        Context((ContextFile(DOCKERFILE, text),)),
        tags=[THEIRS],
        build_args={"BASE": base},
        no_cache=True,
    )
    seconds = time.monotonic() - begun
    return Build(built.image_id, seconds, engine.client.images.get(built.image_id).attrs["Size"])


def seconds_to_their_login(engine: Engine, image: str) -> float:
    """From the engine's start to root's login; it starts nothing but sshd."""
    container = engine.client.containers.create(image, ports={"22/tcp": ("127.0.0.1", None)})
    try:
        begun = time.monotonic()
        container.start()
        container.reload()
        address = ("127.0.0.1", int(container.ports["22/tcp"][0]["HostPort"]))
        with ssh.connect(address, Deadline.after(60)) as transport:
            assert ssh.try_password(transport, "root", "root")
        return time.monotonic() - begun
    finally:
        container.remove(force=True, v=True)


def _base(engine: Engine, plan: Plan, place: Site) -> str:
    """The plan's base, with the certificates that this place needs and a plain build lacks."""
    base = bases.obtain(engine, plan.os, place, fresh=False, on_event=ignore).reference
    if not place.ca_certificates:
        return base
    folder = "/usr/local/share/ca-certificates"
    text = f"FROM {base}\nCOPY place.crt {folder}/place.crt\n"
    files = (
        ContextFile(DOCKERFILE, text.encode()),
        ContextFile("place.crt", place.ca_certificates),
    )
    buildkit.build(engine, Context(files), tags=[BASE])
    return BASE
