"""The restart: whatever worked works again after stop and start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from imagekit.checks import ssh
from imagekit.checks.check import Check, CheckFailedError, asking
from imagekit.checks.disruption import Disturbable
from imagekit.checks.report import Result
from imagekit.checks.round import ask_all
from imagekit.checks.sshd import LOG
from imagekit.checks.subject import Subject
from imagekit.container import STATE_FOLDER
from imagekit.events import Emit, StepFinished, StepStarted
from imagekit.names import SSH_PORT
from imagekit.wait import Deadline

RESTART = "restart"

STOP_SECONDS = 10
"""docker stop's own patience: then PID 1 is killed, and what it had to save is lost."""

_KILLED = 137  # 128 + SIGKILL
_KEY_SECONDS = 60.0


def check_restart(
    stage: Disturbable,
    subject: Subject,
    checks: Sequence[Check],
    gone: Callable[[], str],
    on_event: Emit,
) -> Result:
    """Stop and start the container, and ask again.

    Args:
        stage: the container.
        subject: the same container before the restart.
        checks: what to ask after it: what passed before.
        gone: as for ``ask_all``.
        on_event: as for ``ask_all``; the step of the restart itself is ``check restart``.

    Returns:
        A result that failed when PID 1 had to be killed, when the ssh host key changed,
        or when one of the checks failed. Its data holds ``stop_seconds``,
        ``exit_code`` and, in ``checks``, the results of the second round.
    """
    begun = time.monotonic()
    on_event(StepStarted(f"check {RESTART}", RESTART))
    data: dict[str, object] = {}
    try:
        _restart(
            stage,
            subject,
            lambda again: ask_all(checks, again, gone, on_event, f"{RESTART}: "),
            data,
        )
    except CheckFailedError as error:
        reason = str(error)
    else:
        reason = ""
    seconds = time.monotonic() - begun
    on_event(StepFinished(f"check {RESTART}", seconds, cached=False, error=reason))
    return Result(RESTART, "failed" if reason else "passed", reason, seconds, data)


def _restart(
    stage: Disturbable,
    subject: Subject,
    ask: Callable[[Subject], Sequence[Result]],
    data: dict[str, object],
) -> None:
    """Do it, and put into ``data`` what was seen up to the first failure."""
    before = _host_key(subject)
    begun = time.monotonic()
    stopped = stage.stop(STOP_SECONDS)
    data["stop_seconds"] = round(time.monotonic() - begun, 3)
    data["exit_code"] = stopped.exit_code
    stage.start()
    again = replace(subject, addresses=stage.addresses())
    results = ask(again)
    data["checks"] = [result.as_dict() for result in results]
    if stopped.exit_code == _KILLED:
        raise CheckFailedError(
            f"an end within {STOP_SECONDS} s of `docker stop`",
            f"exit code {_KILLED}: it had to be killed",
            "whether PID 1 passes SIGTERM on, and which service does not end",
        )
    if failed := [result for result in results if result.status == "failed"]:
        names = ", ".join(result.name for result in failed)
        raise CheckFailedError(
            "the same answers after stop and start", f"{names} failed: {failed[0].reason}"
        )
    after = _host_key(again)
    if before != after:
        raise CheckFailedError(
            "the same ssh host key after stop and start",
            f"{after} instead of {before}",
            f"where host keys are made at start: they belong into {STATE_FOLDER}",
        )


def _host_key(subject: Subject) -> str:
    """The ssh server's fingerprint; empty for an image without one."""
    if subject.plan.sshd is None:
        return ""
    deadline = Deadline.after(_KEY_SECONDS)
    with (
        asking("the ssh server's host key", LOG),
        ssh.connect(subject.address(SSH_PORT), deadline) as transport,
    ):
        key = ssh.host_key(transport)
    return f"{key.type} {key.fingerprint}"
