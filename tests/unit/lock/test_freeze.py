"""What a lock holds a build to, and how the result is compared with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from imagekit import bases
from imagekit.bases import Base
from imagekit.contents import Deb
from imagekit.engine import images
from imagekit.engine.failures import BuildFailedError
from imagekit.engine.trace import FailedStep
from imagekit.errors import Message, WorkFailedError
from imagekit.events import ignore
from imagekit.lock import freeze
from imagekit.lock.model import Lock, Row
from imagekit.plan.model import Plan
from imagekit.site import Archive, Site
from tests.unit.lock.conftest import BASE, DPKG, ONE, THREE, TWO, WHOLE

ENGINE: Any = object()


def test_steps_obey_lists_of_what_is_locked(lock: Lock) -> None:
    cudart = Row("cuda-cudart-10-0", "10.0.130-1", "amd64", (THREE,))
    python = (*lock.python, Row("six", "1.17.0", "", (ONE, TWO)))
    files = freeze.files(replace(lock, foreign=(cudart,), python=python))
    texts = {file.path.rpartition("/")[2]: file.data.decode() for file in files}
    assert texts["apt"] == f"dpkg 1.21.22 amd64 -\ntini 1:0.19.0-1+b3 amd64 {ONE}\n"
    assert texts["foreign"] == f"cuda-cudart-10-0 10.0.130-1 amd64 {THREE}\n"
    assert texts["python"] == (
        f"numpy==2.4.6 --hash=sha256:{TWO}\nsix==1.17.0 --hash=sha256:{ONE} --hash=sha256:{TWO}\n"
    )
    assert texts["conda"] == '/opt/conda python[version="==3.7.16",build="h7a1cb2a_0"]\n'
    # Where the steps of apt look, and those of the environment.
    assert {file.path for file in files} == {
        *(f"build/base/frozen/{name}" for name in ("apt", "foreign", "apt.sh")),
        *(f"build/python/frozen/{name}" for name in ("python", "conda", "python.sh")),
    }


def test_without_conda_there_is_no_list_of_it(lock: Lock) -> None:
    paths = {file.path for file in freeze.files(replace(lock, conda=()))}
    assert "build/python/frozen/conda" not in paths


def test_an_image_as_it_is_locked_has_no_differences(plan: Plan, lock: Lock) -> None:
    assert list(freeze.differences(plan, lock, WHOLE)) == []


def test_every_difference_is_named(plan: Plan, lock: Lock) -> None:
    other = replace(
        WHOLE,
        debs=(DPKG, Deb("vim", "amd64", "2:9")),
        dists=(replace(WHOLE.dists[0], version="2.4.7"),),
        condas=(),
    )
    assert list(freeze.differences(plan, lock, other)) == [
        "apt tini: locked 1:0.19.0-1+b3 amd64, the image has none",
        "apt vim: not locked, the image has 2:9 amd64",
        "python numpy: locked 2.4.6, the image has 2.4.7",
        "conda /opt/conda python: locked 3.7.16 h7a1cb2a_0, the image has none",
    ]


def test_drift_is_said_a_message_a_package(plan: Plan) -> None:
    tail = (
        "Reading package lists...",
        "imagekit: apt drift: a: one",
        "imagekit: apt drift: b: two",
    )
    failed = FailedStep("RUN apt", "exit code: 1", tail, loads_base=False)
    error = BuildFailedError(Message("RUN apt", "ended with exit code 1"), failed, "")
    assert str(freeze.drift(error, plan)) == (
        "x: apt drift: a: one\nx: apt drift: b: two\n"
        "  hint: imagekit build x --lock takes what the mirror has now"
    )


def test_another_failure_stays_what_it_is(plan: Plan) -> None:
    error = BuildFailedError(Message("RUN pip", "ended with exit code 1"), None, "")
    assert freeze.drift(error, plan) is error


class Engine:
    """Knows some images by their layers, and what was asked for."""

    def __init__(self) -> None:
        self.here: tuple[str, ...] = ()
        self.layers: dict[str, tuple[str, ...]] = {}
        self.asked: list[str] = []

    def find(self, _engine: object, ref: str) -> Any:
        return self.demand(_engine, ref) if ref in self.here else None

    def demand(self, _engine: object, ref: str) -> Any:
        return type("Facts", (), {"id": ref, "layers": self.layers[ref]})

    def obtain(self, _engine: object, os: Any, _site: object, **_options: object) -> Base:
        self.asked.append(os.image)
        return Base(os.image, "sha256:id")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    scripted = Engine()
    monkeypatch.setattr(images, "find", scripted.find)
    monkeypatch.setattr(images, "demand", scripted.demand)
    monkeypatch.setattr(bases, "obtain", scripted.obtain)
    return scripted


PINNED = f"debian@{BASE.digest}"


def base_of(plan: Plan, lock: Lock) -> Base:
    return freeze.freeze(ENGINE, plan, lock, Site(), ignore).base


def test_the_base_is_what_is_here_when_it_is_the_locked_one(
    engine: Engine, plan: Plan, lock: Lock
) -> None:
    engine.here, engine.layers = ("debian:12-slim",), {"debian:12-slim": BASE.layers}
    assert base_of(plan, lock) == Base("debian:12-slim", "debian:12-slim")
    assert engine.asked == []


def test_a_tag_that_has_moved_is_fetched_by_its_digest(
    engine: Engine, plan: Plan, lock: Lock
) -> None:
    engine.here = ("debian:12-slim",)
    engine.layers = {"debian:12-slim": ("sha256:new",), PINNED: BASE.layers}
    assert base_of(plan, lock).reference == PINNED


@pytest.mark.parametrize(
    "made",
    [
        "localhost/imagekit/base:debian12",
        f"localhost/imagekit/base:debian12-{ONE[:12]}",
        "m.test/h/library/debian:12-slim",
    ],
)
def test_a_base_of_another_source_is_what_is_here_beside_a_pulled_one(
    engine: Engine, plan: Plan, lock: Lock, made: str
) -> None:
    engine.here = ("debian:12-slim", made)
    engine.layers = {"debian:12-slim": ("sha256:new",), made: BASE.layers}
    here = replace(lock, base=replace(BASE, digest=""))
    site = Site(
        registries=(("docker.io", "m.test/h"),), archives=(Archive("debian12", "r.tar", ONE),)
    )
    assert freeze.freeze(ENGINE, plan, here, site, ignore).base == Base(made, made)
    assert engine.asked == []


def test_a_base_that_is_another_one_is_refused(engine: Engine, plan: Plan, lock: Lock) -> None:
    engine.layers = {"debian:12-slim": ("sha256:new",)}
    here = replace(lock, base=replace(BASE, digest=""))
    with pytest.raises(WorkFailedError, match="debian:12-slim is not the image that was locked"):
        base_of(plan, here)
    assert engine.asked == ["debian:12-slim"]


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("debian:12-slim", "debian"),
        ("host:5000/a/b", "host:5000/a/b"),
        ("debian", "debian"),
        (f"nvidia/cuda@sha256:{THREE}", "nvidia/cuda"),
        (f"nvidia/cuda:12.2.2-base@sha256:{THREE}", "nvidia/cuda"),
    ],
)
def test_a_repository_is_a_name_without_its_tag(
    engine: Engine, plan: Plan, lock: Lock, image: str, repository: str
) -> None:
    pinned = f"{repository}@{BASE.digest}"
    engine.layers = {pinned: BASE.layers}
    other = replace(plan, os=replace(plan.os, image=image))
    assert base_of(other, lock).reference == pinned
