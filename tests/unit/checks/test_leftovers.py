from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from imagekit.checks import leftovers
from imagekit.checks.leftovers import remove, sweep
from imagekit.engine.endpoint import Endpoint
from imagekit.errors import EngineError, Message

ENDPOINT = Endpoint("unix:///x", "a test")


class FakeEngine:
    """Counts looks; ``errors`` are what removing raises, one each."""

    where = "unix:///x"

    def __init__(self, *errors: int, containers: int = 1) -> None:
        self.errors = list(errors)
        self.left = containers
        self.looks = 0
        self.client = SimpleNamespace(containers=self)

    def list(self, **options: Any) -> list[Any]:
        assert options == {"all": True, "sparse": True, "filters": {"label": "dev.imagekit.run=r"}}
        self.looks += 1
        return [self] * self.left

    def remove(self, v: bool, force: bool) -> None:
        assert v
        assert force
        if self.errors:
            status = self.errors.pop(0)
            answer: Any = SimpleNamespace(status_code=status, url="", reason="")
            raise docker.errors.APIError("", answer, "busy")
        self.left -= 1

    def close(self) -> None:
        pass


def test_remove_says_how_many_there_were() -> None:
    engine: Any = FakeEngine(containers=2)
    assert remove(engine, "r") == 2
    assert remove(engine, "r") == 0


@pytest.mark.parametrize("status", [404, 409])
def test_somebody_else_may_be_faster(status: int) -> None:
    engine: Any = FakeEngine(status)
    assert remove(engine, "r") == 1


def test_a_refusal_is_an_error() -> None:
    engine: Any = FakeEngine(500)
    with pytest.raises(EngineError):
        remove(engine, "r")


def test_sweep_asks_again_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine(500, 409)
    monkeypatch.setattr(leftovers, "connect_to", lambda _endpoint: engine)
    monkeypatch.setattr(leftovers, "_LOOK_EVERY", 0.01)
    sweep(ENDPOINT, "r", quiet=0.05, limit=10)
    assert engine.left == 0
    assert engine.looks > 4


def test_sweep_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_endpoint: Endpoint) -> Any:
        raise EngineError(Message("unix:///x", "there is no engine"))

    monkeypatch.setattr(leftovers, "connect_to", away)
    monkeypatch.setattr(leftovers, "_LOOK_EVERY", 0.01)
    with pytest.raises(TimeoutError, match="there is no engine"):
        sweep(ENDPOINT, "r", quiet=0.05, limit=0.1)
