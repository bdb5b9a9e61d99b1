"""Builds by hand and by imagekit, in turn, on the same engine and base, out of the same mirror.

The mirror is a proxy of this machine that keeps what it fetched, so that the line's speed
is no part of the comparison. Cold means that the engine's build cache was emptied before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from imagekit import bases, profile
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.engine import buildkit, images
from imagekit.engine.connection import Engine
from imagekit.events import ignore
from imagekit.plan.model import Plan
from imagekit.plan.resolve import resolve
from imagekit.render import render
from imagekit.site import Site, load
from tests.bench.phases import Phases
from tests.docker.archives import gateway, upstream
from tests.docker.reverseproxy import serving

BASE = "localhost/imagekit-bench/base:1"
IMAGE = "imagekit-bench/image:1"

# What the hand-written build is told of the mirror. It has no other way than its base.
_TOLD = """\
FROM {base}
COPY place.crt /usr/local/share/ca-certificates/place.crt
RUN find /etc/apt/sources.list* -type f -exec sed -i -E \\
        's#https?://[^/ ]+/(debian|debian-security)#{mirror}/\\1#' {{}} + && \\
    printf '[global]\\nindex-url = {mirror}/simple\\ntrusted-host = {host}\\n' > /etc/pip.conf
"""
# Fetch a list of packages, then unpack them two at a time: what no build can be faster than.
_FLOOR = """\
ARG BASE
FROM ${{BASE}}
RUN apt-get update && apt-get install -y --no-install-recommends --download-only {names}
RUN mkdir /x && ls /var/cache/apt/archives/*.deb | xargs -P 2 -I {{}} dpkg-deb -x {{}} /x
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A build: seconds by this clock, bytes as the engine counts them, seconds by phase."""

    seconds: float
    size: int
    phases: dict[str, float]


@dataclass(frozen=True, slots=True)
class Yard:
    """Where both are built."""

    engine: Engine
    place: Site
    folder: Path
    plain: str
    base: str

    def theirs(self, text: str) -> Seen:
        """Build a Dockerfile as it is."""
        context = Context((ContextFile(DOCKERFILE, text.encode()),))
        return self._seen(context, {"BASE": self.base}, {})

    def ours(self, text: str) -> Seen:
        """Build a profile, from its text on."""
        began = time.monotonic()
        context = render(self.plan(text))
        told = time.monotonic() - began
        seen = self._seen(context, {"BASE": self.plain}, self.place.build_secrets())
        return replace(seen, seconds=seen.seconds + told)

    def plan(self, text: str) -> Plan:
        """The plan of a profile's text."""
        file = self.folder / "ours.yaml"
        file.write_text(text)
        return resolve(profile.load(str(file)))

    def empty(self) -> None:
        """Empty the engine's build cache, cache mounts and all."""
        api = self.engine.client.api
        api.post(f"{api.base_url}/v{self.engine.api_version}/build/prune?all=1").raise_for_status()

    def again(self, text: str) -> tuple[float, float]:
        """Nothing changed: seconds of `imagekit build`, and of the engine's own cached build."""
        file = self.folder / "again.yaml"
        file.write_text(text)
        command = [sys.executable, "-m", "imagekit", "build", str(file), "--progress", "plain"]
        # Python's own bytecode is there, as pip leaves it.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        began = time.monotonic()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        ours = time.monotonic() - began
        context = render(resolve(profile.load(str(file))))
        began = time.monotonic()
        args, compression = {"BASE": self.plain}, load().compression
        buildkit.build(self.engine, context, build_args=args, compression=compression)
        return ours, time.monotonic() - began

    def floor(self, text: str) -> float:
        """Seconds to fetch and to unpack a profile's packages, and nothing else."""
        names = sorted({name for _, listed in self.plan(text).apt for name in listed})
        return self.theirs(_FLOOR.format(names=" ".join(names))).seconds

    def _seen(self, context: Context, args: dict[str, str], secrets: dict[str, bytes]) -> Seen:
        phases = Phases()
        began = time.monotonic()
        built = buildkit.build(
            self.engine, context, tags=[IMAGE], secrets=secrets, build_args=args, on_event=phases
        )
        seconds = time.monotonic() - began
        found = images.find(self.engine, built.image_id)
        assert found is not None
        return Seen(seconds, found.size, dict(phases.seconds))


@contextmanager
def yard(engine: Engine) -> Iterator[Yard]:
    """Serve the mirror, and make both bases."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "npm").mkdir()
        (folder / "kept").mkdir()
        served = upstream(folder / "npm")
        address, _ = gateway(engine)
        with serving(address, served, folder / "kept") as proxy:
            here = load()
            urls = {"apt": proxy.url, "pypi": f"{proxy.url}/simple", "npm": f"{proxy.url}/npm"}
            place = replace(here, **urls)
            plan = _plan_of_the_base(folder)
            plain = bases.obtain(engine, plan.os, here, fresh=False, on_event=ignore).reference
            host = proxy.url.partition("//")[2]
            told = _TOLD.format(base=plain, mirror=proxy.url, host=host.partition(":")[0])
            files = (
                ContextFile(DOCKERFILE, told.encode()),
                ContextFile("place.crt", here.ca_certificates),
            )
            buildkit.build(engine, Context(files), tags=[BASE])
            yield Yard(engine, place, folder, plain, BASE)


def _plan_of_the_base(folder: Path) -> Plan:
    file = folder / "base.yaml"
    file.write_text("profile: 1\nbase: {os: debian12}\n")
    return resolve(profile.load(str(file)))
