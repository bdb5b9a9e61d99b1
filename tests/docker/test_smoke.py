"""`imagekit test`: passes on the image as it is, and catches images that are broken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from imagekit.engine.connection import Engine
from imagekit.plan.model import Plan
from tests.docker.mutants import EVERYDAY
from tests.docker.mutants.mutant import Mutant
from tests.docker.support import PROFILE, Cli
from tests.docker.trial import Trials, on_trial
from tests.required import REQUIRED


@pytest.fixture(scope="module")
def report(cli: Cli, image: str) -> dict[str, object]:
    done = cli("test", PROFILE, "--full", "--json", check=False)
    loaded: dict[str, object] = json.loads(done.stdout)
    assert done.returncode == (0 if loaded["ok"] else 1)
    return loaded


def test_every_check_passes_or_says_why_not(report: dict[str, object], plan: Plan) -> None:
    checks = {check["name"]: check for check in report["checks"]}  # type: ignore[attr-defined]
    failed = {
        name: check["reason"] for name, check in checks.items() if check["status"] == "failed"
    }
    assert failed == {}
    skipped = {name for name, check in checks.items() if check["status"] == "skipped"}
    # What the profile does not have, and what the machine may not have.
    if "browser" in skipped:
        assert "browser" not in REQUIRED
    assert skipped - {"browser"} == {
        "framework",
        "framework-gpu",
        "cuda",
        "jupyter",
        "conda",
        "mirrors",
        "gpu",
    }
    assert all(checks[name]["reason"] for name in skipped)
    asked = {"sshd", "sshd-password", "vnc", "web", "locale", "environment", "restart", "browser"}
    assert asked <= set(checks)
    assert report["profile"] == PROFILE
    assert report["plan"] == plan.digest


def test_nothing_is_left_behind(engine: Engine, report: dict[str, object]) -> None:
    left = engine.client.containers.list(all=True, filters={"label": "dev.imagekit.run"})
    assert left == []


@pytest.fixture(scope="module")
def trials(request: pytest.FixtureRequest, engine: Engine, image: str) -> Iterator[Trials]:
    """The mutants of this run, two at once: mostly they wait for something to come up."""
    trials = Trials(engine, on_trial(request), at_once=2)
    yield trials
    trials.close()


@pytest.mark.parametrize("mutant", EVERYDAY, ids=lambda mutant: mutant.broken)
def test_a_broken_image_is_caught(trials: Trials, mutant: Mutant) -> None:
    assert trials[mutant].problem == ""
