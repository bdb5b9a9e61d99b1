from collections.abc import Sequence

import pytest

from imagekit.checks.architectures import covers, lowest

TENSORFLOW = ("sm_60", "sm_70", "sm_80", "sm_89", "compute_90")
PYTORCH = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")


@pytest.mark.parametrize(
    ("built_for", "cc", "runs"),
    [
        (TENSORFLOW, "6.1", True),
        (TENSORFLOW, "7.5", True),
        (TENSORFLOW, "5.2", False),
        (TENSORFLOW, "12.0", True),  # PTX
        (PYTORCH, "7.0", False),
        (PYTORCH, "8.9", True),
        (PYTORCH, "10.3", True),
        (PYTORCH, "13.0", False),
        (("sm_90a",), "9.0", True),
        (("sm_90a",), "9.1", False),
        (("sm_100f",), "10.3", True),
        (("sm_100f",), "11.0", False),
        (("compute_100f",), "12.0", False),
        (("gfx90a", "7.5"), "7.5", False),
        ((), "7.5", False),
    ],
)
def test_covers(built_for: Sequence[str], cc: str, runs: bool) -> None:
    assert covers(built_for, cc) is runs


def test_lowest() -> None:
    assert lowest(("sm_100", "sm_90", "compute_75")) == "7.5"
    assert lowest(("gfx90a",)) == ""
