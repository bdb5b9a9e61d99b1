"""The services: each of them runs, and goes on running."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline, NotYetError, until

# What supervisord says: name, state, and with RUNNING `pid 31, uptime 0:00:05`
# (http://supervisord.org/running.html#supervisorctl-actions; states: subprocess.html).
_ASK = ("/usr/bin/supervisorctl", "--configuration", "/run/imagekit/supervisord.conf", "status")
_ROW = re.compile(r"^(\S+) +(STARTING|RUNNING|BACKOFF|STOPPING|STOPPED|EXITED|FATAL) *(.*)$", re.M)
_RUNNING = re.compile(r"pid (\d+), uptime (?:.*days?, )?(\d+):(\d\d):(\d\d)")

_STEADY = 6
"""Seconds after which a service counts as one that stays: a session that fails takes four
until it has, on a busy machine."""

_MOST_STARTS = 3
"""As often as supervisord itself tries before it gives a service up (startretries)."""

_LOOK_AT = "the container's log, lines of supervisord and of the service"


@dataclass(slots=True)
class _Watch:
    """What was seen of one service: its state, its age in seconds, and all its processes."""

    state: str = ""
    age: int = 0
    pids: set[str] = field(default_factory=set)

    def see(self, state: str, said: str) -> None:
        """Take in a row of the list."""
        self.state, self.age = f"{state} {said}".strip(), 0
        if state == "RUNNING" and (found := _RUNNING.match(said)):
            pid, hours, minutes, seconds = found.groups()
            self.age = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
            self.age = max(self.age, _STEADY) if "day" in said else self.age
            self.pids.add(pid)


def check_services(subject: Subject, deadline: Deadline) -> Data:
    """All services run for a few seconds without a new start; none is started over and over."""
    seen: dict[str, _Watch] = {}

    def attempt() -> None:
        _, text = subject.inside.execute(_ASK, user="root", timeout=deadline.timeout())
        rows = _ROW.findall(text)
        if not rows:
            raise NotYetError(f"{text.strip()[-300:]!r} from supervisorctl")
        for name, state, said in rows:
            watch = seen.setdefault(name, _Watch())
            watch.see(state, said)
            if state == "FATAL" or len(watch.pids) > _MOST_STARTS:
                raise CheckFailedError(
                    f"a service {name} that stays",
                    f"{watch.state}, after {len(watch.pids)} starts that were seen",
                    _LOOK_AT,
                )
        young = [f"{name}: {watch.state}" for name, watch in seen.items() if watch.age < _STEADY]
        if young:
            raise NotYetError("; ".join(young))

    with asking(f"services that run for {_STEADY} s", _LOOK_AT):
        until(attempt, deadline, pause=0.7)
    return {"services": sorted(seen)}
