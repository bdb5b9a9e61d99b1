"""What a registry has, as the engine tells it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from requests.adapters import HTTPAdapter

from imagekit.engine import distribution
from imagekit.engine.refusals import RegistryError
from imagekit.errors import EngineError, NetworkError

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine
    from tests.unit.engine.conftest import FakeEngine

DIGEST = "sha256:" + "d" * 64


def answers(fake: FakeEngine, status: int, message: str) -> None:
    fake.registry["nvidia/cuda:1"] = [(status, message)]


def test_an_image_that_a_registry_has(fake: FakeEngine, engine: Engine) -> None:
    fake.registry["nvidia/cuda:1"] = [DIGEST]
    assert distribution.has(engine, "nvidia/cuda:1")
    assert distribution.digest(engine, "nvidia/cuda:1") == DIGEST


def test_an_answer_without_a_digest(fake: FakeEngine, engine: Engine) -> None:
    fake.refused["/distribution/nvidia/cuda:1/json"] = (200, b'{"Descriptor": null}')
    with pytest.raises(EngineError, match="the engine describes nvidia/cuda:1 as"):
        distribution.digest(engine, "nvidia/cuda:1")


def test_a_registry_that_does_not_answer_in_time(fake: FakeEngine, engine: Engine) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(fake.path.with_name("silent")))
        silent.listen()
        engine.client.api.timeout = 0.1
        engine.client.api.get_adapter("http+docker://").socket_path = silent.getsockname()
        with pytest.raises(RegistryError, match=r"no answer for 0\.1 s"):
            distribution.digest(engine, "nvidia/cuda:1")


@pytest.mark.parametrize(
    "message", ["manifest unknown: manifest unknown", "docker.io/nvidia/cuda:1: not found"]
)
def test_an_image_that_it_does_not_have(fake: FakeEngine, engine: Engine, message: str) -> None:
    answers(fake, 404, message)
    assert not distribution.has(engine, "nvidia/cuda:1")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "denied: requested access to the resource is denied"),
        (401, "pull access denied, repository does not exist or may require authorization: denied"),
        (500, "dial tcp: lookup registry.test: no such host"),
        (429, "toomanyrequests"),
    ],
)
def test_a_registry_that_does_not_tell(
    fake: FakeEngine, engine: Engine, status: int, message: str
) -> None:
    answers(fake, status, message)
    with pytest.raises(NetworkError, match=message[:12]):
        distribution.has(engine, "nvidia/cuda:1")


def test_an_engine_that_is_gone(fake: FakeEngine, engine: Engine) -> None:
    engine.client.api.base_url = "http+unix:///nonexistent"
    engine.close()
    fake.path.unlink()
    with pytest.raises(EngineError):
        distribution.has(engine, "nvidia/cuda:1")


def test_an_engine_whose_port_nobody_listens_at(engine: Engine) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        engine.client.api.mount("http://", HTTPAdapter())
        engine.client.api.base_url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(EngineError, match="nothing answers there"):
            distribution.has(engine, "nvidia/cuda:1")
