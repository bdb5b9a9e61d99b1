from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.framework import _MODULES, _ON_GPU, _script, check_framework
from imagekit.checks.framework import check_framework_gpu as check_gpu
from imagekit.checks.subject import Gpus
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
        gpus: Gpus | None = None,
        check: Any = check_framework,
        **changes: Any,
    ) -> Any:
        fake = ssh_server(run=lambda _, env: in_login if env.get("SHELL") == "login" else over_ssh)
        there = {"framework": Framework("pytorch", "2.10.0"), "python": PYTHON, "cuda": CUDA}
        the_subject = subject(
            ssh_at=fake.address,
            inside=fake_inside({"python": inside, "python3": inside}),
            gpus=gpus,
            the_plan=replace(plan, **{**there, **changes}),
        )
        return check(the_subject, Deadline.after(5))

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


def test_on_a_gpu(ask: Any) -> None:
    gpus = Gpus("all", missing="")
    said = (0, "imagekit:device=NVIDIA H200|total=512.0\n")
    assert ask(check=check_gpu, gpus=gpus, inside=said) == {"device": "NVIDIA H200"}
    with pytest.raises(CheckFailedError, match="a product of matrices"):
        ask(check=check_gpu, gpus=gpus, inside=(0, "imagekit:device=x|total=0.0\n"))
    with pytest.raises(CheckFailedError, match="CUDA driver version is insufficient"):
        ask(check=check_gpu, gpus=gpus, inside=(1, "CUDA driver version is insufficient"))


def test_on_a_gpu_is_skipped_without_one(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match="none was asked for"):
        ask(check=check_gpu)
    with pytest.raises(CheckSkippedError, match="no CUDA"):
        ask(check=check_gpu, cuda=None, gpus=Gpus("all", missing=""))


@pytest.mark.parametrize("name", sorted(_MODULES))
def test_scripts_are_python_of_any_age(name: str) -> None:
    assert "\n" not in _script(Framework(name, "1"))
    compile(_script(Framework(name, "1")), name, "exec")
    compile(_ON_GPU[name], name, "exec")
