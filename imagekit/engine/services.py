"""What the engine may ask us for while it builds: secrets and registry credentials.

These are gRPC services of which we are the server (see ``session``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeAlias

import docker.auth
import docker.errors
from grpclib import GRPCError, Status
from grpclib.const import Cardinality, Handler
from grpclib.server import Stream

from imagekit.engine import logins
from imagekit.engine.protocol.auth_pb2 import CredentialsRequest, CredentialsResponse
from imagekit.engine.protocol.secrets_pb2 import GetSecretRequest, GetSecretResponse
from imagekit.errors import InputError, Message

MAX_SECRET = 500 * 1024
"""Bytes; BuildKit takes no larger secret (moby/buildkit, session/secrets ``MaxSecretSize``)."""

Login: TypeAlias = Callable[[str], tuple[str, str]]
"""Gives user name and password for a registry's host; two empty texts for none."""


class Secrets:
    """``moby.buildkit.secrets.v1.Secrets``: the values of ``RUN --mount=type=secret,id=…``."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        """Serve ``values`` by id.

        Raises:
            InputError: a value is larger than ``MAX_SECRET``.
        """
        for name, value in values.items():
            if len(value) > MAX_SECRET:
                raise InputError(
                    Message(
                        f"secret {name}",
                        f"is {len(value)} bytes; BuildKit takes at most {MAX_SECRET}",
                    )
                )
        self._values = dict(values)

    async def get(self, stream: Stream[GetSecretRequest, GetSecretResponse]) -> None:
        """Answer one request; an unknown id is NOT_FOUND, which a mount may tolerate.

        The engine also asks for ids of its own, such as ``HTTP_AUTH_HEADER``.
        """
        request = await stream.recv_message()
        name = request.ID if request else ""
        if name not in self._values:
            raise GRPCError(Status.NOT_FOUND, f"no secret {name}")
        await stream.send_message(GetSecretResponse(data=self._values[name]))

    def __mapping__(self) -> dict[str, Handler]:
        return {
            "/moby.buildkit.secrets.v1.Secrets/GetSecret": Handler(
                self.get, Cardinality.UNARY_UNARY, GetSecretRequest, GetSecretResponse
            )
        }


class Credentials:
    """``moby.filesync.v1.Auth``: how to log in to a registry.

    Only the method that every BuildKit knows. The engine does without the newer ones
    when the session does not offer them, and fetches tokens itself.
    """

    def __init__(self, login: Login) -> None:
        """Serve what ``login`` knows; it is called in a thread of its own."""
        self._login = login

    async def get(self, stream: Stream[CredentialsRequest, CredentialsResponse]) -> None:
        """Answer one request; two empty texts mean an anonymous pull."""
        request = await stream.recv_message()
        try:
            user, secret = await asyncio.to_thread(self._login, request.Host if request else "")
        except docker.errors.DockerException as error:
            raise GRPCError(Status.UNAVAILABLE, str(error)) from error
        await stream.send_message(CredentialsResponse(Username=user, Secret=secret))

    def __mapping__(self) -> dict[str, Handler]:
        return {
            "/moby.filesync.v1.Auth/Credentials": Handler(
                self.get, Cardinality.UNARY_UNARY, CredentialsRequest, CredentialsResponse
            )
        }


def login_with(known: Mapping[str, tuple[str, str]], otherwise: Login) -> Login:
    """Logins by registry host; what ``known`` lacks is asked of ``otherwise``.

    Docker Hub's host is ``docker.io``, whatever its parts are called.
    """

    def login(host: str) -> tuple[str, str]:
        name = _hub_is_one(host)
        return known[name] if name in known else otherwise(host)

    return login


def docker_login(host: str) -> tuple[str, str]:
    """What ``docker login`` stored for a registry's host, in the user's configuration.

    Returns:
        User name and password. With an empty name the password is an identity token
        (moby/buildkit, session/auth: that is how the engine tells them apart). Two
        empty texts when nothing is stored.

    Raises:
        docker.errors.DockerException: the configuration or its credential helper is broken.
    """
    entry = logins.stored(_hub_is_one(host))
    if token := entry.get("identitytoken"):
        return "", token
    return entry.get("username", ""), entry.get("password", "")


def _hub_is_one(host: str) -> str:
    """``host``, or Docker Hub's name: the engine asks for its API, logins are for its index."""
    index: str = docker.auth.INDEX_NAME
    return index if host.endswith(f".{index}") else host
