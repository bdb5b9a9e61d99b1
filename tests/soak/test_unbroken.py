"""Images as they are, tested again and again, without one false alarm: `make soak`.

``IMAGEKIT_UNBROKEN=50`` says how often each profile is tested, and
``IMAGEKIT_UNBROKEN_PROFILES=debian12-desktop,cpu-ssh`` which ones; a long run can so be done
in parts. Printed: what a run of ``imagekit test`` took, and every check that failed, with its
reason. That nothing but the profile's own missing features is skipped is asked too, so that
no run passes by asking nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from imagekit.engine.connection import Engine
from tests.docker.mutants.mutant import DESKTOP, SSH
from tests.docker.trial import Bases
from tests.soak.ways import spread

RUNS = int(os.environ.get("IMAGEKIT_UNBROKEN", "50"))
PROFILES = os.environ.get("IMAGEKIT_UNBROKEN_PROFILES", f"{DESKTOP},{SSH},cpu-tf-desktop")
LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """One ``imagekit test``: its seconds, and what failed, with the reason."""

    seconds: float
    asked: frozenset[str]
    failed: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def bases(engine: Engine) -> Iterator[Bases]:
    made = Bases(engine)
    yield made
    made.close()


def ask(profile: str) -> Run:
    """The default set, as a person asks for it."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "imagekit", "test", profile, "--json", "--progress", "plain"],
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    seconds = time.monotonic() - begun
    if done.returncode not in {0, 1} or not done.stdout:
        return Run(seconds, frozenset(), {"imagekit test": done.stderr.strip()[-1000:]})
    checks = json.loads(done.stdout)["checks"]
    asked = frozenset(check["name"] for check in checks if check["status"] != "skipped")
    failed = {check["name"]: check["reason"] for check in checks if check["status"] == "failed"}
    return Run(seconds, asked, failed)


@pytest.mark.parametrize("profile", PROFILES.split(","))
def test_no_false_alarm(bases: Bases, profile: str, capfd: pytest.CaptureFixture[str]) -> None:
    bases.plan(profile)
    runs = []
    for turn in range(RUNS):
        runs.append(ask(profile))
        for check, reason in runs[-1].failed.items():
            with capfd.disabled():
                print(f"\n{profile}, run {turn + 1}: {check}: {reason}")  # noqa: T201
    alarms = [run.failed for run in runs if run.failed]
    with capfd.disabled():
        times = spread([run.seconds for run in runs])
        print(  # noqa: T201 (the result)
            f"\n{profile}: {len(runs)} runs, {len(alarms)} with a false alarm, {times}, "
            f"{len(runs[0].asked)} checks",
            flush=True,
        )
    assert alarms == []
    assert len({run.asked for run in runs}) == 1
