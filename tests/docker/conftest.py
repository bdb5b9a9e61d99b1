"""What tests on a real engine share: the engine, a small base, the image of the profile."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import docker.errors
import pytest

from imagekit import bases, catalogue, profile
from imagekit.engine.connection import Engine, connect
from imagekit.errors import EngineError
from imagekit.events import ignore
from imagekit.plan.model import Os, Plan
from imagekit.plan.resolve import resolve
from imagekit.site import load as load_site
from tests.docker.support import PROFILE, Builder, Cli
from tests.required import missing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs an engine."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    try:
        connected = connect()
    except EngineError as error:
        missing("engine", str(error))
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def tiny_base(engine: Engine) -> str:
    """A local image with /bin/sh: the base of the profiles, bootstrapped where it must be."""
    release = next(iter(catalogue.os_releases().values()))
    system = Os(release.id, release.image, release.suite)
    return bases.obtain(engine, system, load_site(), fresh=False, on_event=ignore).reference


@pytest.fixture(scope="session")
def plan() -> Plan:
    return resolve(profile.load(PROFILE))


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Run the installed command line; its output is text."""

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "imagekit", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"imagekit {' '.join(arguments)}: {done.returncode}\n{done.stderr}")
        return done

    return run


@pytest.fixture(scope="session")
def image(engine: Engine, cli: Cli) -> str:
    """The id of the profile's image, built by the command line."""
    return cli("build", PROFILE, "--progress", "plain").stdout.split()[0]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT as a person's terminal gives it; a shell's background jobs have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def ssh_plan(plan: Plan) -> Plan:
    """The profile's plan without its desktop."""
    apt = tuple(layer for layer in plan.apt if layer[0] in {"base", "sshd"})
    return replace(plan, profile="ik-parts", desktop=None, apt=apt)


@pytest.fixture(scope="session")
def builder(engine: Engine) -> Iterator[Builder]:
    made = Builder(engine)
    yield made
    for tag in made.tags:
        with suppress(docker.errors.APIError):
            engine.client.images.remove(tag)
