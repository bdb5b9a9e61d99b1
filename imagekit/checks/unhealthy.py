"""The image's HEALTHCHECK notices a service that hangs; and one that is killed comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imagekit.checks.answer import PYTHON
from imagekit.checks.check import Check, CheckFailedError, CheckSkippedError, afterwards, asking
from imagekit.checks.disruption import Disturbable, judge, observe
from imagekit.checks.health import LOOK_AT, await_status, promised
from imagekit.checks.report import Result
from imagekit.checks.round import ask_all
from imagekit.checks.subject import Subject
from imagekit.events import Emit
from imagekit.names import JUPYTER_PORT, SSH_PORT, WEB_PORT
from imagekit.plan.model import Plan
from imagekit.wait import Deadline, NotYetError, until

UNHEALTHY = "unhealthy"

_NOTICE_SECONDS = 60.0
"""For the engine to notice, on a busy machine; the time of two probes comes on top."""

_BACK_SECONDS = 120.0
"""The same for a service that starts again."""

# Signals the processes that listen on a port or on a unix socket, and all below them, as far
# as the account may see whose socket it is (proc(5): /proc/PID/fd, /proc/net/tcp and unix),
# and prints their numbers. Signal 0 only finds them. As Python 3.6 knows it, Ubuntu 18.04's.
_SIGNAL = """
import os, sys
number, where = int(sys.argv[1]), sys.argv[2]
inodes = set()
def lines(name):
    try:
        with open("/proc/net/" + name) as table:
            return [line.split() for line in table][1:]
    except OSError:  # no IPv6
        return []
if where.startswith("/"):
    inodes.update(w[6] for w in lines("unix") if w[-1] == where and w[3] == "00010000")
else:
    port = ":%04X" % int(where)
    for words in lines("tcp") + lines("tcp6"):
        if words[1].endswith(port) and words[3] == "0A":
            inodes.add(words[9])
parents, holders = {}, set()
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open("/proc/%s/stat" % pid) as stat:
            parents[pid] = stat.read().rpartition(")")[2].split()[1]
        for fd in os.listdir("/proc/%s/fd" % pid):
            link = os.readlink("/proc/%s/fd/%s" % (pid, fd))
            if link.startswith("socket:[") and link[8:-1] in inodes:
                holders.add(pid)
    except OSError:  # it ended meanwhile, or is somebody else's
        continue
for pid in sorted(parents, key=int):
    above = pid
    while above in parents and above not in holders:
        above = parents[above]
    if above in holders:
        try:
            os.kill(int(pid), number)
        except OSError:
            continue
        print(pid)
"""
_FIND, _KILL, _CONTINUE, _FREEZE = 0, 9, 18, 19  # signal(7), x86 and ARM


@dataclass(frozen=True, slots=True)
class Service:
    """Something that the plan promises and that its health depends on.

    Attributes:
        name: how people know it.
        socket: where its process listens: a TCP port, or a unix socket's path.
    """

    name: str
    socket: str


def services(plan: Plan) -> tuple[Service, ...]:
    """What has to run for the container to be healthy."""
    named = [
        (Service("the ssh server", str(SSH_PORT)), plan.sshd is not None),
        (Service("the desktop's page", str(WEB_PORT)), plan.desktop is not None),
        (Service("the X server", "/tmp/.X11-unix/X1"), plan.desktop is not None),  # noqa: S108
        (Service("Jupyter", str(JUPYTER_PORT)), plan.jupyter),
    ]
    return tuple(service for service, there in named if there)


def check_unhealthy(
    _stage: Disturbable,
    subject: Subject,
    checks: Sequence[Check],
    gone: Callable[[], str],
    on_event: Emit,
) -> Result:
    """Freeze each service in turn; then kill all at once, and ask again.

    Returns:
        A result that failed when the container stayed healthy with a frozen service, when
        it did not become healthy again with all of them awake, when a killed service did
        not come back, or when a check failed that passed before. Its data holds ``noticed``
        (seconds from the freeze to ``unhealthy``, by service), ``back_seconds`` and, in
        ``checks``, the results after the kill, beside what these attached. Skipped without a
        health check.
    """

    def disturb(data: dict[str, object]) -> None:
        if subject.foreign is not None:
            raise CheckSkippedError("which processes belong to its services is the image's own")
        probes = promised(subject)
        noticed: dict[str, float] = {}
        data["noticed"] = noticed
        for service in services(subject.plan):
            noticed[service.name] = _freeze(subject, service, probes)
        data["back_seconds"] = _kill(subject, probes)
        answers = ask_all(checks, subject, gone, on_event, f"{UNHEALTHY}: ")
        judge(answers, "its services were killed", data, "checks")

    return observe(UNHEALTHY, on_event, disturb)


def _freeze(subject: Subject, service: Service, probes: float) -> float:
    """Seconds until the container was unhealthy with a frozen service; it is awake again.

    ``probes`` is how long two probes may take.

    Raises:
        CheckFailedError: it stayed healthy, or did not become healthy again.
    """
    with asking("a healthy container to begin with", LOOK_AT):
        await_status(subject.inside, "healthy", Deadline.after(_BACK_SECONDS + probes))
    begun = time.monotonic()
    with afterwards(lambda: _signal(subject, service, _CONTINUE)):
        if not _signal(subject, service, _FREEZE):
            raise CheckFailedError(
                f"the process of {service.name}",
                f"none that listens on {service.socket}",
                "the container's log",
            )
        with asking(f"an unhealthy container while {service.name} hangs", LOOK_AT):
            deadline = Deadline.after(_NOTICE_SECONDS + probes)
            await_status(subject.inside, "unhealthy", deadline)
        seconds = time.monotonic() - begun
    with asking(f"a healthy container when {service.name} is awake again", LOOK_AT):
        await_status(subject.inside, "healthy", Deadline.after(_BACK_SECONDS + probes))
    return round(seconds, 3)


def _kill(subject: Subject, probes: float) -> float:
    """Seconds until all services, killed at once, listened again in a healthy container.

    Raises:
        CheckFailedError: one did not.
    """
    begun = time.monotonic()
    deadline = Deadline.after(_BACK_SECONDS + probes)
    killed = {service: _signal(subject, service, _KILL) for service in services(subject.plan)}
    for service, before in killed.items():

        def back(service: Service = service, before: frozenset[int] = before) -> None:
            now = _signal(subject, service, _FIND) - before
            if not now:
                raise NotYetError(f"nobody else listens on {service.socket}")

        with asking(f"{service.name}, started again after it was killed", "the container's log"):
            until(back, deadline, pause=0.3)
    with asking("a healthy container after its services were killed", LOOK_AT):
        seen = subject.inside.health().probed
        await_status(subject.inside, "healthy", deadline, since=seen)
    return round(time.monotonic() - begun, 3)


def _signal(subject: Subject, service: Service, number: int) -> frozenset[int]:
    """Signal a service's processes; which ones."""
    found: set[int] = set()
    # root may signal all, but without CAP_SYS_PTRACE it does not see what others' sockets are.
    for user in ("root", subject.plan.user.name):
        argv = (PYTHON, "-c", _SIGNAL, str(number), service.socket)
        with asking(f"a signal to {service.name}"):
            code, text = subject.inside.execute(argv, user=user)
        if code:
            raise CheckFailedError(f"a signal to {service.name}", f"{code}: {text[-300:].strip()}")
        found |= {int(line) for line in text.splitlines() if line.isdecimal()}
    return frozenset(found)
