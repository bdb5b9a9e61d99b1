"""The pytest plugin, in sessions of its own inside of this one, without an engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import paramiko
import pytest

from imagekit import names, profile
from imagekit.checks import registry, runner, ssh
from imagekit.checks.check import Check, CheckFailedError, CheckSkippedError
from imagekit.checks.disruption import Disruption
from imagekit.checks.health import PROBE_SECONDS
from imagekit.checks.report import Result
from imagekit.checks.selection import Wish
from imagekit.checks.subject import Gpus, State, Subject
from imagekit.container import generate_secrets
from imagekit.errors import EngineError, Message
from imagekit.plan.resolve import resolve
from imagekit.pytest_plugin import container

pytest_plugins = ["pytester"]

PROFILE = "debian12-desktop"
MODULE = "imagekit.pytest_plugin"
# An installation registers the module under a name of its own, and pytest takes it once.
INSTALLED = any(point.value == MODULE for point in entry_points(group="pytest11"))
LOAD = () if INSTALLED else ("-p", MODULE, "-W", "ignore::pytest.PytestAssertRewriteWarning")

LAB = """
def test_lab(imagekit_container):
    assert imagekit_container.execute(["hostname"]).text == "box\\n"
    assert imagekit_container.address(22) == ("127.0.0.1", 4022)
"""


@dataclass
class FakeStage:
    gpus = Gpus()
    executed: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    def execute(self, argv: Any, user: str = "", timeout: float = 20.0) -> tuple[int, str]:
        assert timeout > 0
        self.executed.append((tuple(argv), user))
        return 0, "box\n"

    def addresses(self) -> dict[int, tuple[str, int]]:
        return {22: ("127.0.0.1", 4022)}

    def state(self) -> State:
        return State(running=True, exit_code=0)

    def logs(self) -> str:
        return "the last words\n"


@dataclass
class World:
    """What the sessions did."""

    stage: FakeStage = field(default_factory=FakeStage)
    did: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    wanted: list[tuple[str, str, Wish, str]] = field(default_factory=list)
    password: str = ""
    refusal: str = ""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An engine with one image, five checks, and what became of them."""
    seen = World()
    plan = resolve(profile.load(PROFILE))

    def connect(address: str) -> Any:
        if seen.refusal:
            raise EngineError(Message("unix:///x", seen.refusal))
        return SimpleNamespace(close=lambda: seen.did.append("closed"), address=address)

    def find(engine: Any, image: str, wish: Wish) -> Any:
        return SimpleNamespace(engine=engine, image=image, wish=wish, plan=plan)

    @contextmanager
    def entered(_engine: Any, found: Any, gpus: str, probe_seconds: float) -> Iterator[Any]:
        assert probe_seconds == PROBE_SECONDS
        seen.wanted.append((found.engine.address, found.image, found.wish, gpus))
        seen.did.append("started")
        secrets = generate_secrets()
        seen.password = secrets.password
        yield (
            seen.stage,
            Subject(plan, {}, secrets, paramiko.ECDSAKey.generate(), seen.stage),  # type: ignore[arg-type]
        )
        seen.did.append("removed")

    def asks(name: str, error: Exception | None = None) -> Check:
        def ask(subject: Subject, _deadline: Any) -> dict[str, object]:
            seen.asked.append(name)
            if error is not None:
                raise error
            return {}

        return Check(name, 5, ask, full=name == "slow")

    def disturb(_stage: Any, _subject: Any, checks: Any, *_: Any) -> Result:
        seen.asked.append(f"restart of {', '.join(check.name for check in checks)}")
        return Result("restart", "passed", seconds=7.0)

    checks = (
        asks("sshd"),
        asks("vnc", CheckFailedError("a picture", "a blank screen", "the log")),
        asks("gpu", CheckSkippedError("no GPU was asked for")),
        asks("slow"),
    )
    everything = (*(check.name for check in checks), "restart")
    for module in (runner, registry):
        monkeypatch.setattr(module, "CHECKS", checks)
        monkeypatch.setattr(module, "NAMES", everything)
        monkeypatch.setattr(module, "DISRUPTIONS", (Disruption("restart", disturb),))
    for name, fake in (("connect", connect), ("find", find), ("entered", entered)):
        monkeypatch.setattr(container, name, fake)
    return seen


@pytest.fixture
def run(pytester: pytest.Pytester, world: World) -> Any:
    """Run pytest on a folder with one test of a lab."""
    pytester.makepyfile(test_lab=LAB)

    def call(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*LOAD, "-p", "no:cacheprovider", *arguments)

    return call


