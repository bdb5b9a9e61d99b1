"""The hand-written Dockerfile and imagekit, case by case: medians and their ratio."""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from typing import Any

from imagekit.engine.connection import Engine
from tests.bench import cases
from tests.bench.builds import Seen, Yard, yard
from tests.bench.phases import PHASES

COLD_SAME = ("cold, the same packages", 0.75)
COLD_OURS = ("cold, the same job our way", 0.5)
SIZE = ("image, MB, the same job", 0.65)
EIGHT = ("eight profiles", 0.35)
NOTHING_LIMIT = 0.3  # seconds over the engine's own

Figures = dict[str, dict[str, list[float]]]


def compare(engine: Engine, runs: int, *, changes: bool, eight: bool) -> dict[str, Any]:
    """Build everything, ``runs`` times; the eight images once.

    Returns:
        ``cases`` (seconds of both by name), ``limits``, ``phases`` of the last cold build of
        ours, ``floor`` in seconds, ``nothing`` (pairs of ours and the engine's own seconds).
    """
    figures: Figures = defaultdict(lambda: {"theirs": [], "ours": []})
    found: dict[str, Any] = {"phases": {}, "floor": [], "nothing": []}
    with yard(engine) as place:
        # Once before anything counts: what the mirror has not fetched yet, it fetches now.
        place.empty()
        _note("warm", place.theirs(cases.DOCKERFILE))
        _note("warm", place.ours(cases.OURS))
        for _ in range(runs if changes else 0):
            _theirs(place, figures)
            found["phases"] = _ours(place, figures)
            found["nothing"].append(place.again(cases.OURS))
            found["floor"].append(place.floor(cases.OURS))
        if eight:
            _eight(place, figures)
    limits = dict((COLD_SAME, COLD_OURS, SIZE, EIGHT))
    limits |= {case.name: case.limit for case in cases.changes()}
    return {"cases": dict(figures), "limits": limits, **found}


def table(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    lines = [f"{'seconds':<32}{'by hand':>9}{'ours':>9}{'ratio':>8}  limit"]
    for name, both in found["cases"].items():
        theirs, ours = (statistics.median(both[who]) for who in ("theirs", "ours"))
        limit = found["limits"][name]
        lines.append(f"{name:<32}{theirs:>9.1f}{ours:>9.1f}{ours / theirs:>8.2f}  {limit}")
    if found["nothing"]:
        over = statistics.median(ours - own for ours, own in found["nothing"])
        lines.append(f"{'nothing, over the engine, s':<32}{'':>9}{over:>9.2f}{'':>8}  0.3")
        lines.append(
            f"{'packages fetched, unpacked, s':<32}{statistics.median(found['floor']):>18.1f}"
        )
        phases = ", ".join(f"{name} {found['phases'].get(name, 0.0):.1f}" for name in PHASES)
        lines.append(f"parts of a cold build of ours, s: {phases}")
    return lines


def _theirs(place: Yard, figures: Figures) -> None:
    place.empty()
    cold = place.theirs(cases.DOCKERFILE)
    _note("by hand, cold", cold)
    for name, value in ((COLD_SAME[0], cold.seconds), (COLD_OURS[0], cold.seconds)):
        figures[name]["theirs"].append(value)
    figures[SIZE[0]]["theirs"].append(cold.size / 1e6)
    for case in cases.changes():
        seen = place.theirs(case.theirs)
        _note(f"by hand, {case.name}", seen)
        figures[case.name]["theirs"].append(seen.seconds)


def _ours(place: Yard, figures: Figures) -> dict[str, float]:
    place.empty()
    same = place.ours(cases.SAME)
    _note(COLD_SAME[0], same)
    figures[COLD_SAME[0]]["ours"].append(same.seconds)
    place.empty()
    cold = place.ours(cases.OURS)
    _note(COLD_OURS[0], cold)
    figures[COLD_OURS[0]]["ours"].append(cold.seconds)
    figures[SIZE[0]]["ours"].append(cold.size / 1e6)
    for case in cases.changes():
        seen = place.ours(case.ours)
        _note(case.name, seen)
        figures[case.name]["ours"].append(seen.seconds)
    return cold.phases


def _eight(place: Yard, figures: Figures) -> None:
    for who in ("theirs", "ours"):
        place.empty()
        total = 0.0
        for case in cases.eight():
            seen = place.theirs(case.theirs) if who == "theirs" else place.ours(case.ours)
            _note(f"{who}: {case.name}", seen)
            total += seen.seconds
        figures[EIGHT[0]][who].append(total)


def _note(what: str, seen: Seen) -> None:
    sys.stderr.write(f"{what}: {seen.seconds:.1f} s, {seen.size / 1e6:.0f} MB\n")
