"""`imagekit build`: what is built, what it prints, and what it says of failures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from imagekit import bases, build, contents, profile, records, room, several
from imagekit.bases import Base
from imagekit.build import Built, Cut, Frozen, Job, Options
from imagekit.commands import finish
from imagekit.contents import Contents, Deb
from imagekit.engine import connection, endpoint, images
from imagekit.engine.endpoint import Endpoint
from imagekit.engine.failures import BuildFailedError
from imagekit.engine.trace import FailedStep, StepRun
from imagekit.errors import EngineError, Message, NetworkError, WorkFailedError
from imagekit.events import Notice
from imagekit.lock import file as lock_file
from imagekit.lock import freeze, record
from imagekit.lock.model import Lock, LockedBase, Row, plan_keys
from imagekit.plan.model import Plan
from imagekit.plan.resolve import resolve
from imagekit.push import Pushed
from imagekit.site import Site


class Ended(Protocol):
    code: int | str | None
    out: str
    err: str


RunCli = Callable[..., Ended]
Write = Callable[..., str]
Calls = list[Job]

STEP = (
    "[image 3/9] RUN --mount=type=secret,id=ca     . /run/imagekit-build/env.sh &&     "
    "apt_install         no-such"
)
LOG = (*(f"line {number}" for number in range(19)), "E: Unable to locate package no-such")
ERRORS = {
    "bad": BuildFailedError(
        Message("[image 3/9] RUN …", "ended with exit code 100"),
        FailedStep(STEP, "exit code: 100", LOG, loads_base=False),
        "all of it",
    ),
    "unproved": WorkFailedError(Message("unproved", "not this plan's", "build again")),
    "lost": EngineError(Message("unix://x", "the engine closed the connection")),
    "unreachable": NetworkError(Message("debian:12-slim", "no such host")),
}


class Engine:
    podman = False
    version, api_version, store, buildkit = "28.5.2", "1.51", "overlay2", True

    def close(self) -> None:
        pass


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What was built; profiles with the names of ``ERRORS`` fail."""
    made: Calls = []

    def build_on(_engine: object, base: Base, job: Job) -> Built:
        made.append(job)
        job.on_event(Notice("building"))
        name = job.plan.profile
        if name in ERRORS:
            raise ERRORS[name]
        tags = (f"imagekit/{name}:latest", *job.options.tags)
        steps = tuple(StepRun(f"step {n}", 0.5, cached=n < 4) for n in range(9))
        return Built("sha256:1", tags, (), "linux/amd64", 250_400_000, 3.21, steps, base)

    monkeypatch.setattr(connection, "connect", lambda _address, **_: Engine())
    monkeypatch.setattr(bases, "obtain", lambda *_, **__: Base("b", "sha256:2"))
    monkeypatch.setattr(several, "build_on", build_on)
    monkeypatch.setattr(room, "disk", lambda _engine: None)
    return made


def told(err: str) -> list[str]:
    """What is said after all builds have ended."""
    lines = err.splitlines()
    last = max(n for n, line in enumerate(lines) if line.endswith((": building", " s")))
    return lines[last + 1 :]


def options(job: Job) -> tuple[tuple[str, ...], bool, bool]:
    return job.options.tags, job.options.no_cache, job.options.pull


def test_one_line_an_image_goes_to_stdout_in_the_order_asked_for(
    run_cli: RunCli, write: Write, calls: Calls
) -> None:
    write("profile: 1", "profiles/a.yaml")
    ended = run_cli("build", "debian12-desktop", "a", "--pull", "--no-cache")
    assert ended.code == 0
    assert ended.out == ("sha256:1 imagekit/debian12-desktop:latest\nsha256:1 imagekit/a:latest\n")
    assert {"a: building", "debian12-desktop: building"} < set(ended.err.splitlines())
    assert told(ended.err)[-3:] == [
        "debian12-desktop: 250 MB, 3.2 s, 4 of 9 steps cached",
        "a: 250 MB, 3.2 s, 4 of 9 steps cached",
        "2 of 2 built",
    ]
    assert [options(job) for job in calls] == [((), True, True)] * 2
    assert calls[0].site == Site()


