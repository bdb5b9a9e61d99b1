import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.conda import check_conda
from imagekit.wait import Deadline

INFO = {
    "conda_version": "25.9.1",
    "root_prefix": "/opt/conda",
    "envs_dirs": ["/home/lab/.conda/envs", "/opt/conda/envs"],
    "pkgs_dirs": ["/home/lab/.conda/pkgs"],
    "channels": ["https://mirror.example.edu/anaconda/cloud/conda-forge/linux-64"],
}


def said(**changes: Any) -> tuple[int, str]:
    return (0, json.dumps({**INFO, **changes}))


@pytest.fixture
def ask(ssh_server: Any, subject: Any, fake_inside: Any, plan: Any) -> Callable[..., Any]:
    """Ask with what conda says inside and over ssh."""

    def run(
        inside: tuple[int, str] | None = None,
        over_ssh: tuple[int, str] | None = None,
        **changes: Any,
    ) -> Any:
        fake = ssh_server(run=lambda *_: over_ssh or said())
        the_subject = subject(
            ssh_at=fake.address,
            inside=fake_inside({"env": inside or said()}),
            the_plan=replace(plan, **{"conda": True, **changes}),
        )
        return check_conda(the_subject, Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    found = ask()
    assert (found["conda"], found["root_prefix"]) == ("25.9.1", "/opt/conda")
    assert ask(sshd=None) == found


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"inside": (127, "conda: not found")}, "in the container; got exit code 127"),
        ({"inside": (0, "{}")}, "in the container; got exit code 0"),
        ({"inside": said(envs_dirs=["/opt/conda/envs"])}, "envs_dirs below /home/lab"),
        ({"inside": said(pkgs_dirs=[])}, "pkgs_dirs below /home/lab"),
        ({"over_ssh": (127, "conda: not found")}, "over ssh; got exit code 127"),
        ({"over_ssh": said(root_prefix="/usr")}, "the same conda over ssh"),
    ],
)
def test_fails(ask: Any, answers: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(**answers)


def test_skipped_without_conda(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no conda"):
        ask(conda=False)
