from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.mirrors import check_mirrors
from imagekit.wait import Deadline

MIRROR = "https://mirror.example.edu"
APT = f"'{MIRROR}/debian/dists/bookworm/InRelease' name 0\n"
MOZILLA = "'{}/apt/dists/mozilla/InRelease' name 0\n"
CUDA = "'https://nvidia.example/compute/x86_64/InRelease' name 0\n"


@pytest.fixture
def ask(subject: Any, fake_inside: Any, plan: Any) -> Callable[..., Any]:
    """Ask about one mirror with what its tool says."""

    def run(kind: str, url: str, answer: tuple[int, str]) -> Any:
        inside = fake_inside(dict.fromkeys(("apt-get", "sh", "cat"), answer))
        the_plan = replace(plan, mirrors=((kind, url),) if kind else ())
        return check_mirrors(subject(inside=inside, the_plan=the_plan), Deadline.after(5))

    return run


@pytest.mark.parametrize(
    ("kind", "url", "text"),
    [
        ("apt", MIRROR, APT + CUDA),
        ("apt", f"{MIRROR}/", APT),
        ("mozilla", f"{MIRROR}/mozilla/apt", APT + MOZILLA.format(f"{MIRROR}/mozilla")),
        ("pypi", f"{MIRROR}/simple", f'{MIRROR}/simple\n[[index]]\nurl = "{MIRROR}/simple"\n'),
        ("npm", MIRROR, f"{MIRROR}/\n"),
        ("conda", f"{MIRROR}/anaconda", f"channel_alias: {MIRROR}/anaconda/cloud\n"),
    ],
)
def test_passes(ask: Any, kind: str, url: str, text: str) -> None:
    assert ask(kind, url, (0, text)) == {kind: url}


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("apt", (0, "")),
        ("apt", (0, APT + APT.replace("mirror", "other"))),
        ("apt", (100, APT)),
        ("mozilla", (0, CUDA)),
        ("mozilla", (0, MOZILLA.format("https://packages.mozilla.org"))),
        ("pypi", (0, "https://other.example/simple\n")),
        ("pypi", (0, f"{MIRROR}\n[[index]]\nurl = 'https://other.example/simple'\n")),
        ("npm", (1, "no such file")),
    ],
)
def test_fails(ask: Any, kind: str, answer: tuple[int, str]) -> None:
    with pytest.raises(CheckFailedError, match=f"from {kind}; got exit code"):
        ask(kind, MIRROR, answer)


def test_skipped_without_mirrors(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match="keeps no mirrors"):
        ask("", "", (0, ""))