def test_a_check_is_an_item(run: Any, world: World) -> None:
    result = run("--imagekit-profile", PROFILE, "-v")
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            f"imagekit: {PROFILE}",
            "collecting ... collected 4 items",
            f"imagekit::{PROFILE}::sshd PASSED*",
            f"imagekit::{PROFILE}::vnc FAILED*",
            f"imagekit::{PROFILE}::gpu SKIPPED (no GPU was asked for)*",
            "test_lab.py::test_lab PASSED*",
            "asked for a picture; got a blank screen; look at the log",
            "*container log*",
            "the last words",
            f"FAILED imagekit::{PROFILE}::vnc - *asked for a picture; got*",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert ".py:" not in result.stdout.str().partition("FAILURES")[2].partition("short test")[0]
    assert world.did == ["started", "removed", "closed"]
    plan = resolve(profile.load(PROFILE))
    assert world.wanted == [("", names.tags(plan)[1], Wish(), "")]


def test_the_checks_are_asked_once_in_one_round(run: Any, world: World) -> None:
    run("--imagekit-profile", PROFILE)
    assert sorted(world.asked) == ["gpu", "sshd", "vnc"]


def test_what_is_deselected_is_not_asked(run: Any, world: World) -> None:
    run("--imagekit-profile", PROFILE, "-k", "sshd or lab").assert_outcomes(passed=2, deselected=2)
    assert world.asked == ["sshd"]


def test_only_the_tests_of_the_lab(run: Any, world: World) -> None:
    result = run("--imagekit-profile", PROFILE, "-m", "not imagekit", "--strict-markers")
    result.assert_outcomes(passed=1, deselected=3)
    assert world.asked == []
    assert world.did == ["started", "removed", "closed"]


def test_nothing_is_started_that_nobody_asks_for(run: Any, world: World) -> None:
    run("--imagekit-profile", PROFILE, "--collect-only").assert_outcomes()
    assert world.did == []


def test_it_stops_at_the_first_failure_and_cleans_up(run: Any, world: World) -> None:
    run("--imagekit-profile", PROFILE, "-x").assert_outcomes(passed=1, failed=1)
    assert world.did == ["started", "removed", "closed"]


def test_ctrl_c(run: Any, world: World, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_lab="def test_x(imagekit_container):\n    raise KeyboardInterrupt\n")
    arguments = (*LOAD, "--imagekit-profile", PROFILE, "-k", "test_x")
    ended = pytester.inline_run(*arguments, no_reraise_ctrlc=True)
    assert ended.ret == pytest.ExitCode.INTERRUPTED
    assert world.did == ["started", "removed", "closed"]


def test_everything_and_the_restart_after_all_tests(run: Any, world: World) -> None:
    result = run("--imagekit-profile", PROFILE, "--imagekit-full", "-v")
    result.assert_outcomes(passed=4, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*::slow PASSED*", "test_lab.py*", "*::restart PASSED*"])
    assert world.asked[-1] == "restart of sshd"  # not what takes long


def test_junit(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    run("--imagekit-profile", PROFILE, "--imagekit-full", f"--junitxml={file}")
    cases = {case.attrib["name"]: case for case in ET.parse(file).iter("testcase")}  # noqa: S314 (ours)
    assert cases["sshd"].attrib["classname"] == f"imagekit.{PROFILE}"
    assert float(cases["restart"].attrib["time"]) == pytest.approx(7, abs=0.1)
    failure = cases["vnc"].find("failure")
    assert failure is not None
    assert failure.text == "asked for a picture; got a blank screen; look at the log"
    skipped = cases["gpu"].find("skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "no GPU was asked for"


def test_an_image_with_all_options(run: Any, world: World) -> None:
    result = run(
        *("--imagekit-image", "lab/x:1", "--imagekit-gpus", "all"),
        *("--imagekit-engine", "ssh://me@gpu1", "--imagekit-with", "port.sshd=2222", "-v"),
    )
    result.stdout.fnmatch_lines(["imagekit::lab/x:1::sshd PASSED*"])
    ((engine, image, wish, gpus),) = world.wanted
    assert (engine, image, gpus) == ("ssh://me@gpu1", "lab/x:1", "all")
    assert wish.told.ports == ((22, 2222),)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--imagekit-profile", "debian12-dekstop"), "ERROR: no profile *dekstop*"),
        (("--imagekit-image", "x", "--imagekit-with", "a=b"), "ERROR: --with *no key*"),
        (("--imagekit-profile", PROFILE, "--imagekit-gpus", "a b"), "ERROR: 'a b' names no GPUs*"),
        (("--imagekit-full",), "ERROR: --imagekit-full needs an image: run pytest with --image*"),
    ],
)
def test_what_is_wrong_is_a_usage_error(
    run: Any, world: World, arguments: tuple[str, ...], said: str
) -> None:
    result = run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])
    assert world.did == []


def test_an_engine_that_is_not_there(run: Any, world: World) -> None:
    world.refusal = "nobody listens"
    result = run("--imagekit-profile", PROFILE)
    result.assert_outcomes(failed=3, errors=1)
    shown = result.stdout.str().partition("short test summary")[0]
    assert shown.count("unix:///x: nobody listens") == 4
    assert "Traceback" not in shown


