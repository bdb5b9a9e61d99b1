"""Faults are told apart, and people find each of them in the docs."""

from pathlib import Path

import pytest

from imagekit.checks import gpufaults
from imagekit.checks.gpufaults import AT_START, IN_CONTAINER, IN_FRAMEWORK, Fault

PAGE = Path(__file__).parents[3] / "docs" / "features" / "cuda.md"


@pytest.mark.parametrize("fault", dict.fromkeys((*IN_CONTAINER, *AT_START, *IN_FRAMEWORK)))
def test_every_fault_is_in_the_docs(fault: Fault) -> None:
    row = f"| {fault.cause} | {fault.remedy or '—'} |"
    assert row in PAGE.read_text("utf-8")


@pytest.mark.parametrize("fault", [*IN_CONTAINER, *AT_START, *IN_FRAMEWORK])
def test_whoever_is_to_blame_is_told_what_to_do(fault: Fault) -> None:
    assert fault.cause
    assert bool(fault.remedy) != fault.absent


def test_one_gpu_that_is_not_described_is_not_all_of_them() -> None:
    fault = gpufaults.find(AT_START, "unresolvable CDI devices nvidia.com/gpu=GPU-1")
    assert fault is not None
    assert not fault.absent


def test_last_words_are_one_line() -> None:
    assert gpufaults.last_words("ab\n" * 1000).startswith("ab ab")
    assert len(gpufaults.last_words("x" * 1000)) == 300
