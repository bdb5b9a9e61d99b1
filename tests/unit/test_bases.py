"""Where a base comes from: the order of sources, and what is said on the way."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from imagekit import bases
from imagekit.bases import Base
from imagekit.engine import bootstrap, images
from imagekit.errors import EngineError, Message, NetworkError, WorkFailedError
from imagekit.events import Event, Notice
from imagekit.plan.model import Os
from imagekit.site import Site

DEBIAN = Os("debian12", "debian:12-slim", "bookworm")
LOCAL = "imagekit/base:debian12"
ENGINE: Any = object()
HERE = Site()
NO_REGISTRY = NetworkError(Message("debian:12-slim", "no route to the registry", "check it"))
NO_DEBOOTSTRAP = WorkFailedError(Message("debootstrap", "there is none", "install it"))


class Sources:
    """A scripted engine: what is there, what can be pulled or bootstrapped."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.pulling: Exception | None = None
        self.bootstrapping: Exception | None = None
        self.asked: list[str] = []
        self.options: dict[str, Any] = {}

    def find(self, engine: object, ref: str) -> Any:  # noqa: ARG002
        self.asked.append(f"find {ref}")
        return SimpleNamespace(id=f"sha256:{ref}") if ref in self.there else None

    def pull(self, engine: object, ref: str, on_event: object) -> Any:  # noqa: ARG002
        self.asked.append(f"pull {ref}")
        if self.pulling:
            raise self.pulling
        return SimpleNamespace(id="sha256:pulled")

    def bootstrap(self, engine: object, **options: Any) -> Any:  # noqa: ARG002
        self.asked.append(f"bootstrap {options['suite']}")
        self.options = options
        if self.bootstrapping:
            raise self.bootstrapping
        return SimpleNamespace(id="sha256:made")


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    scripted = Sources()
    monkeypatch.setattr(images, "find", scripted.find)
    monkeypatch.setattr(images, "pull", scripted.pull)
    monkeypatch.setattr(bootstrap, "bootstrap", scripted.bootstrap)
    return scripted


@pytest.fixture
def obtain(sources: Sources) -> Callable[..., tuple[Base, list[str]]]:
    """The base, and the notices on the way to it."""

    def obtained(site: Site = HERE, *, fresh: bool = False) -> tuple[Base, list[str]]:
        events: list[Event] = []
        base = bases.obtain(ENGINE, DEBIAN, site, fresh=fresh, on_event=events.append)
        return base, [event.text for event in events if isinstance(event, Notice)]

    return obtained


Obtain = Callable[..., tuple[Base, list[str]]]


@pytest.mark.parametrize("ref", ["debian:12-slim", LOCAL])
def test_what_is_there_is_used_without_a_word(sources: Sources, obtain: Obtain, ref: str) -> None:
    sources.there = {ref}
    assert obtain() == (Base(ref, f"sha256:{ref}"), [])
    assert not any(asked.startswith(("pull", "bootstrap")) for asked in sources.asked)


def test_the_registrys_image_goes_before_our_own(sources: Sources, obtain: Obtain) -> None:
    sources.there = {"debian:12-slim", LOCAL}
    assert obtain()[0].reference == "debian:12-slim"


def test_what_is_not_there_is_pulled(sources: Sources, obtain: Obtain) -> None:
    assert obtain() == (
        Base("debian:12-slim", "sha256:pulled"),
        ["base debian:12-slim: pulling"],
    )
    assert sources.asked == ["find debian:12-slim", f"find {LOCAL}", "pull debian:12-slim"]


def test_what_cannot_be_pulled_is_bootstrapped_and_the_reason_is_said(
    sources: Sources, obtain: Obtain
) -> None:
    sources.pulling = NO_REGISTRY
    assert obtain(Site(apt="http://m.example")) == (
        Base(LOCAL, "sha256:made"),
        [
            "base debian:12-slim: pulling",
            "base debian:12-slim: cannot be pulled (no route to the registry)",
            f"base {LOCAL}: bootstrapping bookworm from the apt mirror instead",
        ],
    )
    assert sources.options["mirror"] == "http://m.example/debian"
    assert sources.options["ref"] == LOCAL
    assert sources.options["labels"] == {"dev.imagekit.base": "debian12"}
    assert sources.options["keyring"].endswith("debian-archive-keyring.gpg")


def test_without_a_mirror_bootstrap_chooses_its_own(sources: Sources, obtain: Obtain) -> None:
    sources.pulling = NO_REGISTRY
    obtain()
    assert sources.options["mirror"] == ""


def test_fresh_leaves_out_what_is_there(sources: Sources, obtain: Obtain) -> None:
    sources.there = {"debian:12-slim", LOCAL}
    assert obtain(fresh=True)[0].image_id == "sha256:pulled"
    assert sources.asked == ["pull debian:12-slim"]


def test_when_no_source_works_every_reason_is_given(sources: Sources, obtain: Obtain) -> None:
    sources.pulling, sources.bootstrapping = NO_REGISTRY, NO_DEBOOTSTRAP
    with pytest.raises(EngineError) as failed:
        obtain()
    assert failed.value.messages == (*NO_REGISTRY.messages, *NO_DEBOOTSTRAP.messages)


def test_an_engine_that_breaks_while_pulling_is_not_asked_for_more(
    sources: Sources, obtain: Obtain
) -> None:
    sources.pulling = EngineError(Message("engine", "gone"))
    with pytest.raises(EngineError, match="gone"):
        obtain()
    assert not any(asked.startswith("bootstrap") for asked in sources.asked)
