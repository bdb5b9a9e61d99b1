"""What is written beside an image."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagekit import contents, records
from imagekit.bases import Base
from imagekit.build import Built
from imagekit.contents import Contents, Deb, Dist
from imagekit.engine import images
from imagekit.engine.images import ImageFacts
from imagekit.errors import WorkFailedError
from imagekit.lock.model import Lock, LockedBase, Row, plan_keys
from imagekit.plan.model import Plan
from imagekit.records import Records

ENGINE: Any = type("Engine", (), {"version": "20.10.24"})
IMAGE, BASE, DIGEST = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}", f"sha256:{'3' * 64}"
TINI, SIX = Deb("tini", "amd64", "0.19.0-1"), Dist("/opt/venv/lib", "six", "1.17.0")
FACTS = {
    IMAGE: ImageFacts(IMAGE, {}, 1, "2026-01-02T03:04:05.678901234Z", (), "linux", "amd64"),
    BASE: ImageFacts(
        BASE, {}, 1, "", (), "linux", "amd64", (f"debian@{DIGEST}",), ("sha256:layer",)
    ),
}


@pytest.fixture
def plan(planned: Callable[[str], Plan]) -> Plan:
    return planned("")


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Contents("debian", "12", (Deb("dpkg", "amd64", "1.21"), TINI), (SIX,), ())
    monkeypatch.setattr(images, "demand", lambda _, ref: FACTS[ref])
    monkeypatch.setattr(contents, "read", lambda *_: whole)


def built(reference: str) -> Built:
    tags = ("imagekit/x:latest",)
    return Built(IMAGE, tags, (), "linux/amd64", 1, 1.0, (), Base(reference, BASE))


def materials(made: Records) -> dict[str, Any]:
    said = json.loads(made.provenance)["predicate"]["buildDefinition"]["resolvedDependencies"]
    return {one["name"]: one for one in said}


def test_a_base_from_a_registry_is_named_by_its_digest(plan: Plan) -> None:
    found = materials(records.of_image(ENGINE, plan, built("debian:12-slim")))
    assert set(found) == {"debian:12-slim", "context"}
    assert found["debian:12-slim"] == {
        "name": "debian:12-slim",
        "uri": f"pkg:docker/debian@{DIGEST}?tag=12-slim",
        "digest": {"sha256": "3" * 64},
    }


def test_a_bootstrapped_base_is_named_by_its_id(plan: Plan) -> None:
    found = materials(records.of_image(ENGINE, plan, built("localhost/imagekit/base:debian12")))
    assert found["debian:12-slim"] == {"name": "debian:12-slim", "digest": {"sha256": "2" * 64}}


def test_the_image_s_own_time_is_the_only_one(plan: Plan) -> None:
    made = records.of_image(ENGINE, plan, built("debian:12-slim"))
    assert json.loads(made.sbom)["metadata"]["timestamp"] == "2026-01-02T03:04:05+00:00"
    assert made == records.of_image(ENGINE, plan, built("debian:12-slim"))


def test_a_lock_is_a_material_and_gives_checksums_of_what_it_has(plan: Plan) -> None:
    rows = (Row("tini", TINI.version, "amd64", ("a" * 64,)), Row("dpkg", "1.21", "amd64"))
    other = (Row("six", "1.16.0", "", ("b" * 64,)),)
    base = LockedBase("debian:12-slim", DIGEST, ("sha256:layer",))
    lock = Lock("x", plan.digest, plan_keys(plan), base, rows, (), other, ())
    made = records.of_image(ENGINE, plan, built("debian:12-slim"), lock=lock)
    assert "x.lock" in materials(made)
    found = {one["name"]: one.get("hashes") for one in json.loads(made.sbom)["components"]}
    assert found["tini"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert found["dpkg"] is None
    assert found["six"] is None  # of another version


def test_both_are_written_beside_the_metadata(tmp_path: Path) -> None:
    paths = Records("{}\n", "[]\n").write(tmp_path, "x")
    assert [path.name for path in paths] == ["x.cdx.json", "x.provenance.json"]
    assert [path.read_text() for path in paths] == ["{}\n", "[]\n"]
    with pytest.raises(WorkFailedError, match=r"x\.cdx\.json: cannot be written: No such file"):
        Records("", "").write(tmp_path / "missing", "x")
