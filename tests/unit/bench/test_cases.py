"""What the bench builds by imagekit can be had where the hand-written one can."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit import profile
from imagekit.plan.resolve import resolve
from tests.bench import cases

OURS = (
    cases.OURS,
    cases.SAME,
    *(case.ours for case in cases.changes()),
    *(case.ours for case in cases.eight()),
)


@pytest.mark.parametrize("text", OURS, ids=range(len(OURS)))
def test_pythons_are_the_base_s_own_as_by_hand(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text(text, "utf-8")
    plan = resolve(profile.load(str(file)))
    assert plan.python is not None
    assert (plan.python.version, plan.python.source) == ("3.11", "os")
