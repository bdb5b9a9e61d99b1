from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.framework import _MODULES, _script, check_framework
from imagekit.plan.model import Cuda, Framework, Python
from imagekit.wait import Deadline

PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), ("torch==2.10.0",), "cu128", (), (), ())
CUDA = Cuda("12.8", "9.10", "runtime", "wheels", "525.60.13", "5.0", "")
LINE = "warning: noise\nimagekit:version=2.10.0+cu128|cuda=12.8|prefix=/opt/venv\n"


@pytest.fixture
def ask(ssh_server: Any, subject: Any, fake_inside: Any, plan: Any) -> Callable[..., Any]:
    """Ask with what Python says inside, over ssh, and in a login shell."""

    def run(
        inside: tuple[int, str] = (0, LINE),
        over_ssh: tuple[int, str] = (0, LINE),
        in_login: tuple[int, str] = (0, LINE),
        **changes: Any,
    ) -> Any:
        fake = ssh_server(run=lambda _, env: in_login if env.get("SHELL") == "login" else over_ssh)
        there = {"framework": Framework("pytorch", "2.10.0"), "python": PYTHON, "cuda": CUDA}
        the_subject = subject(
            ssh_at=fake.address,
            inside=fake_inside({"python": inside, "python3": inside}),
            the_plan=replace(plan, **{**there, **changes}),
        )
        return check_framework(the_subject, Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    found = {"version": "2.10.0+cu128", "cuda": "12.8", "prefix": "/opt/venv"}
    assert ask() == {"framework": "pytorch", **found}
    assert ask(sshd=None)["version"] == "2.10.0+cu128"


def test_passes_in_the_python_of_an_image(ask: Any) -> None:
    assert ask(python=None, sshd=None)["framework"] == "pytorch"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"inside": (1, "ModuleNotFoundError: torch")}, "in the container; got exit code 1"),
        ({"inside": (0, "")}, "in the container; got exit code 0"),
        ({"inside": (0, LINE.replace("2.10.0", "2.9.1"))}, r"2.10.0 in the container; got '2.9"),
        ({"inside": (0, LINE.replace("/opt/venv", "/usr"))}, "the Python of /opt/venv"),
        ({"inside": (0, LINE.replace("cuda=12.8", "cuda=12.6"))}, "built for CUDA 12.8; got 12.6"),
        ({"over_ssh": (127, "python: not found")}, "over ssh; got exit code 127"),
        ({"over_ssh": (0, LINE.replace("/opt/venv", "/usr"))}, "/opt/venv over ssh; got '/usr'"),
        ({"in_login": (0, LINE.replace("+cu128", ""))}, "the same in a login shell"),
    ],
)
def test_fails(ask: Any, answers: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(**answers)


def test_skipped_without_a_framework(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no framework"):
        ask(framework=None)


@pytest.mark.parametrize("name", sorted(_MODULES))
def test_scripts_are_python_of_any_age(name: str) -> None:
    assert "\n" not in _script(Framework(name, "1"))
    compile(_script(Framework(name, "1")), name, "exec")
