"""`imagekit test`: which image is asked what, and what is printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pytest

from imagekit import names, profile
from imagekit.checks import runner
from imagekit.engine import connection
from imagekit.events import Emit
from imagekit.plan.resolve import resolve


class Ended(Protocol):
    code: int | str | None
    out: str
    err: str


RunCli = Callable[..., Ended]


@dataclass
class Result:
    name: str
    status: str
    reason: str
    seconds: float


@dataclass
class Report:
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        return all(result.status != "failed" for result in self.results)

    def to_json(self) -> str:
        return '{"version": 1}'


PASSED = Result("sshd", "passed", "", 1.26)
SKIPPED = Result("gpu", "skipped", "no GPU asked for", 0.0)
FAILED = Result("vnc", "failed", "no answer", 12.5)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, runner.Options]]]:
    """Have a report ready; what was asked for."""

    def answers(*results: Result) -> list[tuple[str, runner.Options]]:
        calls: list[tuple[str, runner.Options]] = []

        def run_checks(
            engine: object, reference: str, options: runner.Options, *, on_event: Emit
        ) -> Report:
            calls.append((reference, options))
            return Report(results)

        monkeypatch.setattr(runner, "run_checks", run_checks)
        monkeypatch.setattr(connection, "connect", lambda _address: object())
        return calls

    return answers


Asked = Callable[..., list[tuple[str, runner.Options]]]


def test_a_profile_is_tested_by_its_plans_own_tag(run_cli: RunCli, asked: Asked) -> None:
    calls = asked(PASSED, SKIPPED)
    ended = run_cli("test", "debian12-desktop", "--only", "sshd", "--only", "gpu", "--gpus", "all")
    plan = resolve(profile.load("debian12-desktop"))
    assert calls == [(names.tags(plan)[1], runner.Options(("sshd", "gpu"), gpus="all"))]
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "passed   sshd         1.3 s",
        "skipped  gpu          0.0 s  no GPU asked for",
    ]


def test_a_failed_check_is_exit_1(run_cli: RunCli, asked: Asked) -> None:
    calls = asked(PASSED, FAILED)
    ended = run_cli("test", "--image", "lab/x:1")
    assert calls == [("lab/x:1", runner.Options())]
    assert ended.code == 1
    assert ended.out.endswith("failed   vnc         12.5 s  no answer\n")


@pytest.mark.parametrize(("result", "code"), [(PASSED, 0), (FAILED, 1)])
def test_json_is_the_report(run_cli: RunCli, asked: Asked, result: Result, code: int) -> None:
    asked(result)
    ended = run_cli("test", "--image", "x", "--json")
    assert (ended.code, ended.out, ended.err) == (code, '{"version": 1}\n', "")


def test_everything_is_asked_and_must_not_be_skipped(run_cli: RunCli, asked: Asked) -> None:
    calls = asked(PASSED)
    run_cli("test", "--image", "x", "--full", "--require", "gpu", "--require", "restart")
    assert calls == [("x", runner.Options(full=True, require=("gpu", "restart")))]


def test_a_browser_is_asked_beside_the_rest(run_cli: RunCli, asked: Asked) -> None:
    calls = asked(PASSED)
    run_cli("test", "--image", "x", "--browser", "--require", "browser")
    assert calls == [("x", runner.Options(require=("browser",), also=("browser",)))]


def test_what_is_not_asked_cannot_be_required(run_cli: RunCli, asked: Asked) -> None:
    calls = asked(PASSED)
    ended = run_cli("test", "--image", "x", "--require", "restart")
    assert ended.code == 2
    assert "the check 'restart' is required, but not asked\n  hint: --full asks it" in ended.err
    assert calls == []
