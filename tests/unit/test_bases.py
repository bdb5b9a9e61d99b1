"""Where a base comes from: the order of sources, and what is said on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from imagekit import archives, bases, catalogue, fetch
from imagekit.bases import Base
from imagekit.engine import bootstrap, images
from imagekit.errors import EngineError, InputError, Message, NetworkError, WorkFailedError
from imagekit.events import Event, Notice
from imagekit.plan.model import Os
from imagekit.site import Archive, Site

DEBIAN = Os("debian12", "debian:12-slim", "bookworm")
CUDA = Os("ubuntu22.04", "nvidia/cuda:12.4.1-runtime-ubuntu22.04", "jammy")
LOCAL = "localhost/imagekit/base:debian12"
ENGINE: Any = object()
HERE = Site()
NO_REGISTRY = NetworkError(Message("debian:12-slim", "no route to the registry", "check it"))
NO_DEBOOTSTRAP = WorkFailedError(Message("debootstrap", "there is none", "install it"))


class Sources:
    """A scripted engine: what is there, what can be pulled or bootstrapped."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.pulling: Exception | None = None
        self.refused: set[str] = set()
        self.bootstrapping: Exception | None = None
        self.asked: list[str] = []
        self.options: dict[str, Any] = {}
        self.recipe: Any = None
        self.ref = ""
        self.labels: dict[str, str] = {}
        self.unpacking: Exception | None = None
        self.index: bytes | Exception = b"signed"

    def find(self, engine: object, ref: str) -> Any:  # noqa: ARG002
        self.asked.append(f"find {ref}")
        labels = self.labels
        return SimpleNamespace(id=f"sha256:{ref}", labels=labels) if ref in self.there else None

    def pull(self, engine: object, ref: str, on_event: object) -> Any:  # noqa: ARG002
        self.asked.append(f"pull {ref}")
        if self.pulling:
            raise self.pulling
        if ref in self.refused:
            raise NetworkError(Message(ref, "refused"))
        return SimpleNamespace(id="sha256:pulled")

    def bootstrap(self, engine: object, recipe: Any, ref: str, **options: Any) -> Any:  # noqa: ARG002
        self.asked.append(f"bootstrap {recipe.suite}")
        self.options, self.recipe, self.ref = options, recipe, ref
        if self.bootstrapping:
            raise self.bootstrapping
        return SimpleNamespace(id="sha256:made")

    def load(self, engine: object, archive: Any, ref: str, site: Site, **options: Any) -> Any:  # noqa: ARG002
        self.asked.append(f"load {archive.place}")
        self.options, self.ref = options, ref
        if self.unpacking:
            raise self.unpacking
        return SimpleNamespace(id="sha256:unpacked")

    def small(self, url: str, site: Site) -> bytes:  # noqa: ARG002
        self.asked.append(f"fetch {url}")
        if isinstance(self.index, Exception):
            raise self.index
        return self.index


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    scripted = Sources()
    monkeypatch.setattr(images, "find", scripted.find)
    monkeypatch.setattr(images, "pull", scripted.pull)
    monkeypatch.setattr(bootstrap, "bootstrap", scripted.bootstrap)
    monkeypatch.setattr(archives, "load", scripted.load)
    monkeypatch.setattr(fetch, "small", scripted.small)
    return scripted


@pytest.fixture
def obtain(sources: Sources) -> Callable[..., tuple[Base, list[str]]]:
    """The base, and the notices on the way to it."""

    def obtained(
        site: Site = HERE, *, os: Os = DEBIAN, fresh: bool = False
    ) -> tuple[Base, list[str]]:
        events: list[Event] = []
        base = bases.obtain(ENGINE, os, site, fresh=fresh, on_event=events.append)
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
    assert sources.recipe.mirror == "http://m.example/debian"
    assert sources.ref == LOCAL
    assert sources.options["labels"] == {"dev.imagekit.base": "debian12"}
    assert (sources.recipe.family, sources.recipe.one_line) == ("debian", False)


