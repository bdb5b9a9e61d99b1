"""A plan becomes an image: what the engine is told, and how the result is proved."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from imagekit import bases, build
from imagekit.bases import Base
from imagekit.build import Built, Frozen, Job, Options
from imagekit.context import ContextFile
from imagekit.engine import buildkit, images
from imagekit.engine.trace import StepRun
from imagekit.errors import EngineError, InputError, Message, WorkFailedError
from imagekit.events import Event, Notice, ignore
from imagekit.plan.model import Plan
from imagekit.render import render
from imagekit.site import Site
from imagekit.steps import Place

ENGINE: Any = SimpleNamespace(store="overlay2", podman=False)
BASE = Base("debian:12-slim", "sha256:base")
STEPS = tuple(StepRun("step", 1.0, cached=cached) for cached in (True, False, True))
ALL_PROXIES = [
    spelling
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")
    for spelling in (name, name.lower())
]


class Engine:
    """A scripted engine that remembers how it was told to build."""

    def __init__(self, plan: Plan) -> None:
        self.labels: dict[str, str] | None = {"dev.imagekit.plan": plan.digest}
        self.told: dict[str, Any] = {}
        self.context: Any = None
        self.fresh = False
        self.given: list[str] = []

    def obtain(self, engine: object, os: object, site: object, **options: Any) -> Base:  # noqa: ARG002
        self.fresh = options["fresh"]
        return BASE

    def build(self, engine: object, context: object, **told: Any) -> Any:  # noqa: ARG002
        self.context, self.told = context, told
        return SimpleNamespace(image_id="sha256:image", seconds=2.5, steps=STEPS)

    def find(self, engine: object, ref: str) -> Any:  # noqa: ARG002
        assert ref == "sha256:image"
        if self.labels is None:
            return None
        facts = {
            "id": ref,
            "repo_digests": ("r/x@sha256:d",),
            "os": "linux",
            "architecture": "arm64",
        }
        return SimpleNamespace(labels=self.labels, size=1234, **facts)

    def tag(self, engine: object, image_id: str, refs: list[str]) -> None:  # noqa: ARG002
        assert image_id == "sha256:image"
        self.given += refs


@pytest.fixture
def plan(planned: Callable[[str], Plan]) -> Plan:
    return planned("")


@pytest.fixture
def engine(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Engine:
    scripted = Engine(plan)
    monkeypatch.setattr(bases, "obtain", scripted.obtain)
    monkeypatch.setattr(buildkit, "require", lambda _engine: None)
    monkeypatch.setattr(buildkit, "build", scripted.build)
    monkeypatch.setattr(images, "find", scripted.find)
    monkeypatch.setattr(images, "tag", scripted.tag)
    for name in ALL_PROXIES:
        monkeypatch.delenv(name, raising=False)
    return scripted


def test_the_engine_is_told_the_context_the_names_and_the_place(engine: Engine, plan: Plan) -> None:
    site = Site(apt="http://m.example", ca_certificates=b"PEM")
    options = Options(("lab/x:1",), no_cache=True, pull=True, build_id="b1")
    built = build.build(ENGINE, plan, site, options, ignore)
    tags = ("imagekit/x:latest", f"imagekit/x:{plan.digest[:12]}", "lab/x:1")
    digests = ("r/x@sha256:d",)
    assert built == Built("sha256:image", tags, digests, "linux/arm64", 1234, 2.5, STEPS, BASE)
    assert built.cached == 2
    assert engine.given == []
    assert engine.context == render(plan)
    assert engine.told == {
        "tags": tags,
        "secrets": {"ca": b"PEM", "mirrors": b"apt=http://m.example\n"},
        "build_args": {"BASE": "debian:12-slim"},
        "cache_from": (),
        "no_cache": True,
        "network": "",
        "compression": "zstd",
        "platform": "",
        "build_id": "b1",
        "on_event": ignore,
    }
    assert engine.fresh


def test_names_that_hold_the_images_id_are_given_when_there_is_one(
    engine: Engine, plan: Plan
) -> None:
    built = build.build(ENGINE, plan, Site(), Options(("lab/x:1", "lab/x:{image}")), ignore)
    assert engine.told["tags"][2:] == ("lab/x:1",)
    assert engine.given == ["lab/x:image"]
    assert built.tags[2:] == ("lab/x:1", "lab/x:image")


def test_a_state_before_a_step_is_built_of_the_same_files(engine: Engine, plan: Plan) -> None:
    part = build.cut(plan, Place("image", 2, 6))
    whole = render(plan)
    assert whole.dockerfile.startswith(part.context.dockerfile)
    assert part.context.files[1:] == whole.files[1:]
    job = Job(plan, Site(ca_certificates=b"PEM"), Options(no_cache=True), ignore)
    assert build.build_cut(ENGINE, part, job) == "sha256:image"
    assert engine.context == part.context
    assert engine.told["tags"] == ("imagekit/x:before-image-2",)
    assert engine.told["secrets"] == {"ca": b"PEM"}


def test_a_step_that_a_build_does_not_have_is_refused_with_those_that_it_has(plan: Plan) -> None:
    with pytest.raises(InputError) as refused:
        build.cut(plan, Place("image", 99, 99))
    assert str(refused.value).startswith(
        "x: has no step image 99/99\n  hint: known: base 2/2, image 1/"
    )


def test_an_engine_without_buildkit_is_refused_before_a_base_is_fetched(
    engine: Engine, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_engine: object) -> None:
        raise EngineError(Message("engine", "no BuildKit"))

    monkeypatch.setattr(buildkit, "require", refuse)
    monkeypatch.setattr(bases, "obtain", None)
    with pytest.raises(EngineError, match="no BuildKit"):
        build.build(ENGINE, plan, Site(), Options(), ignore)


def test_the_place_does_not_change_the_context(engine: Engine, plan: Plan) -> None:
    build.build(ENGINE, plan, Site(), Options(), ignore)
    here = engine.context
    build.build(ENGINE, plan, Site("http://a", "http://b", "http://c", b"PEM"), Options(), ignore)
    assert engine.context == here


def test_a_frozen_build_has_the_lock_s_base_and_its_files(engine: Engine, plan: Plan) -> None:
    base = Base("debian@sha256:aa", "sha256:pinned")
    lists = (ContextFile("build/base/frozen/apt", b"tini 1 amd64 -\n"),)
    built = build.build(ENGINE, plan, Site(), Options(frozen=Frozen(base, lists)), ignore)
    assert built.base == base
    assert engine.told["build_args"] == {"BASE": "debian@sha256:aa"}
    assert engine.context.dockerfile == render(plan).dockerfile
    assert {*engine.context.files} - {*render(plan).files} == {*lists}
    assert list(engine.context.files) == sorted(engine.context.files)


def test_the_engine_is_told_the_pinned_name(
    engine: Engine, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "pin", lambda *told: f"pinned {told[1:]}")
    built = build.build(ENGINE, plan, Site(), Options(platform="linux/arm64"), ignore)
    told = (BASE.reference, BASE.image_id, "linux/arm64")
    assert engine.told["build_args"] == {"BASE": f"pinned {told}"}
    assert built.base == BASE


@pytest.mark.parametrize("epoch", [0, 1_700_000_000])
def test_the_engine_is_told_the_epoch(engine: Engine, plan: Plan, epoch: int) -> None:
    build.build(ENGINE, plan, Site(), Options(epoch=epoch), ignore)
    assert engine.told["build_args"]["SOURCE_DATE_EPOCH"] == str(epoch)


@pytest.mark.parametrize(("text", "epoch"), [("", None), ("0", 0), ("1700000000", 1_700_000_000)])
def test_the_epoch_is_the_environment_s(
    monkeypatch: pytest.MonkeyPatch, text: str, epoch: int | None
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    assert build.source_date_epoch() == epoch


@pytest.mark.parametrize("text", ["yesterday", "-1", "1.5", "1\n", "٣"])
def test_an_epoch_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    with pytest.raises(InputError, match=r"^SOURCE_DATE_EPOCH: .* is no whole number"):
        build.source_date_epoch()


def test_a_sites_registry_gives_the_image_further_names(engine: Engine, plan: Plan) -> None:
    site = Site(registry="registry.example.edu/lab")
    built = build.build(ENGINE, plan, site, Options(), ignore)
    assert built.tags[2:] == (
        "registry.example.edu/lab/x:latest",
        f"registry.example.edu/lab/x:{plan.digest[:12]}",
    )
    assert engine.told["tags"] == built.tags


def test_a_sites_cache_is_taken_over_and_left_for_others(engine: Engine, plan: Plan) -> None:
    site = Site(cache_from=("registry.example.edu/lab/x:latest",), cache_inline=True)
    build.build(ENGINE, plan, site, Options(), ignore)
    assert engine.told["cache_from"] == site.cache_from
    assert engine.told["build_args"]["BUILDKIT_INLINE_CACHE"] == "1"


@pytest.mark.parametrize("kind", ["zstd", "gzip"])
def test_layers_are_compressed_as_the_site_says(engine: Engine, plan: Plan, kind: str) -> None:
    build.build(ENGINE, plan, Site(compression=kind), Options(), ignore)
    assert engine.told["compression"] == kind


def test_a_sites_proxy_comes_before_the_processs_own(
    engine: Engine, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://process:1")
    site = Site(http_proxy="http://site:2", no_proxy="localhost")
    build.build(ENGINE, plan, site, Options(), ignore)
    assert engine.told["build_args"] == {
        "BASE": "debian:12-slim",
        "HTTP_PROXY": "http://site:2",
        "http_proxy": "http://site:2",
        "NO_PROXY": "localhost",
        "no_proxy": "localhost",
    }


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_is_passed_on_in_both_spellings(
    engine: Engine, plan: Plan, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "")
    build.build(ENGINE, plan, Site(), Options(), ignore)
    assert engine.told["build_args"] == {
        "BASE": "debian:12-slim",
        "HTTP_PROXY": "http://proxy.example:3128",
        "http_proxy": "http://proxy.example:3128",
    }


def test_extra_certificates_are_said_aloud(engine: Engine, plan: Plan) -> None:
    events: list[Event] = []
    site = Site(ca_certificates=b"PEM", ca_sources=("/a.crt", "/b.crt"))
    build.build(ENGINE, plan, site, Options(), events.append)
    assert events == [Notice("trusting 2 extra CA certificate file(s) of this host, build only")]


@pytest.mark.parametrize("labels", [None, {}, {"dev.imagekit.plan": "another"}])
def test_success_is_proved_by_the_plans_label(
    engine: Engine, plan: Plan, labels: dict[str, str] | None
) -> None:
    engine.labels = labels
    with pytest.raises(WorkFailedError) as failed:
        build.build(ENGINE, plan, Site(), Options(), ignore)
    assert str(failed.value) == (
        f"x: the engine's image sha256:image is not of plan {plan.digest[:12]}\n"
        "  hint: build again with --no-cache"
    )


def test_a_proxy_on_the_loopback_puts_the_steps_into_the_hosts_network(
    engine: Engine, plan: Plan
) -> None:
    client = SimpleNamespace(info=dict)
    local: Any = SimpleNamespace(where="here", client=client, store="overlay2", podman=False)
    build.build(local, plan, Site(http_proxy="http://127.0.0.1:7890"), Options(), ignore)
    assert engine.told["network"] == "host"
