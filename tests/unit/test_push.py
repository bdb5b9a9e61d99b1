"""Pushing, with a scripted engine: what is claimed, and what never is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imagekit.engine import images
from imagekit.engine.patience import Patience
from imagekit.errors import EngineError, NetworkError
from imagekit.events import Event, Notice
from imagekit.push import Pushed, push
from imagekit.site import Site
from imagekit.targets import wanted
from tests.unit.engine.conftest import IMAGE, alone, engine, fake

if TYPE_CHECKING:
    from imagekit.engine.connection import Engine
    from tests.unit.engine.conftest import FakeEngine

__all__ = ["alone", "engine", "fake"]

REPOSITORY = "reg.test/lab/x"
FIXED, NAMED = f"{REPOSITORY}:{'a' * 12}", f"{REPOSITORY}:1"
DIGEST, OTHER = "sha256:" + "d" * 64, "sha256:" + "e" * 64
ABSENT = (404, "manifest unknown: manifest unknown")
AT_ONCE = Patience(pauses=(0.0, 0.0))


def done(digest: str = DIGEST) -> dict[str, str]:
    return {"status": f"1: digest: {digest} size: 526"}


@pytest.fixture
def script(fake: FakeEngine) -> FakeEngine:
    """An engine with an image, and a registry that has nothing and takes everything."""
    digests = [f"{REPOSITORY}@{DIGEST}"]
    for ref in (IMAGE, FIXED, NAMED):
        fake.has(ref, RepoDigests=digests)
    fake.pushes(REPOSITORY, done())
    fake.registry = {FIXED: [ABSENT, DIGEST], NAMED: [ABSENT, DIGEST]}
    return fake


class Run:
    """One push: what it claimed, said and asked."""

    def __init__(self, engine: Engine, fake: FakeEngine) -> None:
        self.engine, self.fake = engine, fake
        self.claimed: list[Pushed] = []
        self.events: list[Event] = []

    def __call__(self, *texts: str, site: Site = Site()) -> None:  # noqa: B008 - a value
        image = images.find(self.engine, IMAGE)
        assert image is not None
        targets = wanted(texts or (NAMED,), "")
        for each in push(self.engine, image, targets, site, self.events.append, patience=AT_ONCE):
            self.claimed.append(each)

    @property
    def sent(self) -> int:
        return sum(path.endswith("/push") for _, path in self.fake.asked)


@pytest.fixture
def run(engine: Engine, script: FakeEngine) -> Run:
    return Run(engine, script)


def test_the_fixed_tag_first(run: Run) -> None:
    run()
    assert run.claimed == [Pushed(FIXED, DIGEST, sent=True), Pushed(NAMED, DIGEST, sent=True)]
    look, send = f"/distribution/{REPOSITORY}:", f"/images/{REPOSITORY}/push"
    asked = [path for _, path in run.fake.asked if path.startswith((look, send))]
    fixed, named = (f"/distribution/{ref}/json" for ref in (FIXED, NAMED))
    assert asked == [fixed, send, fixed, named, send, named]


def test_what_is_there_is_not_sent(run: Run) -> None:
    run.fake.registry = {FIXED: [DIGEST], NAMED: [DIGEST]}
    run()
    assert [each.sent for each in run.claimed] == [False, False]
    assert run.sent == 0
    assert run.events[0] == Notice(f"{FIXED}: is there already")


def test_a_moving_tag_moves(run: Run) -> None:
    run.fake.registry = {FIXED: [DIGEST], NAMED: [OTHER, DIGEST]}
    run()
    assert run.claimed[1] == Pushed(NAMED, DIGEST, sent=True)


def test_a_fixed_tag_with_another_image_is_not_overwritten(run: Run) -> None:
    run.fake.registry[FIXED] = [OTHER]
    run.fake.has(f"{REPOSITORY}@{OTHER}", "sha256:" + "c" * 64)
    with pytest.raises(NetworkError, match="the tag holds another image"):
        run()
    assert (run.claimed, run.sent) == ([], 0)


@pytest.mark.parametrize(
    ("error", "looks"),
    [("received unexpected HTTP status: 502 Bad Gateway", 3), ("no idea", 1)],
)
def test_a_look_at_what_a_fixed_tag_holds_is_tried_again(run: Run, error: str, looks: int) -> None:
    run.fake.registry[FIXED] = [OTHER]
    run.fake.pulls({"error": error})
    with pytest.raises(NetworkError, match=f"{REPOSITORY}@{OTHER}: {error}"):
        run()
    assert (run.claimed, run.sent) == ([], 0)
    assert [path for _, path in run.fake.asked].count("/images/create") == looks


def test_a_look_that_fails_for_the_moment_is_no_failure(run: Run) -> None:
    run.fake.registry |= {FIXED: [OTHER, DIGEST], NAMED: [DIGEST]}
    run.fake.pulls({"error": f'Get "https://{REPOSITORY}": read: connection reset by peer'})
    run()
    assert [each.sent for each in run.claimed] == [False, False]


def test_a_registry_that_has_something_else_afterwards(run: Run) -> None:
    run.fake.registry[NAMED] = [ABSENT, OTHER]
    with pytest.raises(NetworkError, match=f"{DIGEST} was pushed, and the registry has {OTHER}"):
        run()
    assert [each.reference for each in run.claimed] == [FIXED]


def test_a_registry_that_has_nothing_afterwards(run: Run) -> None:
    run.fake.registry[FIXED] = [ABSENT]
    with pytest.raises(NetworkError, match="the registry does not have it"):
        run()
    assert (run.claimed, run.sent) == ([], 3)


def test_a_registry_that_may_not_be_asked_afterwards(run: Run) -> None:
    run.fake.registry[FIXED] = [(403, "denied: requested access to the resource is denied")]
    with pytest.raises(NetworkError, match="nobody is logged in there"):
        run()
    assert (run.claimed, run.sent) == ([], 1)


def test_a_repository_that_the_push_makes(run: Run) -> None:
    run.fake.registry[FIXED] = [(403, "denied: requested access is denied"), DIGEST]
    run()
    assert len(run.claimed) == 2


def test_an_engine_that_pushed_something_else(run: Run) -> None:
    run.fake.pushes(REPOSITORY, done(OTHER))
    run.fake.registry[FIXED] = [ABSENT, OTHER]
    with pytest.raises(EngineError, match=f"pushed {OTHER}, which is not {IMAGE}"):
        run()
    assert run.claimed == []


@pytest.mark.parametrize(
    ("error", "sent"),
    [("received unexpected HTTP status: 502 Bad Gateway", 3), ("denied", 1), ("no idea", 1)],
)
def test_what_is_tried_again(run: Run, error: str, sent: int) -> None:
    run.fake.pushes(REPOSITORY, {"error": error})
    run.fake.registry[FIXED] = [ABSENT]
    with pytest.raises(NetworkError, match=error):
        run()
    assert (run.claimed, run.sent) == ([], sent)


def test_a_failure_that_stored_everything_is_no_second_push(run: Run) -> None:
    """A proxy that loses the answer to the last request."""
    run.fake.pushes(REPOSITORY, {"error": f'Put "https://{REPOSITORY}": EOF'})
    run.fake.registry[FIXED] = [ABSENT, DIGEST]
    run.fake.registry[NAMED] = [DIGEST]
    run()
    assert run.claimed[0] == Pushed(FIXED, DIGEST, sent=False)
    assert run.sent == 1


def test_all_registries_are_tried(run: Run) -> None:
    bad = "bad.test/lab/x"
    for tag in ("a" * 12, "latest"):
        run.fake.has(f"{bad}:{tag}")
    run.fake.pushes(bad, {"error": "denied"})
    with pytest.raises(NetworkError) as caught:
        run(bad, NAMED)
    assert [message.where for message in caught.value.messages] == [f"{bad}:{'a' * 12}"]
    assert [each.reference for each in run.claimed] == [FIXED, NAMED]


def test_an_engine_that_breaks_off_ends_it_all(run: Run) -> None:
    run.fake.pushes(REPOSITORY, done(), end="cut")
    with pytest.raises(EngineError, match="closed the connection"):
        run(NAMED, "other.test/x")
    assert run.claimed == []


def test_names_go_through_the_sites_map(run: Run) -> None:
    run("lab/x:1", site=Site(registries=(("docker.io", "reg.test"),)))
    assert [each.reference for each in run.claimed] == [FIXED, NAMED]
