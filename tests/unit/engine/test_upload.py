"""What an engine says of a push: only a whole answer with a digest is one."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from requests.adapters import HTTPAdapter

from imagekit.engine.refusals import RegistryError
from imagekit.engine.upload import upload
from imagekit.errors import EngineError, ImagekitError
from imagekit.events import Event, StepFinished, StepProgress, StepStarted

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine
    from tests.unit.engine.conftest import FakeEngine

REPOSITORY = "reg.test:5000/lab/x"
REF = f"{REPOSITORY}:1"
DIGEST = "sha256:" + "d" * 64
SAID = (
    {"status": f"The push refers to repository [{REPOSITORY}]"},
    {"status": "Preparing", "progressDetail": {}, "id": "l1"},
    {"status": "Pushing", "progressDetail": {"current": 512, "total": 1024}, "id": "l1"},
    {"status": "Pushed", "progressDetail": {}, "id": "l1"},
    {"status": f"1: digest: {DIGEST} size: 526"},
)
AUX = {"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 526}}


def send(engine: Engine, events: list[Event], idle: float = 10.0) -> str:
    return upload(engine, REF, events.append, idle=idle)


@pytest.mark.parametrize("said", [SAID, (*SAID, AUX)], ids=["containerd", "classic"])
def test_a_push(fake: FakeEngine, engine: Engine, said: tuple[object, ...]) -> None:
    fake.pushes(REPOSITORY, *said)
    events: list[Event] = []
    assert send(engine, events) == DIGEST
    step = f"push {REF}"
    assert events[0] == StepStarted(step, step)
    assert events[1] == StepProgress(step, "l1 Pushing", 512, 1024)
    last = events[-1]
    assert isinstance(last, StepFinished)
    assert not last.error
    path = f"/images/{REPOSITORY}/push"
    assert fake.queries[path] == {"tag": ["1"]}
    assert fake.headers[path]["X-Registry-Auth"]


@pytest.mark.parametrize("place", range(len(SAID) + 1))
def test_an_error_anywhere_in_the_stream_is_a_failure(
    fake: FakeEngine, engine: Engine, place: int
) -> None:
    text = "denied: requested access to the resource is denied"
    error = {"errorDetail": {"message": text}, "error": text}
    fake.pushes(REPOSITORY, *SAID[:place], error, *SAID[place:])
    events: list[Event] = []
    with pytest.raises(RegistryError, match=r"docker login reg\.test:5000"):
        send(engine, events)
    last = events[-1]
    assert isinstance(last, StepFinished)
    assert text in last.error


@pytest.mark.parametrize("end", ["clean", "cut"])
@pytest.mark.parametrize("place", range(len(SAID)))
def test_a_stream_that_ends_early_is_a_failure(
    fake: FakeEngine, engine: Engine, place: int, end: str
) -> None:
    fake.pushes(REPOSITORY, *SAID[:place], end=end)
    with pytest.raises(EngineError, match=r"half-way|closed the connection"):
        send(engine, [])


def test_a_stream_that_is_cut_after_its_digest_is_a_failure(
    fake: FakeEngine, engine: Engine
) -> None:
    fake.pushes(REPOSITORY, *SAID, end="cut")
    with pytest.raises(EngineError, match="closed the connection"):
        send(engine, [])


def test_silence_ends(fake: FakeEngine, engine: Engine) -> None:
    fake.pushes(REPOSITORY, *SAID[:3], end="silence")
    with pytest.raises(RegistryError, match=r"nothing moved for 0\.2 s") as caught:
        send(engine, [], idle=0.2)
    assert not caught.value.transient
    assert fake.gone.wait(10)


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_engine_that_refuses(fake: FakeEngine, engine: Engine, status: int) -> None:
    fake.refused[f"/images/{REPOSITORY}/push"] = (status, b'{"message": "tag does not exist"}')
    with pytest.raises(ImagekitError, match="tag does not exist") as caught:
        send(engine, [])
    assert caught.value.exit_code == 3


def test_an_engine_whose_port_nobody_listens_at(engine: Engine) -> None:
    """That is not the registry's fault, which another target may have nothing of."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        engine.client.api.mount("http://", HTTPAdapter())
        engine.client.api.base_url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(EngineError, match="nothing answers there"):
            send(engine, [])
