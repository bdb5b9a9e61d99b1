"""The session from the engine's side: gRPC over the stream that we serve."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker.auth
import docker.errors
import pytest
from grpclib import GRPCError, Status
from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from imagekit.engine import session as session_module
from imagekit.engine.protocol.auth_pb2 import CredentialsRequest, CredentialsResponse
from imagekit.engine.protocol.secrets_pb2 import GetSecretRequest, GetSecretResponse
from imagekit.engine.services import docker_login, login_with
from imagekit.engine.session import Session
from imagekit.engine.tunnel import Wire
from imagekit.errors import EngineError

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine
    from tests.unit.engine.conftest import FakeEngine


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The engine's end of the stream; ``Session`` gets the other one."""
    ours, theirs = socket.socketpair()

    def upgrade(engine: object, path: str, headers: Sequence[tuple[str, str]]) -> Wire:
        return Wire(ours)

    monkeypatch.setattr(session_module, "upgrade", upgrade)
    with theirs:
        yield theirs


@asynccontextmanager
async def client(end: socket.socket, folder: Path) -> AsyncIterator[Channel]:
    """A gRPC client that speaks through ``end``; grpclib's dials a unix socket."""

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()

    accepted: list[asyncio.Task[None]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(asyncio.current_task())  # type: ignore[arg-type]
        far_reader, far_writer = await asyncio.open_unix_connection(sock=end.dup())
        back = asyncio.ensure_future(carry(far_reader, writer))
        try:
            await carry(reader, far_writer)
        finally:
            back.cancel()
            for side in (far_writer, writer):
                side.close()
                with suppress(OSError):
                    await side.wait_closed()

    server = await asyncio.start_unix_server(accept, folder / "c")
    async with server:
        async with Channel(path=str(folder / "c")) as channel:
            yield channel
        await asyncio.gather(*accepted)


async def call(channel: Channel, path: str, request: Any, reply: type[Any]) -> Any:
    return await UnaryUnaryMethod(channel, path, type(request), reply)(request, timeout=5)


def serve(
    pair: socket.socket,
    folder: Path,
    path: str,
    request: object,
    reply: type[object],
    **session: Any,
) -> Any:
    """What a session answers to one call."""

    async def ask() -> object:
        async with client(pair, folder) as channel:
            return await call(channel, path, request, reply)

    with Session(None, session.pop("secrets", {}), **session):  # type: ignore[arg-type]
        return asyncio.run(ask())


SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
LOGIN = "/moby.filesync.v1.Auth/Credentials"


def test_secret(pair: socket.socket, tmp_path: Path) -> None:
    value = bytes(range(256)) * 2000  # as large as BuildKit takes
    request = GetSecretRequest(ID="a")
    reply = serve(pair, tmp_path, SECRET, request, GetSecretResponse, secrets={"a": value})
    assert reply.data == value


def test_unknown_secret_is_not_found(pair: socket.socket, tmp_path: Path) -> None:
    with pytest.raises(GRPCError) as caught:
        serve(pair, tmp_path, SECRET, GetSecretRequest(ID="b"), GetSecretResponse)
    assert caught.value.status is Status.NOT_FOUND


def test_health(pair: socket.socket, tmp_path: Path) -> None:
    path = "/grpc.health.v1.Health/Check"
    reply = serve(pair, tmp_path, path, HealthCheckRequest(), HealthCheckResponse)
    assert reply.status == HealthCheckResponse.SERVING


@pytest.mark.parametrize("known", [("me", "pw"), ("", "token"), ("", "")])
def test_credentials(pair: socket.socket, tmp_path: Path, known: tuple[str, str]) -> None:
    asked: list[str] = []

    def login(host: str) -> tuple[str, str]:
        asked.append(host)
        return known

    request = CredentialsRequest(Host="reg.test:5000")
    reply = serve(pair, tmp_path, LOGIN, request, CredentialsResponse, login=login)
    assert asked == ["reg.test:5000"]
    assert (reply.Username, reply.Secret) == known


def test_broken_credential_helper_is_told(pair: socket.socket, tmp_path: Path) -> None:
    def login(host: str) -> tuple[str, str]:
        raise docker.errors.DockerException("helper is gone")

    with pytest.raises(GRPCError, match="helper is gone"):
        serve(pair, tmp_path, LOGIN, CredentialsRequest(), CredentialsResponse, login=login)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("reg.test", ("me", "pw")),
        (f"registry-7.{docker.auth.INDEX_NAME}", ("hub", "pw")),
        ("token.test", ("", "id-token")),
        ("other.test", ("", "")),
    ],
)
def test_logins_come_from_dockers_configuration(
    host: str, expected: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    logins = {
        "reg.test": {"auth": "bWU6cHc="},
        docker.auth.INDEX_URL: {"auth": "aHViOnB3"},
        "token.test": {"identitytoken": "id-token"},
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": logins}))
    assert docker_login(host) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("reg.test:5000", ("me", "pw")),
        (f"registry-1.{docker.auth.INDEX_NAME}", ("hub", "pw")),
        ("reg.test", ("stored", "for reg.test")),
    ],
)
def test_logins_that_are_given_go_before_stored_ones(host: str, expected: tuple[str, str]) -> None:
    given = {"reg.test:5000": ("me", "pw"), docker.auth.INDEX_NAME: ("hub", "pw")}
    assert login_with(given, lambda host: ("stored", f"for {host}"))(host) == expected


def test_nothing_stored_is_anonymous() -> None:
    assert docker_login("reg.test") == ("", "")


@pytest.mark.parametrize("times", range(3))
def test_engine_that_hangs_up_ends_the_session(pair: socket.socket, times: int) -> None:
    with Session(None, {}) as session:  # type: ignore[arg-type]
        pair.close()
        assert session._thread is not None
        session._thread.join(5)
        assert not session._thread.is_alive()


def test_nothing_is_left(
    pair: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = threading.active_count()
    with Session(None, {}):  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []  # the socket's folder is gone already
    assert threading.active_count() == before
    assert pair.recv(1) in {b"", b"\0"}  # our end is closed (or its HTTP/2 settings come first)


def test_long_temporary_folder(
    pair: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with Session(None, {}):  # type: ignore[arg-type]
        assert list(deep.iterdir()) == []


def test_methods_are_announced(fake: FakeEngine, engine: Engine) -> None:
    with Session(engine, {}) as session:
        headers = fake.headers["/session"]
    assert headers["Upgrade"] == "h2c"
    assert headers["X-Docker-Expose-Session-Uuid"] == session.id
    assert headers["X-Docker-Expose-Session-Grpc-Method"] == LOGIN  # the last one


def test_engine_that_is_gone(fake: FakeEngine, engine: Engine) -> None:
    fake.path.unlink()
    with pytest.raises(EngineError, match="no such socket"), Session(engine, {}):
        pass