def test_a_build_alone_needs_no_total(run_cli: RunCli, write: Write, calls: Calls) -> None:
    write("profile: 1", "a.yaml")
    ended = run_cli("build", "a.yaml")
    assert ended.err.splitlines() == ["a: building", "a: 250 MB, 3.2 s, 4 of 9 steps cached"]


def test_tags_overrides_and_site_arrive(run_cli: RunCli, write: Write, calls: Calls) -> None:
    write("site: 1\nrun: {ports: 7000}", "lab.yaml")
    write("profile: 1", "a.yaml")
    ended = run_cli(
        "build",
        "a.yaml",
        "--tag",
        "x/{profile}:1",
        "--tag",
        "z:{plan}-{image}",
        "--site",
        "lab.yaml",
        "--progress",
        "json",
    )
    assert ended.code == 0
    (job,) = calls
    plan = job.plan.digest[:12]
    assert options(job) == (("x/a:1", f"z:{plan}-{{image}}"), False, False)
    assert job.site == Site(ports=7000)
    events = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    assert [(e["about"], e["event"]) for e in events] == [
        ("a", "BuildStarted"),
        ("a", "Notice"),
        ("a", "BuildFinished"),
    ]


def test_equal_profiles_are_built_once(run_cli: RunCli, write: Write, calls: Calls) -> None:
    write("profile: 1", "profiles/a.yaml")
    ended = run_cli("build", "a", "profiles/a.yaml", "a")
    assert (ended.code, ended.out) == (0, "sha256:1 imagekit/a:latest\n")
    assert len(calls) == 1


def test_a_profiles_mirrors_are_built_with_where_the_site_names_none(
    run_cli: RunCli, write: Write, calls: Calls
) -> None:
    write("site: 1\nmirrors: {apt: http://here.example}", "lab.yaml")
    write("profile: 1\nmirrors: {apt: http://a.example, pypi: http://p.example/simple}", "a.yaml")
    assert run_cli("build", "a.yaml", "--site", "lab.yaml").code == 0
    (job,) = calls
    assert (job.site.apt, job.site.pypi) == ("http://here.example", "http://p.example/simple")


# ---- what is refused before anything is contacted


def test_nothing_is_built_when_one_profile_of_several_is_wrong(
    run_cli: RunCli, write: Write, recorder: Any
) -> None:
    write("profile: 1\nx: 1", "wrong.yaml")
    ended = run_cli("build", "debian12-desktop", "wrong.yaml", "nosuch")
    assert (ended.code, ended.out, recorder.callers) == (2, "", 0)
    assert "wrong.yaml:2:1: x: unknown key" in ended.err
    assert 'no profile "nosuch"' in ended.err


def test_two_profiles_of_one_name_are_not_built_at_once(
    run_cli: RunCli, write: Write, recorder: Any
) -> None:
    write("profile: 1", "one/a.yaml")
    write("profile: 1\nenv: {A: b}", "other/a.yaml")
    ended = run_cli("build", "one/a.yaml", "other/a.yaml")
    assert (ended.code, recorder.callers) == (2, 0)
    assert ended.err.startswith("other/a.yaml: has the name of one/a.yaml, and so would the image")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tag", "x/{nothing}"], 'there is no placeholder "nothing"'),
        (["--tag", "UPPER:"], "is no name for an image"),
        (["--tag", "x:1", "debian12-desktop"], "--tag needs {profile}, {plan} or {image}"),
        (["--metadata-file", "nowhere/m.json"], "nowhere/m.json: there is no folder"),
        (["--metadata-file", "."], ".: is a folder"),
        (["--jobs", "0"], "0 is not in the range"),
        (["--before", "image"], '--before takes a step such as image 9/14, not "image"'),
        (["--before", "image 99/99"], "a: has no step image 99/99"),
        (["--before", "image 1/6", "--push"], "--before is for a look into one profile"),
        (["--lock", "--frozen"], "--lock writes what --frozen reads"),
        (["--frozen"], "a.lock: no such lock file\n  hint: imagekit build a --lock writes it"),
        (["--push"], "there is no TARGET to push to"),
        (["--tag", "x:{version}"], '"x:{version}": a has no version'),
        (["--platform", "windows"], "'windows' is not of the form linux/architecture"),
        (["--before", "image 1/6", "debian12-desktop"], "--before is for a look into one profile"),
        (["--before", "image 1/6", "--tag", "x"], "--before is for a look into one profile"),
    ],
)
def test_bad_options_are_refused(
    run_cli: RunCli, write: Write, recorder: Any, arguments: list[str], said: str
) -> None:
    write("profile: 1", "a.yaml")
    ended = run_cli("build", "a.yaml", *arguments)
    assert (ended.code, ended.out, recorder.callers) == (2, "", 0)
    assert said in ended.err


