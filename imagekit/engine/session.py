"""BuildKit's session: during a build the engine calls us back for secrets and logins.

``POST /session`` is upgraded to a stream that carries HTTP/2 with us as the gRPC server
(moby/moby, ``api/server/router/session``; moby/buildkit, ``session/grpc.go``). One thread
runs an event loop with a grpclib server and a pump between the server and the stream.
The server listens on a unix socket in a private folder, because that is what grpclib's
public interface can serve; once the pump is connected the folder is gone.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from grpclib.health.service import Health
from grpclib.server import Server

from imagekit.engine.connection import Engine
from imagekit.engine.services import Credentials, Login, Secrets, docker_login
from imagekit.engine.tunnel import Wire, upgrade
from imagekit.errors import EngineError, Message

_MAX_SOCKET_PATH = 100  # bytes; the kernel's limit is 108 on Linux, 104 on macOS (unix(7))
_JOIN_SECONDS = 10.0  # how long a credential helper may hold up the end of a session


class Session:
    """A session of one build; a context manager.

    Attributes:
        id: what ``/build`` takes as its ``session``.
    """

    def __init__(
        self, engine: Engine, secrets: Mapping[str, bytes], login: Login = docker_login
    ) -> None:
        """Prepare a session; nothing is sent before it is entered.

        Args:
            engine: the engine.
            secrets: values by id, each at most 500 KiB.
            login: where registry credentials come from.

        Raises:
            InputError: a secret is too large.
        """
        self.id = uuid.uuid4().hex
        self._engine = engine
        self._services = (Secrets(secrets), Credentials(login))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Session:
        """Open the session.

        Raises:
            EngineError: the engine cannot be reached or has no sessions.
        """
        methods = [path for service in self._services for path in service.__mapping__()]
        wire = upgrade(
            self._engine,
            "/session",
            [
                ("Upgrade", "h2c"),
                ("X-Docker-Expose-Session-Uuid", self.id),
                ("X-Docker-Expose-Session-Name", "imagekit"),
                *(("X-Docker-Expose-Session-Grpc-Method", path) for path in methods),
            ],
        )
        self._thread = threading.Thread(
            target=self._run, args=(wire,), name=f"session {self.id[:8]}", daemon=True
        )
        try:
            self._thread.start()
            self._ready.wait()
        except BaseException:  # Ctrl-C in this moment
            if not self._thread.is_alive():
                wire.close()
            self.close()
            raise
        if self._error is not None:
            self._thread.join()
            what = f"the build's session could not be served: {self._error}"
            raise EngineError(Message(self._engine.where, what)) from self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session and its thread."""
        if self._thread is None or not self._thread.is_alive():
            return
        self._ready.wait(_JOIN_SECONDS)
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the engine ended it first, and the loop is closed
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(_JOIN_SECONDS)

    def _run(self, wire: Wire) -> None:
        """The thread: serve until the engine hangs up or ``__exit__`` cancels."""
        try:
            with suppress(asyncio.CancelledError):
                asyncio.run(self._main(wire))
        except (OSError, ValueError) as error:
            self._error = error
        finally:
            wire.close()
            self._ready.set()

    async def _main(self, wire: Wire) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        server = Server([*self._services, Health()])
        reader, writer = await _start(server)
        try:
            self._ready.set()
            await _pump(wire, reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            server.close()
            await server.wait_closed()


async def _start(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Start ``server`` and connect to it; nobody else can."""
    folder = Path(tempfile.mkdtemp(prefix="imagekit-"))  # mode 0700
    if len(bytes(folder)) > _MAX_SOCKET_PATH - len("/session"):
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="imagekit-", dir="/tmp"))
    path = str(folder / "session")
    try:
        await server.start(path=path)
        return await asyncio.open_unix_connection(path)
    finally:
        shutil.rmtree(folder)


async def _pump(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes both ways until one side ends or breaks."""

    async def from_engine() -> None:
        while data := await wire.read():
            writer.write(data)
            await writer.drain()

    async def to_engine() -> None:
        while data := await reader.read(65536):
            await wire.write(data)

    ways = [asyncio.ensure_future(from_engine()), asyncio.ensure_future(to_engine())]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        # A connection that breaks is the engine's end of the session; the build's own
        # connection reports it.
        await asyncio.gather(*ways, return_exceptions=True)
