from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from imagekit.checks import candidate, runner
from imagekit.checks.check import Check, CheckFailedError, CheckSkippedError
from imagekit.checks.disruption import Disruption
from imagekit.checks.registry import CHECKS, DISRUPTIONS, NAMES
from imagekit.checks.report import Failure, Result
from imagekit.checks.runner import Options, ask, run_checks, select
from imagekit.checks.selection import Wish
from imagekit.checks.subject import Gpus, State
from imagekit.container import ContainerSpec, Secrets
from imagekit.engine.connection import Engine
from imagekit.errors import EngineError, InputError, WorkFailedError
from imagekit.events import Event, Notice, ignore
from imagekit.names import RESOLVED_LABEL
from imagekit.plan.model import Cuda

CUDA = Cuda("12.8", "9.10", "runtime", "wheels", "525.60.13", "5.0", "")


def engine(labels: dict[str, str] | None = None, error: Exception | None = None) -> Engine:
    def get(_image: str) -> Any:
        if error:
            raise error
        return SimpleNamespace(id="sha256:aa", labels=labels or {}, attrs={})

    def inspect_image(ref: str) -> dict[str, Any]:
        return {"Id": ref, "Size": 7, "Os": "linux", "Config": {"Labels": labels}}

    api = SimpleNamespace(inspect_image=inspect_image)
    client = SimpleNamespace(images=SimpleNamespace(get=get), api=api)
    return Engine(client, "unix:///x", "a test", "27.0", "1.41", True, "overlay2")  # type: ignore[arg-type]


