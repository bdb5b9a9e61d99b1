"""The checks as pytest's items: ``imagekit::debian12-desktop::sshd``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from imagekit.checks import registry
from imagekit.checks.runner import Options, select
from imagekit.checks.selection import choose
from imagekit.container import check_gpus
from imagekit.errors import ImagekitError
from imagekit.pytest_plugin.container import Trial, Wanted

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

    from imagekit.checks.report import Result

_TOP = "imagekit"


class Checks:
    """The plugin of a session that tests an image."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._profile = str(config.getoption("imagekit_profile"))
        self._image = str(config.getoption("imagekit_image"))
        self.trial = self._trial()
        # Called when pytest ends, after success, failure and Ctrl-C.
        config.add_cleanup(self.trial.close)

    def pytest_report_header(self) -> str:
        """Say what is tested."""
        return f"imagekit: {', '.join(filter(None, (self._profile, self._image)))}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Add the checks in front, and what disturbs the container after all other tests."""
        own = Image.from_parent(
            _Top.from_parent(session, name=_TOP, nodeid=_TOP),
            name=self._profile or self._image,
            names=select(Options(full=bool(self._config.getoption("imagekit_full")))),
            trial=self.trial,
        )
        disruptions = {disruption.name for disruption in registry.DISRUPTIONS}
        made = list(session.genitems(own))
        first = [item for item in made if item.name not in disruptions]
        items[:] = [*first, *items, *(item for item in made if item.name in disruptions)]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Settle what is asked side by side: what was not deselected.

        A worker of pytest-xdist is handed some of it only, and asks one by one.
        """
        if hasattr(self._config, "workerinput"):
            return
        disruptions = {disruption.name for disruption in registry.DISRUPTIONS}
        chosen = {item.name for item in session.items if isinstance(item, CheckItem)}
        self.trial.together = frozenset(chosen - disruptions)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A check's own time, not that of the round, in which the first one waits for all."""
        report = yield
        if isinstance(item, CheckItem) and item.result is not None and call.when == "call":
            report.duration = item.result.seconds
        return report

    def _trial(self) -> Trial:
        option = self._config.getoption
        try:
            gpus = check_gpus(str(option("imagekit_gpus")))
            image, wish = choose(self._profile, self._image, (), (), option("imagekit_with"))
        except ImagekitError as error:
            raise pytest.UsageError(str(error)) from error
        return Trial(Wanted(image, wish, gpus, str(option("imagekit_engine"))), ())


class _Top(pytest.Collector):
    """What all items of imagekit are below."""

    def collect(self) -> Iterator[pytest.Item]:
        """Nothing: ``Checks`` adds the items."""
        return iter(())


class Image(pytest.Collector):
    """An image under test."""

    def __init__(self, *, names: frozenset[str], trial: Trial, **others: Any) -> None:
        super().__init__(**others)
        self._names = names
        self._trial = trial

    def collect(self) -> Iterator[CheckItem]:
        """An item for each check, in the registry's order."""
        for name in registry.NAMES:
            if name in self._names:
                yield CheckItem.from_parent(self, name=name, trial=self._trial)


class CheckItem(pytest.Item):
    """One check.

    Attributes:
        result: what came of it; None before.
    """

    def __init__(self, *, trial: Trial, **others: Any) -> None:
        super().__init__(**others)
        self.add_marker(pytest.mark.imagekit)
        self.result: Result | None = None
        self._trial = trial

    def runtest(self) -> None:
        """Pass, fail with the check's message alone, or be skipped with its reason."""
        self.result = result = self._trial.result(self.name)
        if result.status == "skipped":
            pytest.skip(result.reason)
        if result.status == "failed":
            # The check's own words come first, wherever the log went.
            with suppress(ImagekitError):
                self.add_report_section("call", "container log", self._trial.start().logs())
            pytest.fail(result.reason, pytrace=False)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> str | TerminalRepr:
        """What the engine met, without a traceback."""
        if isinstance(excinfo.value, ImagekitError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it stands in reports: in no file."""
        return self.path / _TOP, None, self.nodeid