# ---- failures


def test_a_failed_step_is_shown_with_its_log_its_line_and_a_way_in(
    run_cli: RunCli, write: Write, calls: Calls
) -> None:
    write("profile: 1\npackages:\n  apt: [tree, no-such]", "bad.yaml")
    ended = run_cli("build", "bad.yaml", "--set", "user.name=zhang")
    assert (ended.code, ended.out) == (1, "")
    assert told(ended.err) == [
        "bad: the last lines of [image 3/9] RUN apt_install no-such",
        *(f"  | {line}" for line in LOG),
        'bad.yaml:3:15: packages.apt[1]: apt finds no package "no-such"',
        "bad: [image 3/9] RUN apt_install no-such: ended with exit code 100",
        "  hint: for a shell in the state before it:",
        "    imagekit build bad.yaml --set user.name=zhang --before 'image 3/9'",
        "    docker run --rm -it --entrypoint bash imagekit/bad:before-image-3",
    ]


ENGINES = [
    ("ssh://me@server", "docker --host ssh://me@server run"),
    ("gpu", "docker --context gpu run"),
    ("default", "docker --context default run"),
]


@pytest.mark.parametrize("asked", ENGINES)
def test_the_way_in_is_that_of_the_engine_that_was_asked_for(
    run_cli: RunCli,
    write: Write,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[str, str],
) -> None:
    engine, run = asked
    monkeypatch.setattr(endpoint, "resolve", lambda _asked: Endpoint("unix:///e", "here"))
    monkeypatch.setattr(build, "build_cut", lambda *_: "sha256:9")
    write("profile: 1", "bad.yaml")
    ended = run_cli("build", "bad.yaml", "--engine", engine)
    assert told(ended.err)[-2:] == [
        f"    imagekit build bad.yaml --engine {engine} --before 'image 3/9'",
        f"    {run} --rm -it --entrypoint bash imagekit/bad:before-image-3",
    ]
    ended = run_cli("build", "bad.yaml", "--engine", engine, "--before", "image 2/6")
    assert ended.err == (
        f"to look into it: {run} --rm -it --entrypoint bash imagekit/bad:before-image-2\n"
    )