def test_an_engine_that_goes_away_in_the_round(
    run: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_stage: FakeStage) -> State:
        raise EngineError(Message("unix:///x", "nobody listens any more"))

    monkeypatch.setattr(FakeStage, "state", refuses)  # asked for where a check failed
    result = run("--imagekit-profile", PROFILE, "-m", "imagekit")
    result.assert_outcomes(failed=3, deselected=1)
    shown = result.stdout.str().partition("short test summary")[0]
    assert shown.count("unix:///x: nobody listens any more") == 3
    assert ".py:" not in shown.partition("FAILURES")[2]
    assert sorted(world.asked) == ["gpu", "sshd", "vnc"]


def test_an_engine_that_goes_away_after_the_round(
    run: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_stage: FakeStage) -> str:
        raise EngineError(Message("unix:///x", "nobody listens any more"))

    monkeypatch.setattr(FakeStage, "logs", refuses)
    result = run("--imagekit-profile", PROFILE)
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["asked for a picture; got a blank screen; look at the log"])
    assert "nobody listens" not in result.stdout.str()


def test_without_an_image(run: Any, world: World) -> None:
    result = run("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*no image to test: run pytest with --imagekit-profile NAME*"])
    assert world.did == []


def test_what_a_lab_can_ask(run: Any, world: World, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_lab=f"""
        import pytest

        def test_plan(imagekit_container):
            assert imagekit_container.plan.profile == {PROFILE!r}
            assert imagekit_container.secrets.password
            assert imagekit_container.image.startswith("imagekit/{PROFILE}:")

        def test_user(imagekit_container):
            imagekit_container.execute(["id"])
            imagekit_container.execute(["id"], user="root")

        def test_report(imagekit_container):
            assert imagekit_container.report("vnc").status == "failed"
            assert imagekit_container.report("sshd").status == "passed"
            assert imagekit_container.report("vnc").status == "failed"
            with pytest.raises(Exception, match="there is no check 'vcn'"):
                imagekit_container.report("vcn")

        def test_ports(imagekit_container):
            with pytest.raises(ConnectionError, match="port 8888 is not published"):
                imagekit_container.address(8888)
        """
    )
    run("--imagekit-profile", PROFILE, "-m", "not imagekit").assert_outcomes(passed=4, deselected=3)
    assert world.stage.executed == [(("id",), "lab"), (("id",), "root")]
    assert world.asked == ["vnc", "sshd"]


def test_passwords_stay_out_of_reports(
    run: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeStage, "logs", lambda _stage: f"it is {world.password}\n")
    result = run("--imagekit-profile", PROFILE)
    result.stdout.fnmatch_lines(["it is [[]password]"])
    assert world.password not in result.stdout.str()


def test_ssh(run: Any, world: World, pytester: pytest.Pytester, monkeypatch: Any) -> None:
    @contextmanager
    def session(subject: Subject, deadline: Any) -> Iterator[str]:
        assert subject.address(22) == ("127.0.0.1", 4022)
        assert 0 < deadline.left <= 60
        yield "a transport"

    def over(transport: str, command: str, _deadline: Any) -> ssh.Output:
        if command == "hang":
            raise TimeoutError("no answer in time")
        return ssh.Output(3, f"{command} over {transport}")

    monkeypatch.setattr(container, "session", session)
    monkeypatch.setattr(container.ssh, "run", over)
    pytester.makepyfile(
        test_lab="""
        def test_lab(imagekit_container):
            output = imagekit_container.ssh("id")
            assert (output.code, output.text) == (3, "id over a transport")

        def test_hang(imagekit_container):
            imagekit_container.ssh("hang")
        """
    )
    result = run("--imagekit-profile", PROFILE, "-k", "test_")
    result.assert_outcomes(passed=1, failed=1, deselected=3)
    result.stdout.fnmatch_lines(["asked for `hang` over ssh; got no answer in time; look at *"])
    assert "During handling" not in result.stdout.str()


def test_a_worker_asks_one_by_one(
    run: Any, world: World, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As pytest-xdist marks the configuration of its workers.
    pytester.makeconftest("def pytest_configure(config): config.workerinput = {}")
    asked: list[frozenset[str]] = []
    real = runner.ask

    def ask(stage: Any, subject: Any, wanted: frozenset[str], *others: Any) -> Any:
        asked.append(wanted)
        return real(stage, subject, wanted, *others)

    monkeypatch.setattr(runner, "ask", ask)
    # Its own reports are another plugin's business there.
    run("--imagekit-profile", PROFILE, "-p", "no:junitxml", "-p", "no:terminal")
    assert asked == [{"sshd"}, {"vnc"}, {"gpu"}]


def test_it_costs_next_to_nothing() -> None:
    code = (
        f"import sys, pytest; before = set(sys.modules); import {MODULE}; "
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == {"imagekit", MODULE}


def test_an_installation_brings_it() -> None:
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8")
    assert f'[project.entry-points.pytest11]\nimagekit = "{MODULE}"\n' in text
