from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.gpu import check_gpu
from imagekit.checks.subject import Gpus
from imagekit.wait import Deadline

ROW = "GPU-11, NVIDIA H200, 570.86.15\n"


@pytest.fixture
def ask(ssh_server: Any, subject: Any, fake_inside: Any, plan: Any) -> Callable[..., Any]:
    """Ask with what nvidia-smi gives inside and over ssh."""

    def run(
        inside: tuple[int, str] = (0, ROW),
        over_ssh: tuple[int, str] = (0, ROW),
        gpus: Gpus | None = None,
        **changes: Any,
    ) -> Any:
        fake = ssh_server(run=lambda *_: over_ssh)
        the_subject = subject(
            ssh_at=fake.address,
            inside=fake_inside({"nvidia-smi": inside}),
            gpus=gpus or Gpus("all", missing=""),
            the_plan=replace(plan, **changes),
        )
        return check_gpu(the_subject, Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    gpu = {"uuid": "GPU-11", "name": "NVIDIA H200", "driver": "570.86.15"}
    assert ask() == {"gpus": [gpu]}
    assert ask(gpus=Gpus("GPU-11", missing=""), sshd=None) == {"gpus": [gpu]}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"inside": (127, "nvidia-smi: not found")}, "in the container; got exit code 127"),
        ({"inside": (0, "")}, "in the container; got exit code 0"),
        ({"inside": (0, "No devices were found\n")}, "No devices"),
        ({"over_ssh": (127, "bash: nvidia-smi: command not found")}, "over ssh; got exit code 127"),
        ({"over_ssh": (0, ROW * 2)}, "the same GPUs over ssh"),
        ({"gpus": Gpus("GPU-22", missing="")}, "the GPUs GPU-22"),
    ],
)
def test_fails(ask: Any, answers: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(**answers)


@pytest.mark.parametrize("gpus", [Gpus(), Gpus("all", missing="the engine has none")])
def test_skipped_with_the_reason(ask: Any, gpus: Gpus) -> None:
    with pytest.raises(CheckSkippedError) as caught:
        ask(gpus=gpus)
    assert caught.value.reason == gpus.missing
