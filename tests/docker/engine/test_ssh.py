"""An engine behind ssh: real sshd, real keys, docker-py's way through paramiko."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from imagekit.checks.leftovers import sweep
from imagekit.context import Context, ContextFile
from imagekit.engine.buildkit import build
from imagekit.engine.connection import Engine, connect
from imagekit.errors import EngineError
from imagekit.events import Event, StepLog
from tests.docker.engine.sshd import Sshd, sshd
from tests.docker.support import gone
from tests.required import missing


@pytest.fixture(scope="module")
def server(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if not engine.address.startswith("unix://"):
        missing("sshd", "the engine has no socket that a login on this machine could use")
    with sshd(engine.address, tmp_path_factory.mktemp("ssh")) as running:
        yield running


@pytest.fixture
def home(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose ssh settings let one in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    key = (server.folder / "host.pub").read_text()
    (tmp_path / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{server.port} {key}")
    identify(tmp_path, server, "known")
    return tmp_path


def identify(home: Path, server: Sshd, key: str) -> None:
    text = f"Host 127.0.0.1\n  IdentityFile {server.folder / key}\n"
    (home / ".ssh/config").write_text(text)


@pytest.mark.usefixtures("home")
def test_a_build_with_a_secret(server: Sshd, engine: Engine, tiny_base: str, name: str) -> None:
    step = f'RUN --mount=type=secret,id=s echo "open $(cat /run/secrets/s)" # {uuid.uuid4().hex}'
    dockerfile = ContextFile("Dockerfile", f"FROM {tiny_base}\n{step}\n".encode())
    events: list[Event] = []
    with closing(connect(server.url)) as far:
        assert (far.version, far.store) == (engine.version, engine.store)
        sweep(far.endpoint, "nobody's", quiet=0.0, limit=0.0)  # as a watcher does
        result = build(
            far,
            Context((dockerfile,)),
            tags=[name],
            secrets={"s": b"sesame"},
            on_event=events.append,
        )
    assert [x for e in events if isinstance(e, StepLog) for x in e.lines] == ["open sesame"]
    assert engine.client.images.get(name).id == result.image_id


@pytest.mark.usefixtures("home")
def test_giving_up_ends_the_step(server: Sshd, tiny_base: str) -> None:
    seconds = f"32.{uuid.uuid4().int % 10**9:09d}"
    dockerfile = ContextFile("Dockerfile", f"FROM {tiny_base}\nRUN sleep {seconds}\n".encode())
    with closing(connect(server.url)) as far, pytest.raises(EngineError, match="said nothing"):
        build(far, Context((dockerfile,)), idle_timeout=2)
    assert gone(seconds)


def test_a_server_that_is_not_known_is_refused(server: Sshd, home: Path) -> None:
    (home / ".ssh/known_hosts").unlink()
    with pytest.raises(
        EngineError, match=r"(?s)not found in known_hosts.*hint: `ssh HOST docker version`"
    ):
        connect(server.url)


def test_a_stranger_is_not_let_in(server: Sshd, home: Path) -> None:
    identify(home, server, "stranger")
    with pytest.raises(EngineError, match=r"(?s)ssh failed: Authentication failed.*hint: "):
        connect(server.url)


def test_a_key_that_is_not_there_is_named(server: Sshd, home: Path) -> None:
    identify(home, server, "lost")
    with pytest.raises(EngineError, match=r"(?s)/lost.*hint: `ssh HOST docker version`"):
        connect(server.url)


def test_a_login_without_docker(server: Sshd, home: Path) -> None:
    allowed = server.folder / "known.pub"
    key = allowed.read_text()
    allowed.write_text(f'command="exit 127" {key}')
    try:
        with pytest.raises(
            EngineError, match=r"(?s)closed the connection.*hint: `ssh HOST docker version`"
        ):
            connect(server.url)
    finally:
        allowed.write_text(key)


@pytest.mark.usefixtures("home")
def test_nobody_listens() -> None:
    with pytest.raises(EngineError, match="nothing answers there"):
        connect("ssh://127.0.0.1:1")
