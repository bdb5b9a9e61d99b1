"""One bad profile or site each, with the whole message that it is refused with.

A case is a folder below ``tests/cases`` with ``expected.txt``, and either ``profile.yaml``
(``expected.txt`` is what ``imagekit validate profile.yaml`` says there on stderr) and the
files that it extends, or ``site.yaml`` (what ``imagekit build --site site.yaml`` says).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

CASES = Path(__file__).parent.parent / "cases"


class Ended(Protocol):
    code: int | str | None
    out: str
    err: str


class Recorder(Protocol):
    callers: int


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_what_is_wrong_gets_its_message(
    run_cli: Callable[..., Ended], recorder: Recorder, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    folder = CASES / case
    before = contents(folder)
    monkeypatch.chdir(folder)
    if (folder / "site.yaml").exists():
        ended = run_cli("build", "debian12-desktop", "--site", "site.yaml")
    else:
        ended = run_cli("validate", "profile.yaml")
    assert ended.err == (folder / "expected.txt").read_text("utf-8")
    assert (ended.code, ended.out) == (2, "")
    assert contents(folder) == before
    assert recorder.callers == 0


def test_there_is_a_message_for_every_kind_of_mistake() -> None:
    assert len([path for path in CASES.iterdir() if path.is_dir()]) >= 120
