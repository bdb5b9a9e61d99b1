"""Several builds at once on a real engine: what they share, and how they stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit import build, names, several
from imagekit.build import Built, Job, Options
from imagekit.context import Context, ContextFile
from imagekit.engine.connection import Engine, connect
from imagekit.events import ignore
from imagekit.plan.model import Plan
from imagekit.site import Site
from tests.docker.support import Builder, gone

# Profiles whose builds sleep, through the whole verb; arguments: the base, seconds, profiles.
SLEEPERS = """
import signal, sys
from imagekit import build, cli
from imagekit.context import Context, ContextFile

base, seconds, *profiles = sys.argv[1:]

def render(plan):
    text = f"FROM {base}\\nRUN : {plan.profile}; sleep {seconds}\\n"
    return Context((ContextFile("Dockerfile", text.encode()),))

build.render = render
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it ignored
sys.argv = ["imagekit", "build", "--progress", "plain", *profiles]
cli.main()
"""


@pytest.fixture
def plans(ssh_plan: Plan) -> list[Plan]:
    return [replace(ssh_plan, profile=f"ik-several-{letter}") for letter in "ab"]


@pytest.fixture
def tiny(
    plans: list[Plan], tiny_base: str, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plans' contexts are small and share a stage that says when it ran."""
    stage = (
        f"FROM {tiny_base} AS base\n"
        "RUN --mount=type=bind,source=build,target=/b --mount=type=secret,id=ca "
        f": {uuid.uuid4().hex}; cat /b/x /proc/sys/kernel/random/uuid > /ran; sleep 2\n"
    )

    def render(plan: Plan) -> Context:
        text = (
            f"{stage}FROM base\nRUN echo {plan.profile} > /own\n"
            f"LABEL {names.PLAN_LABEL}={plan.digest}\n"
        )
        files = (ContextFile("Dockerfile", text.encode()), ContextFile("build/x", b"x"))
        return Context((*files, ContextFile("settings", plan.profile.encode())))

    monkeypatch.setattr(build, "render", render)
    builder.tags.update(tag for plan in plans for tag in names.tags(plan))


@pytest.mark.usefixtures("tiny")
def test_builds_at_once_run_what_they_share_once(
    engine: Engine, plans: list[Plan], builder: Builder
) -> None:
    # Secrets are the place's and count for nothing.
    sites = [Site(ca_certificates=text) for text in (b"one", b"other")]
    jobs = [Job(plan, site, Options(), ignore) for plan, site in zip(plans, sites, strict=True)]
    outcomes = several.build_all(engine, connect, jobs, workers=2)
    images = [o.result.image_id for o in outcomes if isinstance(o.result, Built)]
    assert len(set(images)) == 2
    said = [builder.say(image, "cat", "/ran", "/own", user="root") for image in images]
    ran = {text.splitlines()[0] for text in said}
    assert len(ran) == 1
    assert [text.splitlines()[1] for text in said] == [plan.profile for plan in plans]


@pytest.fixture
def sleepers(tmp_path: Path, plan: Plan) -> list[str]:
    """Two profiles on a release whose base is here."""
    files = [tmp_path / f"ik-sleeper-{letter}.yaml" for letter in "ab"]
    for file in files:
        file.write_text(f"profile: 1\nbase: {{os: {plan.os.id}}}\nuser: {{name: {file.stem}}}\n")
    return list(map(str, files))


@pytest.fixture
def building(tiny_base: str, sleepers: list[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The verb while both of its builds sleep, and for how many seconds they do."""
    seconds = f"31.{uuid.uuid4().int % 10**9:09d}"
    command = [sys.executable, "-c", SLEEPERS, tiny_base, seconds, *sleepers]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as verb:
        assert verb.stderr
        waiting = {f"RUN : {Path(file).stem};" for file in sleepers}
        while waiting:
            line = verb.stderr.readline()
            assert line, "the verb ended"
            waiting -= {step for step in waiting if step in line}
        yield verb, seconds
        verb.kill()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_all_builds_stop_and_leave_nothing(
    engine: Engine, building: tuple[subprocess.Popen[str], str], how: signal.Signals
) -> None:
    verb, seconds = building
    began = time.monotonic()
    verb.send_signal(how)
    _, err = verb.communicate(timeout=30)
    assert verb.returncode == 130
    assert time.monotonic() - began < 5
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err
    assert gone(seconds)
    assert engine.client.images.list(name="imagekit/ik-sleeper-a") == []