class FakeStage:
    gpus = Gpus()

    def __init__(self) -> None:
        self.running = True
        self.said = ""

    def addresses(self) -> dict[int, tuple[str, int]]:
        return {}

    def state(self) -> State:
        return State(self.running, 3)

    def logs(self) -> str:
        return self.said

    def fetch(self, _path: str) -> bytes:
        return b""

    def put(self, _archive: bytes) -> None:
        pass


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a fake in place of the container; it says its password."""
    fake = FakeStage()
    specs: list[ContainerSpec] = []

    @contextmanager
    def staged(_engine: Any, spec: ContainerSpec, secrets: Secrets) -> Iterator[FakeStage]:
        specs.append(spec)
        fake.said = f"starting\nmy password is {secrets.password}\n"
        yield fake

    monkeypatch.setattr(candidate, "staged", staged)
    return SimpleNamespace(fake=fake, specs=specs)


def use(monkeypatch: pytest.MonkeyPatch, checks: Sequence[Check]) -> None:
    monkeypatch.setattr(runner, "CHECKS", tuple(checks))
    monkeypatch.setattr(runner, "NAMES", (*(c.name for c in checks), "restart"))


def disrupt(monkeypatch: pytest.MonkeyPatch, disturb: Any) -> None:
    monkeypatch.setattr(runner, "DISRUPTIONS", (Disruption("restart", disturb),))


def passes(_subject: Any, _deadline: Any) -> dict[str, object]:
    return {}


def skips(_subject: Any, _deadline: Any) -> dict[str, object]:
    raise CheckSkippedError("not here")


def fails(_subject: Any, _deadline: Any) -> dict[str, object]:
    raise CheckFailedError("a banner", "nothing")


def quotes_the_password(subject: Any, _deadline: Any) -> dict[str, object]:
    raise CheckFailedError("a banner", f"hello {subject.secrets.password}")


def test_names_are_unique_and_end_with_restart() -> None:
    assert len(set(NAMES)) == len(CHECKS) + len(DISRUPTIONS)
    assert NAMES[-1] == "restart"


def test_report(stage: Any, plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, [Check("one", 5, passes)])
    asked: list[list[str]] = []

    def check_restart(_stage: Any, _subject: Any, checks: Any, *_: Any) -> Result:
        asked.append([check.name for check in checks])
        return Result("restart", "passed", started=-1.0)

    disrupt(monkeypatch, check_restart)
    report = run_checks(engine({RESOLVED_LABEL: plan.to_json()}), "demo:latest", Options(full=True))
    assert report.ok
    assert (report.image, report.image_id, report.profile) == ("demo:latest", "sha256:aa", "demo")
    assert report.plan == plan.digest
    assert [result.name for result in report.results] == ["one", "restart"]
    one, restart = report.results
    assert 0 <= one.started <= restart.started < report.seconds
    assert asked == [["one"]]
    assert (report.store, report.facts.id, report.facts.size) == ("overlay2", "sha256:aa", 7)  # type: ignore[union-attr]
    assert datetime.fromisoformat(report.tested).utcoffset() == timedelta(0)
    (spec,) = stage.specs
    assert spec.image == "sha256:aa"
    assert [(p.container_port, p.host_ip, p.host_port) for p in spec.ports] == [
        (22, "127.0.0.1", 0),
        (80, "127.0.0.1", 0),
    ]
    assert [m.target for m in spec.mounts] == ["/run/secrets", "/var/lib/imagekit", "/home/lab"]


@pytest.mark.parametrize("by_profile", [True, False])
def test_the_plan_of_an_image_of_others_is_the_profiles(
    stage: Any, plan: Any, monkeypatch: pytest.MonkeyPatch, by_profile: bool
) -> None:
    use(monkeypatch, [Check("one", 5, passes)])
    plan = replace(plan, user=replace(plan.user, name="root"))
    wish = Wish(expected=plan) if by_profile else Wish(promised=replace(plan, profile=""))
    report = run_checks(engine(), "lab/x:1", Options(wish=wish))
    expected = ("demo", plan.digest) if by_profile else ("", "")
    assert (report.profile, report.plan) == expected


def test_no_secret_gets_out(stage: Any, plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, [Check("one", 5, quotes_the_password)])
    events: list[Event] = []
    report = run_checks(
        engine({RESOLVED_LABEL: plan.to_json()}),
        "demo",
        Options(only=("one",)),
        on_event=events.append,
    )
    assert not report.ok
    assert report.results[0].reason == "asked for a banner; got hello [password]"
    assert report.results[0].failure == Failure("a banner", "hello [password]")
    assert "my password is [password]" in report.log
    assert "hello [password]" in str(events)


def test_only_some_checks(stage: Any, plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, [Check("one", 5, passes), Check("two", 5, passes)])
    report = run_checks(engine({RESOLVED_LABEL: plan.to_json()}), "demo", Options(only=("two",)))
    assert [result.name for result in report.results] == ["two"]
    assert report.log == ""


def test_skips_are_announced(stage: Any, plan: Any) -> None:
    events: list[Event] = []
    report = run_checks(
        engine({RESOLVED_LABEL: plan.to_json()}),
        "demo",
        Options(only=("gpu",)),
        on_event=events.append,
    )
    assert report.results[0].status == "skipped"
    assert report.ok
    reason = "no GPU was asked for: the profile has no CUDA, or --gpus says none"
    assert Notice(f"gpu skipped: {reason}") in events


def test_container_that_ended(stage: Any, plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def waits(_subject: Any, deadline: Any) -> dict[str, object]:
        deadline.abandoned.wait(10)
        return {}

    use(monkeypatch, [Check("one", 60, waits)])
    stage.fake.running = False
    report = run_checks(engine({RESOLVED_LABEL: plan.to_json()}), "demo", Options(full=True))
    one, restart = report.results
    assert one.status == restart.status == "failed"
    assert one.reason == (
        "the container ended with exit code 3; it said last: starting | my password is [password]"
    )


def test_what_a_check_met_comes_after_the_containers_end(
    stage: Any, plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meets_nobody(_subject: Any, _deadline: Any) -> dict[str, object]:
        raise CheckFailedError("an ssh server", "port 22 is not published")

    use(monkeypatch, [Check("one", 60, meets_nobody), Check("two", 60, passes)])
    stage.fake.running = False
    report = run_checks(engine({RESOLVED_LABEL: plan.to_json()}), "demo")
    one, two = report.results
    assert one.reason == (
        "the container ended with exit code 3; it said last: starting | my password is "
        "[password]; asked for an ssh server; got port 22 is not published"
    )
    assert one.failure is not None
    assert one.failure.got == (
        "the container ended with exit code 3; it said last: starting | my password is "
        "[password]; port 22 is not published"
    )
    assert two.status == "passed"


def test_unknown_check() -> None:
    with pytest.raises(InputError, match=r"there is no check 'vcn'\n  hint: the checks are sshd,"):
        run_checks(engine(), "demo", Options(only=("vcn",)))


def test_unknown_image() -> None:
    with pytest.raises(WorkFailedError, match="demo: there is no such image"):
        run_checks(engine(error=docker.errors.ImageNotFound("no such image")), "demo")


def test_engine_that_fails() -> None:
    with pytest.raises(EngineError):
        run_checks(engine(error=docker.errors.APIError("disk on fire")), "demo")


def test_a_disruption_asks_again_what_passed_earlier(
    stage: Any, subject: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, [Check("one", 5, passes), Check("two", 5, passes)])
    asked: list[list[str]] = []

    def check_restart(_stage: Any, _subject: Any, checks: Any, *_: Any) -> Result:
        asked.append([check.name for check in checks])
        return Result("restart", "passed")

    disrupt(monkeypatch, check_restart)
    for before in (frozenset({"two"}), frozenset[str]()):
        ask(stage.fake, subject(), frozenset({"restart"}), ignore, before)
    assert asked == [["two"], ["one", "two"]]


def test_a_disruption_asks_everything_where_nothing_is_left_to_ask_again(
    stage: Any, subject: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [
        Check("passes", 5, passes),
        Check("skips", 5, skips),
        Check("fails", 5, fails),
        Check("long", 5, passes, full=True),
    ]
    use(monkeypatch, checks)
    asked: list[list[str]] = []

    def check_restart(_stage: Any, _subject: Any, checks: Any, *_: Any) -> Result:
        asked.append([check.name for check in checks])
        return Result("restart", "passed")

    disrupt(monkeypatch, check_restart)
    for wanted in ("skips", "long", "fails"):
        ask(stage.fake, subject(), frozenset({wanted, "restart"}), ignore)
    usual = ["passes", "skips", "fails"]
    assert asked == [usual, usual, []]


def test_what_is_required_must_not_be_skipped(stage: Any, plan: Any) -> None:
    report = run_checks(
        engine({RESOLVED_LABEL: plan.to_json()}), "demo", Options(only=("gpu",), require=("gpu",))
    )
    assert not report.ok
    assert report.results[0].reason.startswith("required, and skipped: no GPU was asked for")


@pytest.mark.parametrize(
    ("cuda", "wish", "gpus"),
    [
        (None, {}, ""),
        (None, {"gpus": "GPU-1"}, "GPU-1"),
        (None, {"require": ("gpu",)}, "all"),
        (None, {"require": ("cuda", "framework-gpu")}, "all"),
        (None, {"require": ("sshd",)}, ""),
        (CUDA, {}, "all"),
        (CUDA, {"gpus": "GPU-1,GPU-2"}, "GPU-1,GPU-2"),
        (CUDA, {"gpus": "none"}, ""),
        (CUDA, {"gpus": "none", "require": ("gpu",)}, ""),
    ],
)
def test_with_cuda_all_gpus_are_asked_for(
    asked: Any, plan: Any, cuda: Cuda | None, wish: dict[str, Any], gpus: str
) -> None:
    its_plan = replace(plan, cuda=cuda)
    assert run_checks(engine({RESOLVED_LABEL: its_plan.to_json()}), "demo", Options(**wish)).ok
    (spec,) = asked
    assert spec.gpus == gpus


@pytest.fixture
def asked(stage: Any, monkeypatch: pytest.MonkeyPatch) -> list[ContainerSpec]:
    """The containers that are made; every check passes."""
    use(monkeypatch, [Check(name, 5, passes) for name in ("sshd", "cuda", "gpu", "framework-gpu")])
    specs: list[ContainerSpec] = stage.specs
    return specs


def test_only_what_takes_seconds_is_asked(
    stage: Any, plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, [Check("one", 5, passes), Check("two", 5, passes, full=True)])
    report = run_checks(engine({RESOLVED_LABEL: plan.to_json()}), "demo")
    assert [result.name for result in report.results] == ["one"]


@pytest.mark.parametrize(
    ("only", "seconds"), [("gpu", 0.0), ("health", 2.0), ("unhealthy", 2.0), ("restart", 2.0)]
)
def test_health_is_probed_often_where_it_is_asked(
    stage: Any, plan: Any, monkeypatch: pytest.MonkeyPatch, only: str, seconds: float
) -> None:
    use(monkeypatch, [])
    monkeypatch.setattr(runner, "NAMES", (only,))
    monkeypatch.setattr(runner, "DISRUPTIONS", ())
    run_checks(engine({RESOLVED_LABEL: plan.to_json()}), "demo", Options(only=(only,)))
    assert [spec.probe_seconds for spec in stage.specs] == [seconds]


def test_what_takes_long_is_not_asked_again(
    stage: Any, plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, [Check("one", 5, passes), Check("two", 5, passes, full=True)])
    asked: list[list[str]] = []

    def check_restart(_stage: Any, _subject: Any, checks: Any, *_: Any) -> Result:
        asked.append([check.name for check in checks])
        return Result("restart", "passed")

    disrupt(monkeypatch, check_restart)
    image = engine({RESOLVED_LABEL: plan.to_json()})
    run_checks(image, "demo", Options(full=True))
    run_checks(image, "demo", Options(only=("restart",)))
    assert asked == [["one"], ["one"]]


def test_one_more_is_asked_beside_the_usual_ones() -> None:
    usual = select(Options())
    assert "browser" not in usual
    assert select(Options(also=("browser",))) == usual | {"browser"}
    assert select(Options(only=("vnc",), also=("browser",))) == {"vnc", "browser"}
    with pytest.raises(InputError, match="there is no check 'brauser'"):
        select(Options(also=("brauser",)))


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (Options(require=("restart",)), "--full asks it"),
        (Options(require=("restart",), only=("sshd",)), "--only restart asks it, too"),
        (
            Options(require=("restart",), only=("sshd",), full=True),
            "--only restart asks it, too",
        ),
    ],
)
def test_what_is_required_has_to_be_asked(options: Options, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        select(options)
    assert str(caught.value) == (f"the check 'restart' is required, but not asked\n  hint: {hint}")
