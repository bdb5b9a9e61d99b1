"""The container of a pytest session: started once, asked by tests and checks, removed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from imagekit.checks import registry, runner, ssh
from imagekit.checks.candidate import entered, find
from imagekit.checks.check import CheckFailedError, CheckSkippedError, asking
from imagekit.checks.health import PROBE_SECONDS
from imagekit.checks.redact import redactor_of
from imagekit.checks.report import Result
from imagekit.checks.selection import Wish
from imagekit.checks.ssh import Output
from imagekit.checks.sshd import LOG, session
from imagekit.checks.stage import Stage
from imagekit.checks.subject import EXECUTE_SECONDS, Subject
from imagekit.container import Secrets
from imagekit.engine.connection import connect
from imagekit.errors import ImagekitError, InputError, Message
from imagekit.events import ignore
from imagekit.plan.model import Plan
from imagekit.wait import Deadline

_SSH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a session was told to test.

    Attributes:
        image: reference or id.
        wish: what is said of the image beside what it says of itself.
        gpus: see ``runner.Options``.
        engine: its address; empty for the usual one.
    """

    image: str
    wish: Wish
    gpus: str = ""
    engine: str = ""


class Trial:
    """The container from its first use to the end of the session, and the checks' results."""

    def __init__(self, wanted: Wanted, together: Collection[str]) -> None:
        """Note what to test; nothing is started.

        Args:
            wanted: the image.
            together: names of checks that are asked side by side when the first one is.
        """
        self.together = frozenset(together)
        self._wanted = wanted
        self._opened = ExitStack()
        self._container: ImagekitContainer | None = None
        self._refused = ""

    def start(self) -> ImagekitContainer:
        """The container, started where it is not yet.

        Fails the test that asks where there is none to be had, and every later one.
        """
        if self._container is None and not self._refused:
            try:
                self._container = self._started()
            except ImagekitError as error:
                self._refused = str(error)
        # Outside of the handler: pytest would show the error with all that led to it.
        if self._container is None:
            pytest.fail(self._refused, pytrace=False)
        return self._container

    def _started(self) -> ImagekitContainer:
        wanted = self._wanted
        engine = connect(wanted.engine)
        self._opened.callback(engine.close)
        candidate = find(engine, wanted.image, wanted.wish)
        gpus = runner.gpus_for(runner.Options(gpus=wanted.gpus), candidate.plan)
        opened = entered(engine, candidate, gpus, PROBE_SECONDS)
        both = self._opened.enter_context(opened)
        return ImagekitContainer(wanted.image, *both)

    def result(self, check: str) -> Result:
        """What came of a check, asked beside all others of ``together`` where it is one."""
        return self.start().ask(check, self.together)

    def close(self) -> None:
        """Remove the container, if there is one."""
        self._opened.close()


class ImagekitContainer:
    """A running container of the image under test, for the tests of a lab.

    Attributes:
        image: the reference that was asked for.
        plan: what the image promises.
        secrets: the passwords that the container was given.
    """

    def __init__(self, image: str, stage: Stage, subject: Subject) -> None:
        self.image = image
        self.plan: Plan = subject.plan
        self.secrets: Secrets = subject.secrets
        self._stage = stage
        self._subject = subject
        self._redactor = redactor_of(subject)
        self._results: dict[str, Result] = {}
        self._broken: ImagekitError | None = None

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = EXECUTE_SECONDS
    ) -> Output:
        """Run a command in the container, as ``docker exec`` does.

        Args:
            argv: the command and its arguments; no shell is involved.
            user: an account; empty for the person's.
            timeout: seconds.

        Raises:
            TimeoutError: it did not end in time.
            OSError: the engine did not run it.
        """
        return Output(*self._stage.execute(argv, user or self.plan.user.name, timeout))

    def ssh(self, command: str, timeout: float = _SSH_SECONDS) -> Output:
        """What ``ssh host command`` gives, logged in with a key as the person.

        It waits for the service. The test fails where there is no login or no answer in
        ``timeout`` seconds, and is skipped where the image has no ssh service.
        """
        deadline = Deadline.after(timeout)
        skipped = failed = ""
        try:
            with session(self._now(), deadline) as transport, asking(f"`{command}` over ssh", LOG):
                return ssh.run(transport, command, deadline)
        except CheckSkippedError as error:
            skipped = error.reason
        except CheckFailedError as error:
            failed = self._redactor.text(str(error))
        if skipped:
            pytest.skip(skipped)
        pytest.fail(failed, pytrace=False)

    def address(self, port: int) -> tuple[str, int]:
        """Host name and port that reach a port of the container now.

        Args:
            port: 22 (ssh), 80 (desktop), 8888 (Jupyter) or 5900 (VNC).

        Raises:
            ConnectionError: the image has no such service.
        """
        return self._now().address(port)

    def report(self, check: str) -> Result:
        """What came of one of imagekit's checks; asked now where it was not yet."""
        return self.ask(check, frozenset())

    def ask(self, check: str, together: frozenset[str]) -> Result:
        """The same, asked beside others.

        Raises:
            InputError: there is no such check.
            EngineError: the engine went away, now or when the others were asked.
        """
        if check not in registry.NAMES:
            hint = f"the checks are {', '.join(registry.NAMES)}"
            raise InputError(Message("", f"there is no check {check!r}", hint))
        if check not in self._results:
            if check not in together:
                self._ask(frozenset({check}))
            elif self._broken is None:
                self._ask_together(together)
            else:
                raise self._broken
        return self._results[check]

    def _ask_together(self, checks: frozenset[str]) -> None:
        """Ask what has no answer yet; once, as what broke off takes minutes to break off again."""
        try:
            self._ask(checks)
        except ImagekitError as error:
            self._broken = error
            raise

    def _ask(self, checks: frozenset[str]) -> None:
        passed = {name for name, result in self._results.items() if result.status == "passed"}
        fresh = checks - self._results.keys()
        for result in runner.ask(self._stage, self._now(), fresh, ignore, frozenset(passed)):
            self._results[result.name] = self._redactor.result(result)

    def logs(self) -> str:
        """The last lines that the container wrote, without the passwords."""
        return self._redactor.text(self._stage.logs())

    def _now(self) -> Subject:
        """The container as it is now: a restart changes its ports."""
        return replace(self._subject, addresses=self._stage.addresses())
