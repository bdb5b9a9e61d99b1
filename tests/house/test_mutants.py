"""The broken images: enough of them, well described, and one at least for every check."""

from __future__ import annotations

from collections import Counter

import pytest

from imagekit.checks import registry
from tests.docker.mutants import EVERYDAY, MUTANTS
from tests.docker.mutants.mutant import DESKTOP, PLANS, Mutant, plan_of
from tests.docker.trial import dockerfile, judge

# Where there is no GPU nothing is asked, so that nothing can be noticed.
NEED_A_GPU = {"gpu", "framework-gpu"}

MUTANT = Mutant("the roof leaks", "RUN rm /roof", "locale", ("roof", "rain"))


def test_there_are_enough_and_a_dozen_for_every_day() -> None:
    assert len(MUTANTS) >= 40
    assert 12 <= len(EVERYDAY) <= 15
    # What takes a base of its own, or a wait until a check gives up, is for the soak.
    assert {mutant.base for mutant in EVERYDAY} <= {DESKTOP, *PLANS}


def test_each_has_a_description_of_its_own() -> None:
    twice = [name for name, count in Counter(m.broken for m in MUTANTS).items() if count > 1]
    assert twice == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.broken)
def test_it_says_what_is_wrong_who_notices_and_by_which_words(mutant: Mutant) -> None:
    assert mutant.broken == mutant.broken.strip()
    assert not mutant.broken.endswith(".")
    assert mutant.check in registry.NAMES
    assert mutant.words
    assert all(mutant.words)
    assert mutant.lines or mutant.promise


def test_every_check_has_something_to_notice() -> None:
    assert set(registry.NAMES) - {mutant.check for mutant in MUTANTS} == NEED_A_GPU


def test_a_mutant_stands_on_its_base_and_carries_its_plan() -> None:
    lines = dockerfile(MUTANT, plan_of(DESKTOP)).splitlines()
    assert lines[0].startswith(f"FROM imagekit/{DESKTOP}:")
    assert lines[1:] == ["RUN rm /roof"]


# ---- who counts as caught


def result(status: str, reason: str, name: str = "locale") -> list[dict[str, str]]:
    return [{"name": name, "status": status, "reason": reason}]


def test_caught_by_its_check_for_its_cause() -> None:
    assert judge(MUTANT, 1, result("failed", "rain through the roof")) == ""


@pytest.mark.parametrize(
    ("code", "results", "problem"),
    [
        (0, result("passed", ""), "exit code 0 and {'locale': 'passed'}"),
        (0, result("skipped", "no roof"), "exit code 0 and {'locale': 'skipped'}"),
        (1, result("failed", "rain, roof", "vnc"), "exit code 1 and {'vnc': 'failed'}"),
        (1, result("failed", "it is wet: rain"), "no 'roof' in 'it is wet: rain'"),
    ],
)
def test_not_caught(code: int, results: list[dict[str, str]], problem: str) -> None:
    assert judge(MUTANT, code, results) == problem
