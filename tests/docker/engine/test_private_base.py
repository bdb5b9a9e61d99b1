"""A base image from a registry that asks for a login: by argument, as stored, by a helper."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imagekit.context import Context, ContextFile
from imagekit.engine.buildkit import build
from imagekit.errors import NetworkError
from tests.docker import registry as registries

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine

HELPER = """\
#!/bin/sh
# https://github.com/docker/docker-credential-helpers#development
[ "$1" = get ] && [ "$(cat)" = "{host}" ] || exit 1
echo '{{"ServerURL": "{host}", "Username": "{user}", "Secret": "{password}"}}'
"""


@dataclass(frozen=True)
class Registry:
    """A registry that asks everybody for a login."""

    host: str
    user: str
    password: str


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    login = ("lab", "only-for-this-test")
    with registries.registry(tmp_path_factory.mktemp("registry"), login) as port:
        yield Registry(f"127.0.0.1:{port}", *login)


@pytest.fixture
def base(engine: Engine, registry: Registry) -> str:
    """An image that the registry has and the engine no longer has.

    Its name is new each time: engines remember for a while who may fetch what.
    """
    name = f"{registry.host}/{uuid.uuid4().hex[:12]}"
    text = f"FROM scratch\nLABEL unique={uuid.uuid4().hex}\nCOPY Dockerfile /\n"
    build(engine, Context((ContextFile("Dockerfile", text.encode()),)), tags=[name])
    login = {"username": registry.user, "password": registry.password}
    answers = engine.client.images.push(name, auth_config=login, stream=True, decode=True)
    assert [answer["error"] for answer in answers if "error" in answer] == []
    engine.client.images.remove(name)
    return name


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker configuration without logins."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def context(base: str) -> Context:
    return Context((ContextFile("Dockerfile", f"FROM {base}\nLABEL above=1\n".encode()),))


def test_without_a_login_it_cannot_be_had(engine: Engine, base: str) -> None:
    with pytest.raises(NetworkError, match=r"(?s)hint: .*docker login"):
        build(engine, context(base))


def test_by_argument(engine: Engine, registry: Registry, base: str, name: str) -> None:
    auth = {registry.host: (registry.user, registry.password)}
    build(engine, context(base), auth=auth, tags=[name])


def test_an_argument_goes_before_what_is_stored(
    engine: Engine, registry: Registry, base: str, config: Path
) -> None:
    store(config, registry)
    with pytest.raises(NetworkError):
        build(engine, context(base), auth={registry.host: (registry.user, "wrong")})


def test_as_docker_login_stored_it(
    engine: Engine, registry: Registry, base: str, config: Path, name: str
) -> None:
    store(config, registry)
    build(engine, context(base), tags=[name])


def test_by_a_credential_helper(  # noqa: PLR0917 - fixtures
    engine: Engine,
    registry: Registry,
    base: str,
    config: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    helper = config.parent / "docker-credential-imagekit-test"
    helper.write_text(
        HELPER.format(host=registry.host, user=registry.user, password=registry.password)
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{config.parent}:{os.environ['PATH']}")
    config.write_text(json.dumps({"credHelpers": {registry.host: "imagekit-test"}}))
    build(engine, context(base), tags=[name])


def store(config: Path, registry: Registry) -> None:
    secret = base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
    config.write_text(json.dumps({"auths": {registry.host: {"auth": secret}}}))
