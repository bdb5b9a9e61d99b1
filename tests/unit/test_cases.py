"""One bad profile each, with the whole message that it is refused with.

A case is a folder below ``tests/cases`` with ``profile.yaml`` and ``expected.txt`` (what
``imagekit validate profile.yaml`` says there on stderr), and the files that it extends.
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


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_what_is_wrong_gets_its_message(
    run_cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(CASES / case)
    ended = run_cli("validate", "profile.yaml")
    assert ended.err == (CASES / case / "expected.txt").read_text("utf-8")
    assert (ended.code, ended.out) == (2, "")
