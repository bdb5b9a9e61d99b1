"""Mutants on trial: each is built, put to the check that has to notice it, and judged."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

import docker.errors
import pytest

from imagekit import build, names, site
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.engine import buildkit
from imagekit.engine.connection import Engine
from imagekit.events import ignore
from imagekit.plan.model import Plan
from tests.docker.mutants.mutant import PLANS, Mutant, plan_of

LONGEST = 400.0
"""Seconds after which a trial counts as hung: more than any check may take."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went.

    Attributes:
        mutant: who was on trial.
        seconds: what ``imagekit test`` took, the container's start included.
        message: the check's reason.
        problem: why the mutant does not count as caught; empty when it was.
    """

    mutant: Mutant
    seconds: float
    message: str
    problem: str

    def row(self) -> str:
        """A line of a table in Markdown: mutant, check, seconds, message."""
        message = self.message.replace("|", "\\|").replace("\n", " ")
        verdict = f"NOT CAUGHT: {self.problem}" if self.problem else message
        return f"| {self.mutant.broken} | {self.mutant.check} | {self.seconds:.1f} | {verdict} |"


class Bases:
    """The images below the mutants, each built once; those made for them go in the end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._plans: dict[str, Plan] = {}

    def plan(self, base: str) -> Plan:
        """The plan of a base whose image is there from now on."""
        with self._lock:
            if base not in self._plans:
                plan = plan_of(base)
                build.build(self._engine, plan, site.load(), build.Options(), ignore)
                self._plans[base] = plan
            return self._plans[base]

    def close(self) -> None:
        """Remove what no profile owns."""
        for base in self._plans.keys() & PLANS.keys():
            for tag in names.tags(self._plans[base]):
                with suppress(docker.errors.APIError):
                    self._engine.client.images.remove(tag)


class Trials:
    """Mutants on trial, some at once; ask for one, and wait no longer than it takes.

    Args:
        engine: where they are built and run.
        mutants: who is on trial, in this order.
        at_once: how many at a time.
    """

    def __init__(self, engine: Engine, mutants: Iterable[Mutant], at_once: int) -> None:
        self._engine = engine
        self._bases = Bases(engine)
        self._pool = ThreadPoolExecutor(at_once)
        self._trials: dict[str, Future[Trial]] = {
            mutant.broken: self._pool.submit(self._try, mutant) for mutant in mutants
        }

    def __getitem__(self, mutant: Mutant) -> Trial:
        return self._trials[mutant.broken].result()

    def close(self) -> None:
        """End what runs, and leave no image behind."""
        self._pool.shutdown(cancel_futures=True)
        self._bases.close()

    def _try(self, mutant: Mutant) -> Trial:
        plan = self._bases.plan(mutant.base)
        tag = f"ik-test/mutant:{hashlib.sha256(mutant.broken.encode()).hexdigest()[:12]}"
        context = Context((ContextFile(DOCKERFILE, dockerfile(mutant, plan).encode()),))
        buildkit.build(self._engine, context, tags=[tag])
        try:
            return trial(mutant, tag)
        finally:
            self._engine.client.images.remove(tag, force=True)


def on_trial(request: pytest.FixtureRequest) -> list[Mutant]:
    """The mutants of the fixture's module whose tests were selected, in their order."""
    items = [item for item in request.session.items if item.path == request.path]
    specs = [item.callspec for item in items if hasattr(item, "callspec")]
    return [spec.params["mutant"] for spec in specs if "mutant" in spec.params]


def dockerfile(mutant: Mutant, plan: Plan) -> str:
    """The mutant's Dockerfile, on its base's image."""
    lines = [f"FROM {names.tags(plan)[1]}", mutant.lines]
    if mutant.promise:
        # As a double-quoted word of a Dockerfile, in which $ begins a variable.
        text = json.dumps(mutant.promise(plan).to_json()).replace("$", r"\$")
        lines.append(f"LABEL {names.RESOLVED_LABEL}={text}")
    return "\n".join((*lines, ""))


def trial(mutant: Mutant, image: str) -> Trial:
    """Ask the check of the mutant by the command line, as a person would."""
    command = ["test", "--image", image, "--only", mutant.check, "--json", "--progress", "plain"]
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "imagekit", *command],
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    seconds = time.monotonic() - begun
    if done.returncode not in {0, 1} or not done.stdout:
        said = done.stderr.strip()[-2000:]
        return Trial(mutant, seconds, "", f"exit code {done.returncode} and {said!r}")
    results = json.loads(done.stdout)["checks"]
    message = "; ".join(result["reason"] for result in results)
    return Trial(mutant, seconds, message, judge(mutant, done.returncode, results))


def judge(mutant: Mutant, code: int, results: list[dict[str, str]]) -> str:
    """Why a mutant was not caught by the check named for it, for its cause; or nothing."""
    found = {result["name"]: result["status"] for result in results}
    if (code, found) != (1, {mutant.check: "failed"}):
        return f"exit code {code} and {found}"
    missing = [word for word in mutant.words if word not in results[0]["reason"]]
    if missing:
        return f"no {', '.join(map(repr, missing))} in {results[0]['reason']!r}"
    return ""
