"""The image's HEALTHCHECK, as its engine runs it: the container turns healthy."""

from __future__ import annotations

from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.subject import Health, Inside, Subject
from imagekit.wait import Deadline, NotYetError, until

PROBE_SECONDS = 2.0
"""How often the container under test is probed: an image's own minute would be too long."""

_UP_SECONDS = 60.0
"""How long a container may take to be healthy, on a busy machine too."""

_JUPYTER_SECONDS = 120.0
"""The same with Jupyter, which reads a few hundred files first."""

LOOK_AT = "/usr/lib/imagekit/health in the container, and the container's log"


def check_health(subject: Subject, deadline: Deadline) -> Data:
    """The engine's state of the container becomes ``healthy``."""
    promised(subject)
    seconds = _JUPYTER_SECONDS if subject.plan.jupyter else _UP_SECONDS
    with asking("a container that its HEALTHCHECK finds healthy", LOOK_AT):
        health = await_status(subject.inside, "healthy", Deadline.after(deadline.timeout(seconds)))
    return {"status": health.status, "output": health.output}


def promised(subject: Subject) -> float:
    """See that there is a health check.

    Returns:
        Seconds that two of its probes may take, between 2 and 60.

    Raises:
        CheckSkippedError: the plan has none.
        CheckFailedError: the plan has one, and the container has not.
    """
    promise = subject.plan.health
    if promise is None:
        raise CheckSkippedError("the profile says healthcheck: false")
    if not subject.inside.health().status:
        raise CheckFailedError(
            "the HEALTHCHECK that the profile promises",
            "a container without one",
            "the last steps of the image's Dockerfile: `HEALTHCHECK NONE` takes it away",
        )
    return min(60.0, 2 * float(promise.timeout.removesuffix("s")))


def await_status(inside: Inside, wanted: str, deadline: Deadline, since: str = "") -> Health:
    """Wait until the engine says so.

    Args:
        inside: the container.
        wanted: ``healthy`` or ``unhealthy``.
        deadline: when to give up.
        since: ``Health.probed`` of a probe that does not count any more.

    Raises:
        TimeoutError: it did not; the text is what the last probe said.
    """

    def settled() -> Health:
        health = inside.health()
        if health.status != wanted or (since and health.probed == since):
            raise NotYetError(f"{health.status}, and the probe said {health.output!r}")
        return health

    return until(settled, deadline, pause=0.3)
