"""A built image becomes a lock."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from imagekit import proxies
from imagekit.bases import Base
from imagekit.contents import Deb, Dist
from imagekit.engine import buildkit, images
from imagekit.engine.images import ImageFacts
from imagekit.errors import Message, WorkFailedError
from imagekit.events import ignore
from imagekit.lock import checksums, record
from imagekit.lock.checksums import Checksums
from imagekit.lock.model import Lock, LockedBase, Row
from imagekit.plan.model import Cuda, Plan
from imagekit.site import Site
from tests.unit.lock.conftest import BASE, DPKG, KNOWN, NUMPY, ONE, SITE, THREE, TINI, TWO, WHOLE

BELOW = frozenset({DPKG})
FOLDER = "https://m.example.edu"
PYLOCK = f"""\
lock-version = "1.0"
[[packages]]
name = "numpy"
version = "2.4.6"
sdist = {{ url = "{FOLDER}/numpy-2.4.6.tar.gz", hashes = {{ sha256 = "{ONE}" }} }}
wheels = [
  {{ url = "{FOLDER}/t-2.5.1%2Bcu121-cp311-cp311-any.whl#x", hashes = {{ sha256 = "{TWO}" }} }},
  {{ name = "named.whl", url = "{FOLDER}/1", hashes = {{ sha256 = "{THREE}" }} }},
  {{ url = "{FOLDER}/old.whl", hashes = {{ md5 = "00" }} }},
]
[[packages]]
name = "nothing"
version = "1"
"""


def test_everything_is_locked_with_what_it_came_from(plan: Plan, lock: Lock) -> None:
    assert record.assemble(plan, BASE, WHOLE, BELOW, KNOWN) == lock


def test_what_the_mirror_no_longer_has_is_known_from_the_cache(plan: Plan, lock: Lock) -> None:
    known = replace(KNOWN, listed={("tini", "1:2", "amd64"): TWO}, cached=KNOWN.listed)
    assert record.assemble(plan, BASE, WHOLE, BELOW, known) == lock


def test_a_package_whose_checksum_nobody_has_is_not_locked(plan: Plan) -> None:
    with pytest.raises(WorkFailedError) as failed:
        record.assemble(plan, BASE, WHOLE, BELOW, Checksums({}))
    assert [message.where for message in failed.value.messages] == ["x: tini", "x: numpy"]


def test_nvidia_s_own_packages_stand_apart(plan: Plan) -> None:
    cudart = Deb("cuda-cudart-10-0", "amd64", "10.0.130-1")
    whole = replace(WHOLE, debs=(cudart, *WHOLE.debs))
    known = replace(KNOWN, cached={checksums.key(cudart): TWO})
    cuda = Cuda("10.0", "", "runtime", "recipe", "410.48", "3.0", "")
    lock = record.assemble(replace(plan, cuda=cuda), BASE, whole, BELOW, known)
    assert lock.foreign == (Row(cudart.name, cudart.version, "amd64", (TWO,)),)
    assert cudart.name not in {row.name for row in lock.apt}
    # Elsewhere, one that the mirror does not know is one that it lost.
    assert record.assemble(plan, BASE, whole, BELOW, known).foreign == ()


def test_mozilla_s_own_packages_stand_apart_too(plan: Plan) -> None:
    firefox = Deb("firefox", "amd64", "155.0~build1")
    whole = replace(WHOLE, debs=(firefox, *WHOLE.debs))
    known = replace(KNOWN, listed={**KNOWN.listed, checksums.key(firefox): TWO})
    from_mozilla = replace(plan, apt=(*plan.apt, ("mozilla", ("firefox",))))
    lock = record.assemble(from_mozilla, BASE, whole, BELOW, known)
    assert [row.name for row in lock.foreign] == ["firefox"]
    assert "firefox" not in {row.name for row in lock.apt}


def test_a_package_of_another_architecture_says_so(plan: Plan) -> None:
    foreign = Deb("tini", "i386", TINI.version)
    whole = replace(WHOLE, debs=(DPKG, TINI, foreign))
    known = replace(KNOWN, cached={checksums.key(foreign): TWO})
    lock = record.assemble(plan, BASE, whole, BELOW, known)
    assert [row.name for row in lock.apt] == ["dpkg", "tini", "tini:i386"]


def test_only_the_environment_s_distributions_are_locked(plan: Plan, lock: Lock) -> None:
    whole = replace(WHOLE, dists=(NUMPY, Dist("/opt/venv2/lib", "six", "1")))
    assert record.assemble(plan, BASE, whole, BELOW, KNOWN).python == lock.python
    bare = replace(plan, python=None)
    assert record.assemble(bare, BASE, whole, BELOW, KNOWN).python == ()


def test_what_a_distribution_carries_inside_it_is_part_of_it(plan: Plan, lock: Lock) -> None:
    carried = replace(NUMPY, folder=f"{SITE}/setuptools/_vendor")
    whole = replace(WHOLE, dists=(NUMPY, carried))
    assert record.assemble(plan, BASE, whole, BELOW, KNOWN).python == lock.python


@pytest.mark.parametrize(
    ("reference", "digest"),
    [
        ("debian:12-slim", "sha256:22"),
        ("m.test/hub/library/debian:12-slim", "sha256:11"),
        ("debian@sha256:33", "sha256:33"),
        ("else.test/debian:12", "sha256:11"),
        ("localhost/imagekit/base:debian12", ""),
    ],
)
def test_the_base_s_digest_is_that_of_its_own_repository(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, reference: str, digest: str
) -> None:
    known = (
        "m.test/hub/library/debian@sha256:11",
        "debian@sha256:33",
        "debian@sha256:22",
    )
    facts = ImageFacts("sha256:id", {}, 1, "", (), "linux", "amd64", known, ("sha256:layer",))
    monkeypatch.setattr(images, "demand", lambda *_: facts)
    engine: Any = object()
    locked = record.locked_base(engine, plan, Base(reference, "sha256:id"))
    assert locked == LockedBase(plan.os.image, digest, ("sha256:layer",))


def test_answers_are_read(plan: Plan) -> None:
    known = checksums.parse(
        {"listed": f"tini 1:0.19 amd64 {ONE}\n", "cached": "", "pylock.toml": PYLOCK}
    )
    assert known.listed == {("tini", "1:0.19", "amd64"): ONE}
    assert known.dists["numpy", "2.4.6"] == {
        "numpy-2.4.6.tar.gz": ONE,
        "t-2.5.1+cu121-cp311-cp311-any.whl": TWO,
        "named.whl": THREE,
    }
    assert known.dists["nothing", "1"] == {}


def test_without_an_environment_there_is_no_answer_about_python() -> None:
    assert checksums.parse({"listed": "", "cached": ""}).dists == {}


@pytest.mark.parametrize("named", [False, True])
def test_questions_that_fail_leave_no_image(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """BuildKit names the image before all that follows is known to be well."""
    asked: list[str] = []
    removed: list[str] = []

    def build(*_: object, tags: list[str], build_args: dict[str, str], **__: object) -> None:
        asked.extend((*tags, build_args["IMAGE"]))
        raise WorkFailedError(Message("index", "has nothing"))

    monkeypatch.setattr(buildkit, "build", build)
    monkeypatch.setattr(proxies, "network", lambda *_: "")
    monkeypatch.setattr(images, "demand", lambda *_: SimpleNamespace(id="sha256:x"))
    monkeypatch.setattr(images, "tag", lambda *_: None)
    monkeypatch.setattr(images, "find", lambda *_: named or None)
    monkeypatch.setattr(images, "remove", lambda _engine, ref: removed.append(ref))
    engine: Any = SimpleNamespace(store="containerd")
    with pytest.raises(WorkFailedError, match="has nothing"):
        checksums.ask(engine, plan, "x:1", WHOLE, Site(), on_event=ignore)
    answers, image = asked
    assert removed == ([answers] if named else [])
    assert answers.startswith("imagekit-lock:")
    assert image == "localhost/imagekit/from:x"


@pytest.mark.parametrize("tags", [(), ("cp311-cp311-linux_x86_64",)])
def test_an_unknown_wheel_may_be_any_of_the_version_s_files(tags: tuple[str, ...]) -> None:
    assert KNOWN.of_dist(Dist(SITE, "numpy", "2.4.6", tags)) == (ONE, TWO, THREE)
