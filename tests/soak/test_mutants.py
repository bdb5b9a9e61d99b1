"""Every image that is broken on purpose, put to the check that has to notice: `make soak`.

``IMAGEKIT_MUTANTS=2`` says how many are on trial at once. A table is printed: what is broken,
the check, the seconds of ``imagekit test``, and what the check said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from imagekit.engine.connection import Engine
from tests.docker.mutants import MUTANTS
from tests.docker.mutants.mutant import Mutant
from tests.docker.trial import Trials, on_trial

AT_ONCE = int(os.environ.get("IMAGEKIT_MUTANTS", "2"))


@pytest.fixture(scope="module")
def trials(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Trials]:
    trials = Trials(engine, on_trial(request), AT_ONCE)
    yield trials
    trials.close()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.broken)
def test_it_is_caught(trials: Trials, mutant: Mutant, capfd: pytest.CaptureFixture[str]) -> None:
    trial = trials[mutant]
    with capfd.disabled():
        print(f"\n{trial.row()}", end="", flush=True)  # noqa: T201 (the result)
    assert trial.problem == ""