def test_without_a_mirror_bootstrap_chooses_its_own(sources: Sources, obtain: Obtain) -> None:
    sources.pulling = NO_REGISTRY
    obtain()
    assert sources.recipe.mirror == ""


@pytest.mark.parametrize(
    ("release", "family", "one_line"),
    [
        (Os("debian11", "debian:11-slim", "bullseye"), "debian", True),
        (Os("ubuntu18.04", "ubuntu:18.04", "bionic"), "ubuntu", True),
        (Os("ubuntu24.04", "ubuntu:24.04", "noble"), "ubuntu", False),
    ],
)
def test_a_root_is_made_as_the_release_is(
    sources: Sources, obtain: Obtain, release: Os, family: str, one_line: bool
) -> None:
    sources.pulling = NO_REGISTRY
    obtain(Site(apt="http://m.example"), os=release)
    assert sources.recipe.family == family
    assert sources.recipe.one_line is one_line
    assert sources.recipe.mirror == f"http://m.example/{family}"


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


# ---- what the site says


MIRRORED = Site(registries=(("docker.io", "m.example/hub"), ("ghcr.io", "m.example/ghcr")))
TWICE = Site(registries=(("docker.io", "m.example"), ("docker.io", "docker.io")))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("debian:12-slim", "m.example/hub/library/debian:12-slim"),
        ("nvidia/cuda:12.4.1-base", "m.example/hub/nvidia/cuda:12.4.1-base"),
        ("docker.io/debian:12", "m.example/hub/library/debian:12"),
        ("index.docker.io/library/debian:12", "m.example/hub/library/debian:12"),
        ("ghcr.io/a/b@sha256:0", "m.example/ghcr/a/b@sha256:0"),
        ("nvcr.io/nvidia/pytorch:24.05-py3", "nvcr.io/nvidia/pytorch:24.05-py3"),
        ("localhost:5000/debian:12", "localhost:5000/debian:12"),
        ("localhost/debian:12", "localhost/debian:12"),
    ],
)
def test_a_prefix_stands_in_for_a_registry(image: str, expected: str) -> None:
    assert bases.references(image, MIRRORED.registries) == (expected,)


def test_a_mirrored_image_is_pulled_and_found_by_its_own_name(
    sources: Sources, obtain: Obtain
) -> None:
    there = "m.example/hub/library/debian:12-slim"
    assert obtain(MIRRORED)[0] == Base(there, "sha256:pulled")
    sources.there = {there}
    assert obtain(MIRRORED) == (Base(there, f"sha256:{there}"), [])


def test_places_to_pull_from_are_tried_in_order(sources: Sources, obtain: Obtain) -> None:
    sources.refused = {"m.example/library/debian:12-slim"}
    base, told = obtain(TWICE)
    assert base.reference == "docker.io/library/debian:12-slim"
    assert "base m.example/library/debian:12-slim: cannot be pulled (refused)" in told


def test_a_root_does_not_stand_in_for_an_image_with_more_in_it(
    sources: Sources, obtain: Obtain
) -> None:
    sources.pulling = NO_REGISTRY
    sources.there = {"localhost/imagekit/base:ubuntu22.04"}
    with pytest.raises(EngineError, match="no route to the registry"):
        obtain(os=CUDA)
    assert not any(asked.startswith("bootstrap") for asked in sources.asked)


def test_only_pulled_bases(sources: Sources, obtain: Obtain) -> None:
    sources.there = {LOCAL}
    assert obtain(Site(base_policy="pull"))[0].image_id == "sha256:pulled"
    sources.pulling = NO_REGISTRY
    with pytest.raises(EngineError, match="no route to the registry"):
        obtain(Site(base_policy="pull"))
    assert not any(asked.startswith("bootstrap") for asked in sources.asked)


def test_only_bootstrapped_bases(sources: Sources, obtain: Obtain) -> None:
    sources.there = {"debian:12-slim"}
    assert obtain(Site(base_policy="bootstrap"))[0] == Base(LOCAL, "sha256:made")
    sources.there.add(LOCAL)
    assert obtain(Site(base_policy="bootstrap"))[0] == Base(LOCAL, f"sha256:{LOCAL}")
    with pytest.raises(EngineError, match="allows bootstrapped bases only"):
        obtain(Site(base_policy="bootstrap"), os=CUDA)
    assert not any(asked.startswith("pull") for asked in sources.asked)