def test_a_frozen_build_that_failed_has_no_way_in(
    run_cli: RunCli, write: Write, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before its step is what the lock says, and --before knows no lock."""
    write("profile: 1", "bad.yaml")
    plan = resolve(profile.load("bad.yaml"))
    Path("bad.lock").write_text(lock_file.dump(lock_of(plan)))
    frozen = Frozen(Base("locked", "sha256:3"), ())
    monkeypatch.setattr(freeze, "freeze", lambda *_: frozen)
    ended = run_cli("build", "bad.yaml", "--frozen")
    assert (ended.code, ended.out) == (1, "")
    assert told(ended.err)[-1] == (
        "bad: [image 3/9] RUN apt_install no-such: ended with exit code 100"
    )


def test_what_is_not_as_it_is_locked_is_said_with_the_profile_once(
    run_cli: RunCli, write: Write, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("profile: 1", "a.yaml")
    lock = lock_of(resolve(profile.load("a.yaml")))
    Path("a.lock").write_text(lock_file.dump(lock))
    there = SimpleNamespace(id="sha256:2", layers=lock.base.layers)
    monkeypatch.setattr(images, "find", lambda *_: there)
    inside = Contents("debian", "12", (Deb("tini", "all", "0.20"),), (), ())
    monkeypatch.setattr(contents, "read", lambda *_: inside)
    ended = run_cli("build", "a.yaml", "--frozen")
    assert told(ended.err) == [
        "a: frozen build: apt tini: locked 0.19.0-1 amd64, the image has 0.20 all"
    ]
    there.layers = ("sha256:new",)
    monkeypatch.setattr(images, "demand", lambda *_: there)
    ended = run_cli("build", "a.yaml", "--frozen")
    assert ended.err.splitlines()[-2:] == [
        "a: base: b is not the image that was locked",
        "  hint: docker load that one, or lock what there is now: imagekit build --lock",
    ]


def test_a_hint_of_the_engines_own_comes_first(
    run_cli: RunCli, write: Write, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Message("[image 3/9] RUN …", "ended with exit code 1", "the engine's disk is full")
    failed = FailedStep(STEP, "exit code: 1", ("\x1b[31mred\x07",), loads_base=False)
    monkeypatch.setitem(ERRORS, "bad", BuildFailedError(full, failed, ""))
    write("profile: 1", "bad.yaml")
    ended = run_cli("build", "bad.yaml")
    assert "  hint: the engine's disk is full\n" in ended.err
    assert "--before" not in ended.err
    assert "  | red\\x07\n" in ended.err


def test_others_are_built_and_everything_is_told_at_the_end(
    run_cli: RunCli, write: Write, calls: Calls
) -> None:
    for name in ("bad", "unproved", "good"):
        write("profile: 1", f"{name}.yaml")
    ended = run_cli("build", "bad.yaml", "good.yaml", "unproved.yaml")
    assert (ended.code, ended.out) == (1, "sha256:1 imagekit/good:latest\n")
    assert len(calls) == 3
    said = told(ended.err)
    assert "1 of 3 built" in said
    assert said[-2:] == ["unproved: not this plan's", "  hint: build again"]


@pytest.mark.parametrize(
    ("names", "code"),
    [(["lost"], 3), (["unreachable"], 4), (["lost", "unreachable"], 1), (["lost", "bad"], 1)],
)
def test_the_exit_code_is_that_of_all_failures_or_one(
    run_cli: RunCli, write: Write, calls: Calls, names: list[str], code: int
) -> None:
    for name in names:
        write("profile: 1", f"{name}.yaml")
    ended = run_cli("build", *(f"{name}.yaml" for name in names))
    assert ended.code == code
    assert ("lost" in names) == ("lost: unix://x: the engine closed" in ended.err)


# ---- the file that describes what was built


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images have digests, and records that say nothing."""
    facts = SimpleNamespace(id="sha256:1", repo_digests=("r/x@sha256:d",))
    monkeypatch.setattr(images, "demand", lambda *_: facts)
    monkeypatch.setattr(records, "of_image", lambda *_, **__: records.Records("{}", "{}"))


@pytest.mark.usefixtures("described")
def test_what_was_built_is_described(run_cli: RunCli, write: Write, calls: Calls) -> None:
    for name in "ab":
        write("profile: 1", f"{name}.yaml")
    assert run_cli("build", "b.yaml", "a.yaml", "--metadata-file", "m.json").code == 0
    described = json.loads(Path("m.json").read_text("utf-8"))
    assert described["version"] == 1
    assert described["engine"]["version"] == "28.5.2"
    assert [one["profile"] for one in described["builds"]] == ["b", "a"]
    assert described["builds"][0]["digests"] == ["r/x@sha256:d"]
    assert Path("a.cdx.json").read_text("utf-8") == Path("b.provenance.json").read_text("utf-8")


@pytest.mark.usefixtures("described")
def test_what_was_built_is_said_where_it_cannot_be_described(
    run_cli: RunCli, write: Write, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_image(*_: object, **__: object) -> records.Records:
        Path("m.json").mkdir()  # since it was checked
        return records.Records("{}", "{}")

    monkeypatch.setattr(records, "of_image", of_image)
    write("profile: 1", "a.yaml")
    ended = run_cli("build", "a.yaml", "--metadata-file", "m.json")
    assert (ended.code, ended.out) == (1, "sha256:1 imagekit/a:latest\n")
    # The records are there and stay.
    place = Path.cwd()
    assert told(ended.err)[-3:] == [
        f"wrote {place}/a.cdx.json",
        f"wrote {place}/a.provenance.json",
        f"{place}/m.json: cannot be written: Is a directory",
    ]


def test_nothing_is_described_unless_all_is_there(
    run_cli: RunCli, write: Write, calls: Calls
) -> None:
    for name in ("bad", "good"):
        write("profile: 1", f"{name}.yaml")
    assert run_cli("build", "good.yaml", "bad.yaml", "--metadata-file", "m.json").code == 1
    assert not Path("m.json").exists()


# ---- locks and pushes


TINI = Row("tini", "0.19.0-1", "amd64", ("0" * 64,))


def lock_of(plan: Plan) -> Lock:
    base = LockedBase("debian:12-slim", "", ("sha256:" + "1" * 64,))
    return Lock(plan.profile, plan.digest, plan_keys(plan), base, (TINI,), (), (), ())


def test_a_lock_is_written_beside_the_profile_and_holds_the_next_build(
    run_cli: RunCli, write: Write, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "record", lambda _engine, plan, *_: lock_of(plan))
    frozen: list[Lock] = []

    def freeze_to(_engine: object, _plan: Plan, lock: Lock, *_: object) -> Frozen:
        frozen.append(lock)
        return Frozen(Base("locked", "sha256:3"), ())

    monkeypatch.setattr(freeze, "freeze", freeze_to)
    monkeypatch.setattr(freeze, "prove", lambda *_: None)
    write("profile: 1", "lab/a.yaml")
    ended = run_cli("build", "lab/a.yaml", "--lock")
    assert (ended.code, told(ended.err)[-1]) == (0, "wrote lab/a.lock")
    assert run_cli("build", "lab/a.yaml", "--frozen").code == 0
    assert [lock.profile for lock in frozen] == ["a"]
    assert calls[1].options.frozen == Frozen(Base("locked", "sha256:3"), ())
    # The same profile with something else in it is another plan.
    write("profile: 1\npackages: {apt: [tree]}", "lab/a.yaml")
    stale = run_cli("build", "lab/a.yaml", "--frozen")
    assert (stale.code, len(calls)) == (2, 2)
    assert "changed: apt" in stale.err


def test_locks_that_cannot_be_written_are_said_before_anything_is_built(
    run_cli: RunCli, write: Write, recorder: Any
) -> None:
    for name in "ab":
        write("profile: 1", f"{name}.yaml")
        Path(f"{name}.lock").mkdir()
    ended = run_cli("build", "a.yaml", "b.yaml", "--lock")
    assert (ended.code, ended.out, recorder.callers) == (2, "", 0)
    assert ended.err == (
        "a.lock: is a folder\n  hint: --lock writes a file beside the profile\n"
        "b.lock: is a folder\n  hint: --lock writes a file beside the profile\n"
    )


def test_pushed_names_go_to_stdout_even_when_another_failed(
    run_cli: RunCli, write: Write, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def push(_engine: object, _facts: object, wanted: Any, *_: object) -> Iterator[Pushed]:
        for target in wanted:
            if target.repository == "r.test/away":
                raise NetworkError(Message("r.test/away", "no such host"))
            yield Pushed(f"{target.repository}:{target.tag}", "sha256:d", sent=True)

    monkeypatch.setattr(finish, "push", push)
    monkeypatch.setattr(images, "demand", lambda *_: SimpleNamespace(repo_digests=()))
    write("profile: 1", "a.yaml")
    names = ("--tag", "r.test/x:1", "--tag", "r.test/away:1")
    ended = run_cli("build", "a.yaml", *names, "--push", "--metadata-file", "m.json")
    assert ended.code == 4
    assert ended.out.splitlines()[1:] == ["r.test/x:1@sha256:d"]
    assert "r.test/away: no such host" in ended.err
    assert not Path("m.json").exists()


# ---- a look into a failure


def test_the_state_before_a_step_is_built_and_how_to_look_into_it_said(
    run_cli: RunCli, write: Write, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[Cut, Options]] = []

    def build_cut(_engine: object, part: Cut, job: Job) -> str:
        built.append((part, job.options))
        return "sha256:9"

    monkeypatch.setattr(build, "build_cut", build_cut)
    write("profile: 1", "a.yaml")
    ended = run_cli("build", "a.yaml", "--before", "image 2/6")
    assert (ended.code, ended.out) == (0, "sha256:9 imagekit/a:before-image-2\n")
    assert ended.err == (
        "to look into it: docker run --rm -it --entrypoint bash imagekit/a:before-image-2\n"
    )
    assert [part.tag for part, _ in built] == ["imagekit/a:before-image-2"]
    assert calls == []
