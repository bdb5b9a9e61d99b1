"""The restart: whatever worked works again after stop and start, and after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from imagekit.checks import ssh
from imagekit.checks.check import Check, CheckFailedError, asking
from imagekit.checks.disruption import Disturbable, judge, observe
from imagekit.checks.report import Result
from imagekit.checks.round import ask_all
from imagekit.checks.sshd import LOG
from imagekit.checks.subject import Subject
from imagekit.container import STATE_FOLDER
from imagekit.errors import EngineError
from imagekit.events import Emit
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
    """Stop and start the container, ask again, kill and start it, and ask once more.

    Args:
        stage: the container.
        subject: the same container before the restart.
        checks: what to ask after it: what passed before.
        gone: as for ``ask_all``.
        on_event: as for ``ask_all``; the step of the restart itself is ``check restart``.

    Returns:
        A result that failed when PID 1 had to be killed to stop, when the ssh host key
        changed, or when one of the checks failed; the reason says after which of the two.
        Its data holds, as far as it came, ``stop_seconds``, ``exit_code`` (of the stop),
        the results after stop and start in ``checks``, ``kill_exit_code``, the results
        after kill and start in ``checks_after_kill``, and what these attached.
    """

    def restart(data: dict[str, object]) -> None:
        key = _host_key(subject)

        def again(after: str, prefix: str, results: str) -> None:
            now = replace(subject, addresses=stage.addresses())
            judge(ask_all(checks, now, gone, on_event, prefix), after, data, results)
            _compare(after, key, now)

        begun = time.monotonic()
        code = stage.stop(STOP_SECONDS).exit_code
        data["stop_seconds"] = round(time.monotonic() - begun, 3)
        data["exit_code"] = code
        if code == _KILLED:
            raise CheckFailedError(
                f"an end within {STOP_SECONDS} s of `docker stop`",
                f"exit code {_KILLED}: it had to be killed",
                "whether PID 1 passes SIGTERM on, and which service does not end",
            )
        _start(stage, "stop")
        again("stop and start", f"{RESTART}: ", "checks")
        data["kill_exit_code"] = stage.kill().exit_code
        _start(stage, "kill")
        again("kill and start", f"{RESTART} after a kill: ", "checks_after_kill")

    return observe(RESTART, on_event, restart)


def _start(stage: Disturbable, after: str) -> None:
    try:
        stage.start()
    except EngineError as error:
        raise CheckFailedError(
            f"a start of the same container after its {after}",
            error.messages[0].what,
            "the image's entrypoint",
        ) from error


def _compare(after: str, key: str, subject: Subject) -> None:
    """The host key has to be as it was.

    Raises:
        CheckFailedError: it is not.
    """
    if key != (now := _host_key(subject)):
        raise CheckFailedError(
            f"the same ssh host key after {after}",
            f"{now} instead of {key}",
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