@pytest.mark.parametrize("fresh", [False, True])
def test_only_what_is_there(sources: Sources, obtain: Obtain, fresh: bool) -> None:
    sources.there = {LOCAL}
    assert obtain(Site(base_policy="local"), fresh=fresh)[0].reference == LOCAL
    sources.there = set()
    with pytest.raises(EngineError, match="is not in the engine, and the site allows no other"):
        obtain(Site(base_policy="local"), fresh=fresh)
    assert not any(asked.startswith(("pull", "bootstrap")) for asked in sources.asked)


# ---- archives


SHA = "ab" * 32
ARCHIVE = Archive("debian12", "/srv/debian12.tar.xz", SHA)
PACKED = "localhost/imagekit/base:debian12-abababababab"
WITH_ARCHIVE = Site(archives=(ARCHIVE,))
BAD_ARCHIVE = InputError(Message(ARCHIVE.place, "its sha256 is 0", "check it"))


def test_an_archive_comes_after_the_registry_and_before_the_mirror(
    sources: Sources, obtain: Obtain
) -> None:
    assert obtain(WITH_ARCHIVE)[0].image_id == "sha256:pulled"
    sources.pulling = NO_REGISTRY
    assert obtain(WITH_ARCHIVE) == (
        Base(PACKED, "sha256:unpacked"),
        [
            "base debian:12-slim: pulling",
            "base debian:12-slim: cannot be pulled (no route to the registry)",
            f"base {PACKED}: unpacking /srv/debian12.tar.xz instead",
        ],
    )
    assert sources.options["labels"] == {"dev.imagekit.base": "debian12"}


def test_an_archive_that_cannot_be_used_is_a_reason(sources: Sources, obtain: Obtain) -> None:
    sources.pulling, sources.unpacking = NO_REGISTRY, BAD_ARCHIVE
    base, told = obtain(WITH_ARCHIVE)
    assert base == Base(LOCAL, "sha256:made")
    assert told[2:] == [
        f"base {PACKED}: unpacking /srv/debian12.tar.xz instead",
        f"base {PACKED}: cannot be made of it (its sha256 is 0)",
        f"base {LOCAL}: bootstrapping bookworm from the apt mirror instead",
    ]
    sources.bootstrapping = NO_DEBOOTSTRAP
    with pytest.raises(EngineError) as failed:
        obtain(WITH_ARCHIVE)
    assert failed.value.messages == (
        *NO_REGISTRY.messages,
        *BAD_ARCHIVE.messages,
        *NO_DEBOOTSTRAP.messages,
    )


@pytest.mark.parametrize("fresh", [False, True])
def test_an_archive_is_unpacked_once(sources: Sources, obtain: Obtain, fresh: bool) -> None:
    site = replace(WITH_ARCHIVE, base_policy="archive")
    sources.there, sources.labels = {PACKED, "debian:12-slim", LOCAL}, {archives.LABEL: SHA}
    said = [f"base {PACKED}: is already made of /srv/debian12.tar.xz"] if fresh else []
    assert obtain(site, fresh=fresh) == (Base(PACKED, f"sha256:{PACKED}"), said)


def test_only_archives(sources: Sources, obtain: Obtain) -> None:
    site = replace(WITH_ARCHIVE, base_policy="archive")
    assert obtain(site) == (
        Base(PACKED, "sha256:unpacked"),
        [f"base {PACKED}: unpacking /srv/debian12.tar.xz"],
    )
    assert sources.asked == [f"find {PACKED}", f"find {PACKED}", "load /srv/debian12.tar.xz"]
    sources.unpacking = BAD_ARCHIVE
    with pytest.raises(EngineError) as failed:
        obtain(site)
    assert failed.value.messages == BAD_ARCHIVE.messages


