"""A real `imagekit build` is stopped in the middle of a step that would take for ever."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagekit.context import Context, ContextFile
from imagekit.engine import images
from imagekit.engine.buildkit import build
from imagekit.engine.connection import Engine
from tests.required import missing

SOON = 5.0  # seconds after Ctrl-C


@dataclass(frozen=True)
class BlackHole:
    """An apt mirror that takes requests and never answers them."""

    listener: socket.socket

    @property
    def url(self) -> str:
        address, port = self.listener.getsockname()
        return f"http://{address}:{port}/debian"


@pytest.fixture
def black_hole(engine: Engine) -> Iterator[BlackHole]:
    (config,) = engine.client.networks.get("bridge").attrs["IPAM"]["Config"][:1]
    address = config.get("Gateway") or config["Subnet"].replace(".0.0/16", ".0.1")
    with socket.socket() as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            missing("iptables", "the engine's bridge is not on this machine")
        listener.listen()
        listener.settimeout(120)
        yield BlackHole(listener)


@pytest.fixture
def profile(engine: Engine, tiny_base: str, tmp_path: Path) -> Iterator[str]:
    """A profile none of whose steps was ever run: it stands on a base of its own."""
    name = f"imagekit-test/interrupt:{uuid.uuid4().hex[:12]}"
    text = f"FROM {tiny_base}\nCOPY unique /etc/\n"
    files = (
        ContextFile("Dockerfile", text.encode()),
        ContextFile("unique", name.encode()),
    )
    build(engine, Context(files), tags=[name])
    file = tmp_path / "interrupt.yaml"
    file.write_text(f'profile: 1\nbase: {{os: debian12, image: "{name}"}}\n')
    yield str(file)
    engine.client.images.remove(name)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("how", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_stopped_build_ends_at_once_and_leaves_nothing(  # noqa: PLR0917 - fixtures
    engine: Engine,
    profile: str,
    black_hole: BlackHole,
    tmp_path: Path,
    how: signal.Signals,
    code: int,
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f"site: 1\nmirrors: {{apt: {black_hole.url}}}\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "imagekit", "build", profile, "--site", str(site)]
    with (tmp_path / "said").open("w+") as said:
        process = subprocess.Popen(
            [*command, "--progress", "plain"],
            stdout=said,
            stderr=said,
            env={**os.environ, "TMPDIR": str(scratch)},
        )
        try:
            caller, _ = black_hole.listener.accept()  # the step runs, and waits for us
            process.send_signal(how)
            assert process.wait(SOON) == code
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        assert said.read().endswith("\ninterrupted\n") is (code == 130)
    with caller:
        caller.settimeout(SOON)
        while caller.recv(65536):  # what it asked; then the engine ends the step
            pass
    assert list(scratch.iterdir()) == []
    assert images.find(engine, "imagekit/interrupt:latest") is None
