"""`make bench`: how soon, how large, how steady; a table, or JSON with ``--json``.

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
from tests.bench import measure, tutorial
from tests.docker.support import PROFILE

LOGIN_LIMIT, PICTURE_LIMIT = 1.5, 3.0
MEMORY_LIMIT = 260e6


def main() -> None:
    """Measure and print."""
    asked = _arguments()
    engine = connect()
    image = asked.image or _built(engine)
    found = {
        "engine": engine.version,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
        "image": image,
        "size": engine.client.images.get(image).attrs["Size"],
        "login": _several(asked.runs, lambda: measure.seconds_to_login(engine, image)),
        "picture": _several(asked.runs, lambda: measure.seconds_to_picture(engine, image)),
        **_idle(engine, image, processes=asked.processes),
    }
    if asked.tutorial:
        found["tutorial"] = _compare(engine, asked.runs)
    engine.close()
    sys.stdout.write((json.dumps(found, indent=2) if asked.json else _table(found)) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--image", default="", help=f"instead of building {PROFILE}")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--processes", action="store_true", help="memory of each process")
    parser.add_argument(
        "--tutorial", action="store_true", help="build it by hand and by imagekit: minutes"
    )
    return parser.parse_args()


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


def _compare(engine: Engine, runs: int) -> dict[str, Any]:
    """Both without a cache, one after the other, so that the network is the same."""
    theirs, mine = tutorial.theirs(engine), tutorial.ours(engine)
    return {
        "theirs": {
            "seconds": round(theirs.seconds, 1),
            "size": theirs.size,
            "login": _several(runs, lambda: tutorial.seconds_to_their_login(engine, theirs.image)),
        },
        "ours": {
            "seconds": round(mine.seconds, 1),
            "size": mine.size,
            "login": _several(runs, lambda: measure.seconds_to_login(engine, mine.image)),
            "picture": _several(runs, lambda: measure.seconds_to_picture(engine, mine.image)),
        },
    }


def _table(found: dict[str, Any]) -> str:
    machine = f"{found['cores']} cores, load {found['load']:.1f}, Linux {found['kernel']}"
    lines = [
        f"{machine}, Docker Engine {found['engine']}",
        f"{'':<26}{'median':>8}{'min':>8}{'max':>8}  limit",
        _times("start to ssh login, s", found["login"], LOGIN_LIMIT),
        _times("start to the picture, s", found["picture"], PICTURE_LIMIT),
        f"{'idle memory, MB':<26}{found['memory'] / 1e6:>8.0f}{'':>16}  {MEMORY_LIMIT / 1e6:.0f}",
        f"{'image, MB':<26}{found['size'] / 1e6:>8.0f}",
        f"services that restarted: {', '.join(found['restarted']) or 'none'}",
    ]
    lines += [f"{size:>8} KiB  {name}" for size, name in found.get("processes", ())]
    if compared := found.get("tutorial"):
        lines += ["", f"{'the tutorial':<26}{'theirs':>8}{'ours':>8}  ours/theirs"]
        for what, form, key in (("build, s", ".0f", "seconds"), ("image, MB", ".0f", "size")):
            scale = 1e6 if key == "size" else 1
            theirs, mine = (compared[who][key] / scale for who in ("theirs", "ours"))
            lines.append(f"{what:<26}{theirs:>8{form}}{mine:>8{form}}  {mine / theirs:.2f}")
        theirs, mine = (statistics.median(compared[who]["login"]) for who in ("theirs", "ours"))
        lines.append(
            f"{'start to ssh login, s':<26}{theirs:>8.2f}{mine:>8.2f}  {mine / theirs:.2f}"
        )
        picture = statistics.median(compared["ours"]["picture"])
        lines.append(f"{'start to the picture, s':<26}{'never':>8}{picture:>8.2f}")
    return "\n".join(lines)


def _times(what: str, seconds: list[float], limit: float) -> str:
    middle = statistics.median(seconds)
    return f"{what:<26}{middle:>8.2f}{seconds[0]:>8.2f}{seconds[-1]:>8.2f}  {limit}"


if __name__ == "__main__":
    main()