@pytest.mark.parametrize("policy", ["pull", "bootstrap"])
def test_a_policy_leaves_archives_out(sources: Sources, obtain: Obtain, policy: str) -> None:
    sources.there = {PACKED}
    obtain(replace(WITH_ARCHIVE, base_policy=policy))
    assert not any(PACKED in asked or asked.startswith("load") for asked in sources.asked)


@pytest.mark.parametrize(
    ("policy", "os", "message"),
    [
        (
            "archive",
            DEBIAN,
            (
                "base debian:12-slim: the site allows archives only, and names none of debian12\n"
                "  hint: base: {archives: {debian12: …}}, or base: {policy: any}"
            ),
        ),
        (
            "archive",
            CUDA,
            (
                f"base {CUDA.image}: holds more than ubuntu22.04 itself, and the site allows "
                "archives only\n  hint: base: {policy: any}"
            ),
        ),
        (
            "bootstrap",
            CUDA,
            (
                f"base {CUDA.image}: holds more than ubuntu22.04 itself, and the site allows "
                "bootstrapped bases only\n  hint: base: {policy: any}"
            ),
        ),
        (
            "local",
            DEBIAN,
            (
                "base debian:12-slim: is not in the engine, and the site allows no other\n"
                "  hint: docker load it, or base: {policy: any}"
            ),
        ),
    ],
)
def test_a_policy_that_leaves_nothing_says_so(
    obtain: Obtain, policy: str, os: Os, message: str
) -> None:
    with pytest.raises(EngineError) as failed:
        obtain(Site(base_policy=policy), os=os)
    assert str(failed.value) == message


# ---- fresh


MIRROR = Site(apt="http://m.example", base_policy="bootstrap")
INDEX = "http://m.example/debian/dists/bookworm/InRelease"


def origin(index: bytes) -> str:
    release = catalogue.os_releases()["debian12"]
    return bases.recipe(release, MIRROR).origin(index)


def test_a_fresh_root_is_the_one_that_is_there_while_the_archive_is_the_same(
    sources: Sources, obtain: Obtain
) -> None:
    sources.there, sources.labels = {LOCAL}, {bootstrap.ORIGIN_LABEL: origin(b"signed")}
    assert obtain(MIRROR, fresh=True) == (
        Base(LOCAL, f"sha256:{LOCAL}"),
        [f"base {LOCAL}: http://m.example/debian still has what it was made of"],
    )
    assert sources.asked == [f"find {LOCAL}", f"fetch {INDEX}"]


@pytest.mark.parametrize("labels", [{}, {bootstrap.ORIGIN_LABEL: origin(b"older")}])
def test_a_fresh_root_is_made_when_the_archive_moved_on(
    sources: Sources, obtain: Obtain, labels: dict[str, str]
) -> None:
    sources.there, sources.labels = {LOCAL}, labels
    assert obtain(MIRROR, fresh=True) == (
        Base(LOCAL, "sha256:made"),
        [f"base {LOCAL}: bootstrapping bookworm from the apt mirror"],
    )


def test_a_fresh_root_is_made_when_nobody_knows_the_mirror(
    sources: Sources, obtain: Obtain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "host_mirror", lambda _: "")
    sources.there, sources.labels = {LOCAL}, {bootstrap.ORIGIN_LABEL: origin(b"signed")}
    base, _ = obtain(Site(base_policy="bootstrap"), fresh=True)
    assert base.image_id == "sha256:made"
    assert sources.asked == [f"find {LOCAL}", "bootstrap bookworm"]


def test_a_mirror_that_does_not_answer_is_a_reason(sources: Sources, obtain: Obtain) -> None:
    sources.there, sources.labels = {LOCAL}, {bootstrap.ORIGIN_LABEL: origin(b"signed")}
    sources.index = NetworkError(Message(INDEX, "no answer"))
    with pytest.raises(EngineError, match="no answer"):
        obtain(MIRROR, fresh=True)


def test_a_root_is_made_through_the_sites_proxy(sources: Sources, obtain: Obtain) -> None:
    obtain(replace(MIRROR, http_proxy="http://p.example:3128"))
    assert sources.recipe.environment["http_proxy"] == "http://p.example:3128"
