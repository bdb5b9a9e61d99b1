"""`imagekit test`: which image is asked what, and what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree

import pytest

from imagekit import names, profile
from imagekit.checks import runner
from imagekit.checks.check import Attachment
from imagekit.checks.report import Report, Result
from imagekit.checks.selection import Wish, promise
from imagekit.checks.told import Told
from imagekit.engine import connection
from imagekit.errors import EngineError, Message
from imagekit.events import Emit
from imagekit.plan.resolve import resolve


class Ended(Protocol):
    code: int | str | None
    out: str
    err: str


RunCli = Callable[..., Ended]


PASSED = Result("sshd", "passed", "", 1.26)
SKIPPED = Result("gpu", "skipped", "no GPU asked for", 0.0)
FAILED = Result("vnc", "failed", "no answer", 12.5)
PICTURED = Result("desktop", "passed", "", 1.0, {"x": Attachment("x.png", "image/png", b"png")})


class FakeEngine:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, runner.Options]]]:
    """Have a report ready; what was asked for."""

    def answers(*results: Result) -> list[tuple[str, runner.Options]]:
        calls: list[tuple[str, runner.Options]] = []

        def run_checks(
            engine: object, reference: str, options: runner.Options, *, on_event: Emit
        ) -> Report:
            calls.append((reference, options))
            return Report(reference, "sha256:aa", "demo", "dd", "Docker Engine 27", 13.9, results)

        monkeypatch.setattr(runner, "run_checks", run_checks)
        monkeypatch.setattr(connection, "connect", lambda _address: FakeEngine())
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
        "passed   sshd    1.3 s",
        "skipped  gpu   no GPU asked for",
        "1 passed, 0 failed, 1 skipped in 13.9 s",
    ]


def test_a_failed_check_is_exit_1(run_cli: RunCli, asked: Asked) -> None:
    calls = asked(PASSED, FAILED)
    ended = run_cli("test", "--image", "lab/x:1")
    assert calls == [("lab/x:1", runner.Options())]
    assert ended.code == 1
    assert ended.out.endswith(
        "failed   vnc    12.5 s\n         no answer\n1 passed, 1 failed, 0 skipped in 13.9 s\n"
    )


def test_a_profile_says_what_to_expect_of_an_image(run_cli: RunCli, asked: Asked) -> None:
    calls = asked(PASSED)
    told = ("--with", "user=root", "--with", "port.sshd=2222")
    run_cli("test", "debian12-desktop", "--image", "lab/x:1", *told)
    expected = resolve(profile.load("debian12-desktop"))
    wish = Wish(expected=expected, told=Told(user="root", ports=((22, 2222),)))
    assert calls == [("lab/x:1", runner.Options(wish=wish))]


def test_checks_say_what_to_expect_of_an_image(run_cli: RunCli, asked: Asked) -> None:
    calls = asked(PASSED)
    setting = "locale.lang=zh_CN.UTF-8"
    run_cli("test", "--image", "lab/x:1", "--only", "locale", "--set", setting)
    wish = Wish(promised=promise(("locale",), (setting,)), told=Told(settings=(setting,)))
    assert calls == [("lab/x:1", runner.Options(("locale",), wish=wish))]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--image", "x", "--with", "usr=root"),
            '--with "usr=root": no key "usr"\n  hint: the keys',
        ),
        (("debian12-desktop", "--with", "user=root"), "--with is for images that imagekit did not"),
    ],
)
def test_what_is_wrong_is_exit_2(
    run_cli: RunCli, asked: Asked, arguments: tuple[str, ...], said: str
) -> None:
    calls = asked(PASSED)
    ended = run_cli("test", *arguments)
    assert (ended.code, calls) == (2, [])
    assert ended.err.startswith(said)


def test_the_engine_is_closed_however_it_ends(
    run_cli: RunCli, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(PASSED)
    engine = FakeEngine()
    monkeypatch.setattr(connection, "connect", lambda _address: engine)

    def refuses(*_: object, **_options: object) -> Report:
        assert not engine.closed
        raise EngineError(Message("unix:///x", "nobody listens"))

    monkeypatch.setattr(runner, "run_checks", refuses)
    ended = run_cli("test", "--image", "x")
    assert (ended.code, engine.closed) == (3, True)


@pytest.mark.parametrize(("result", "code"), [(PASSED, 0), (FAILED, 1)])
def test_json_is_the_report(run_cli: RunCli, asked: Asked, result: Result, code: int) -> None:
    asked(result)
    ended = run_cli("test", "--image", "x", "--json")
    assert (ended.code, ended.err) == (code, "")
    told = json.loads(ended.out)
    assert (told["version"], told["image"], told["ok"]) == (1, "x", code == 0)


def test_all_forms_at_once(run_cli: RunCli, asked: Asked, place: Path) -> None:
    asked(FAILED, PICTURED)
    ended = run_cli("test", "--image", "x", "--json", "--junit", "j.xml", "--report", "out")
    assert ended.code == 1
    written = [place / "j.xml", place / "out" / "index.html"]
    assert ended.err == "".join(f"wrote {path}\n" for path in written)
    (suite,) = ElementTree.fromstring((place / "j.xml").read_bytes())  # noqa: S314 (our own)
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert "<title>failed: demo</title>" in (place / "out" / "index.html").read_text("utf-8")
    assert (place / "out" / "report.json").read_text("utf-8") == ended.out
    assert (place / "out" / "x.png").read_bytes() == b"png"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--junit", "none/j.xml"), "none/j.xml: there is no folder"),
        (("--junit", "."), ".: is a folder\n  hint: --junit takes a file"),
        (("--report", "none/out"), "none/out: there is no folder"),
        (("--report", "file"), "file: is no folder\n  hint: --report takes a folder"),
    ],
)
def test_wrong_paths_are_found_before_anything_is_asked(
    run_cli: RunCli, asked: Asked, place: Path, arguments: tuple[str, ...], said: str
) -> None:
    (place / "file").touch()
    calls = asked(PASSED)
    ended = run_cli("test", "--image", "x", *arguments)
    assert (ended.code, ended.out, calls) == (2, "", [])
    assert said in ended.err


def test_what_cannot_be_written_does_not_hide_the_results(
    run_cli: RunCli, asked: Asked, place: Path
) -> None:
    asked(PASSED)
    (place / "out" / "index.html").mkdir(parents=True)
    ended = run_cli("test", "--image", "x", "--report", "out")
    assert ended.code == 1
    assert ended.out.startswith("passed   sshd")
    assert "index.html: cannot be written: Is a directory" in ended.err


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
