"""Looking, naming, fetching, importing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from imagekit.engine import images
from imagekit.errors import EngineError, InputError, NetworkError
from imagekit.events import Event, StepFinished, StepProgress, StepStarted

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine
    from tests.unit.engine.conftest import FakeEngine

DIGEST = "sha256:" + "d" * 64
PULLED = (
    {"status": "Pulling from a", "id": "1"},
    {"status": "Downloading", "id": "l1", "progressDetail": {"current": 3, "total": 9}},
    {"status": f"Digest: {DIGEST}"},
    {"status": "Status: Downloaded newer image for reg.test/a:1"},
)


def test_find(fake: FakeEngine, engine: Engine) -> None:
    fake.has(
        "a:1",
        Config={"Labels": {"k": "v"}},
        Created="2026-01-02T03:04:05.6Z",
        RepoTags=["a:1"],
        Os="linux",
        Architecture="amd64",
    )
    found = images.find(engine, "a:1")
    assert found == images.ImageFacts(
        id=fake.IMAGE,
        labels={"k": "v"},
        size=5,
        created="2026-01-02T03:04:05.6Z",
        tags=("a:1",),
        os="linux",
        architecture="amd64",
    )
    assert images.find(engine, "a:2") is None


def test_digests_and_layers_hold_beyond_the_engine(fake: FakeEngine, engine: Engine) -> None:
    fake.has(
        "a:1",
        Created="2026-01-02T03:04:05.6Z",
        RepoDigests=["a@sha256:b", "mirror.test/a@sha256:b"],
        RootFS={"Type": "layers", "Layers": ["sha256:1", "sha256:2"]},
    )
    fake.has("a:2", RepoDigests=None)
    found = images.demand(engine, "a:1")
    assert found.digests == ("sha256:b",)
    assert found.layers == ("sha256:1", "sha256:2")
    assert images.demand(engine, "a:2").layers == ()
    with pytest.raises(EngineError, match="there is no image a:3"):
        images.demand(engine, "a:3")


def test_find_with_a_failing_engine(fake: FakeEngine, engine: Engine) -> None:
    fake.refused["/images/a:1/json"] = (500, b'{"message": "on fire"}')
    with pytest.raises(EngineError, match="on fire"):
        images.find(engine, "a:1")


def test_tag_is_proved(fake: FakeEngine, engine: Engine) -> None:
    fake.refused[f"/images/{fake.IMAGE}/tag"] = (201, b"")
    fake.has("reg.test:5000/a:1")
    images.tag(engine, fake.IMAGE, ["reg.test:5000/a:1"])
    assert fake.queries[f"/images/{fake.IMAGE}/tag"]["repo"] == ["reg.test:5000/a"]
    with pytest.raises(EngineError, match="could not be named a:2"):
        images.tag(engine, fake.IMAGE, ["a:2"])


def test_pull(fake: FakeEngine, engine: Engine) -> None:
    fake.pulls(*PULLED)
    fake.has("reg.test/a:1", RepoDigests=[f"reg.test/a@{DIGEST}"])
    events: list[Event] = []
    assert images.pull(engine, "reg.test/a:1", events.append).id == fake.IMAGE
    assert events[0] == StepStarted("pull reg.test/a:1", "pull reg.test/a:1")
    assert events[1] == StepProgress("pull reg.test/a:1", "l1 Downloading", 3, 9)
    assert isinstance(events[2], StepFinished)
    assert events[2].seconds > 0


@pytest.mark.parametrize("status", [None, 404, 500])
def test_failed_pull_never_gives_the_old_image(
    fake: FakeEngine, engine: Engine, status: int | None
) -> None:
    fake.has("reg.test/a:1")
    if status is None:
        fake.pulls({"status": "Pulling"}, {"error": "unauthorized"})
    else:
        fake.refused["/images/create"] = (status, b'{"message": "unauthorized"}')
    events: list[Event] = []
    with pytest.raises(NetworkError, match=r"^reg.test/a:1: unauthorized"):
        images.pull(engine, "reg.test/a:1", events.append)
    assert isinstance(events[-1], StepFinished)
    assert events[-1].error
    assert events[-1].seconds > 0


@pytest.mark.parametrize("end", ["clean", "cut"])
def test_pull_that_ends_early(fake: FakeEngine, engine: Engine, end: str) -> None:
    fake.has("reg.test/a:1")
    fake.pulls(*PULLED[:2], end=end)
    with pytest.raises(EngineError):
        images.pull(engine, "reg.test/a:1")


def test_pull_that_left_an_old_image(fake: FakeEngine, engine: Engine) -> None:
    fake.pulls(*PULLED)
    fake.has("reg.test/a:1", RepoDigests=["reg.test/a@sha256:old"])
    with pytest.raises(EngineError, match="does not have it"):
        images.pull(engine, "reg.test/a:1")


def test_import(fake: FakeEngine, engine: Engine) -> None:
    fake.pulls({"status": fake.IMAGE})
    fake.has("a:1")
    labels = {"k": 'a "b" $c \\d'}
    found = images.import_root(engine, iter([b"abc", b"def"]), "a:1", labels=labels, changes=["X"])
    assert found.id == fake.IMAGE
    assert fake.bodies["/images/create"] == b"abcdef"
    query = fake.queries["/images/create"]
    assert query["changes"] == ['LABEL "k"="a \\"b\\" \\$c \\\\d"', "X"]
    assert (query["fromSrc"], query["repo"], query["tag"]) == (["-"], ["a"], ["1"])


def test_import_that_fails(fake: FakeEngine, engine: Engine) -> None:
    fake.pulls({"error": "no space left on device"})
    with pytest.raises(EngineError, match="disk is full"):
        images.import_root(engine, iter([b"x"]), "a:1")


def test_import_whose_source_fails(fake: FakeEngine, engine: Engine) -> None:
    def broken() -> Iterator[bytes]:
        yield b"abc"
        raise ZeroDivisionError

    fake.pulls({"status": fake.IMAGE})
    with pytest.raises(ZeroDivisionError):
        images.import_root(engine, broken(), "a:1")


def test_label_with_a_line_end(fake: FakeEngine, engine: Engine) -> None:
    with pytest.raises(InputError, match="label k"):
        images.import_root(engine, iter([]), "a:1", labels={"k": "a\nb"})
    assert ("POST", "/images/create") not in fake.asked
