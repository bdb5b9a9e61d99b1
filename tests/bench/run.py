"""`make bench`: how soon, how large, how steady, how fast to build; a table, or JSON.

It measures and prints; a slow machine is no failure. The limits that we set stand beside.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable
from typing import Any

from imagekit import build, profile
from imagekit.engine.connection import Engine, connect
from imagekit.events import ignore
from imagekit.plan.resolve import resolve
from imagekit.site import load
from tests.bench import comparison, measure
from tests.docker.support import PROFILE

LOGIN_LIMIT, PICTURE_LIMIT = 1.5, 3.0
MEMORY_LIMIT = 260e6


def main() -> None:
    """Measure and print."""
    asked = _arguments()
    engine = connect()
    found: dict[str, Any] = {
        "engine": engine.version,
        "store": engine.store,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
    }
    if asked.only in {"all", "start"}:
        found["start"] = _start(engine, asked)
    if asked.only in {"all", "builds", "eight"}:
        found["builds"] = comparison.compare(
            engine, asked.builds, changes=asked.only != "eight", eight=asked.only != "builds"
        )
    engine.close()
    sys.stdout.write((json.dumps(found, indent=2) if asked.json else _table(found)) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only",
        choices=("all", "start", "builds", "eight"),
        default="all",
        help="start: minutes; builds: half an hour, and the engine's build cache is emptied",
    )
    parser.add_argument("--image", default="", help=f"instead of building {PROFILE}")
    parser.add_argument("--runs", type=int, default=10, help="of containers")
    parser.add_argument("--builds", type=int, default=3, help="runs of builds")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--processes", action="store_true", help="memory of each process")
    return parser.parse_args()


def _start(engine: Engine, asked: argparse.Namespace) -> dict[str, Any]:
    image = asked.image or _built(engine)
    return {
        "image": image,
        "size": engine.client.images.get(image).attrs["Size"],
        "login": _several(asked.runs, lambda: measure.seconds_to_login(engine, image)),
        "picture": _several(asked.runs, lambda: measure.seconds_to_picture(engine, image)),
        **_idle(engine, image, processes=asked.processes),
    }


def _built(engine: Engine) -> str:
    plan = resolve(profile.load(PROFILE))
    return build.build(engine, plan, load(), build.Options(), ignore).image_id


def _several(runs: int, ask: Callable[[], float]) -> list[float]:
    """Seconds of each run, sorted."""
    taken = []
    for run in range(runs):
        taken.append(round(ask(), 3))
        sys.stderr.write(f"run {run + 1} of {runs}: {taken[-1]} s\n")
    return sorted(taken)


def _idle(engine: Engine, image: str, *, processes: bool) -> dict[str, Any]:
    seen = measure.idle(engine, image)
    listed = {"processes": seen.processes} if processes else {}
    return {"memory": seen.memory, "restarted": seen.restarted, **listed}


def _table(found: dict[str, Any]) -> str:
    machine = f"{found['cores']} cores, load {found['load']:.1f}, Linux {found['kernel']}"
    lines = [f"{machine}, Docker Engine {found['engine']} ({found['store']})"]
    if start := found.get("start"):
        lines += [
            "",
            f"{'':<26}{'median':>8}{'min':>8}{'max':>8}  limit",
            _times("start to ssh login, s", start["login"], LOGIN_LIMIT),
            _times("start to the picture, s", start["picture"], PICTURE_LIMIT),
            f"{'idle memory, MB':<26}{start['memory'] / 1e6:>8.0f}{'':>16}  {MEMORY_LIMIT / 1e6:.0f}",  # noqa: E501
            f"{'image, MB':<26}{start['size'] / 1e6:>8.0f}",
            f"services that restarted: {', '.join(start['restarted']) or 'none'}",
        ]
        lines += [f"{size:>8} KiB  {name}" for size, name in start.get("processes", ())]
    if builds := found.get("builds"):
        lines += ["", *comparison.table(builds)]
    return "\n".join(lines)


def _times(what: str, seconds: list[float], limit: float) -> str:
    middle = statistics.median(seconds)
    return f"{what:<26}{middle:>8.2f}{seconds[0]:>8.2f}{seconds[-1]:>8.2f}  {limit}"


if __name__ == "__main__":
    main()
