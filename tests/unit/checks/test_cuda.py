import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.cuda import _SCRIPT, FOLDERS, check_cuda
from imagekit.checks.subject import Gpus
from imagekit.plan.model import Cuda, Framework
from imagekit.wait import Deadline

CUDA = Cuda("12.8", "9.10", "runtime", "wheels", "525.60.13", "5.0", "")
DEVEL = replace(CUDA, version="13.0", flavour="devel")
NVCC = "Cuda compilation tools, release 13.0, V13.0.88\n"


def said(**found: Any) -> tuple[int, str]:
    whole = {"loaded": ["libcudart.so.12"], "missing": {}, "wrong": {}, "elsewhere": [], **found}
    return (0, f"imagekit:{json.dumps(whole)}\n")


@pytest.fixture
def ask(subject: Any, fake_inside: Any, plan: Any) -> Callable[..., Any]:
    """Ask with what the libraries' script and nvcc say."""

    def run(
        libraries: tuple[int, str] | None = None,
        nvcc: tuple[int, str] = (0, NVCC),
        gpus: Gpus | None = None,
        **changes: Any,
    ) -> Any:
        answers = {"/usr/bin/python3": libraries or said(), "nvcc": nvcc}
        the_plan = replace(plan, **{"cuda": CUDA, **changes})
        the_subject = subject(inside=fake_inside(answers), the_plan=the_plan, gpus=gpus)
        return check_cuda(the_subject, Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    assert ask() == {"libraries": 1, "need_the_host": []}
    assert ask(cuda=DEVEL)["nvcc"] == "13.0"


def test_what_only_a_host_has_is_listed_and_no_failure(ask: Any) -> None:
    missing = {"libcudnn_engines.so.9": "libcuda.so.1", "libcufile_rdma.so.1": "libmlx5.so.1"}
    assert ask(said(missing=missing))["need_the_host"] == [
        "libcudnn_engines.so.9 (libcuda.so.1)",
        "libcufile_rdma.so.1 (libmlx5.so.1)",
    ]


def test_with_a_gpu_the_driver_is_no_excuse(ask: Any) -> None:
    missing = {"libcudnn_engines.so.9": "libcuda.so.1"}
    with pytest.raises(CheckFailedError, match=r"needs libcuda\.so\.1"):
        ask(said(missing=missing), gpus=Gpus("all", missing=""))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"libraries": (1, "Traceback")}, "got exit code 1 and 'Traceback'"),
        (
            {"libraries": (135, "imagekit-loads:liba.so.1\nimagekit-loads:libb.so.2\n")},
            "got exit code 135 while libb.so.2 was loaded and ''",
        ),
        ({"libraries": said(wrong={"libx.so.1": "not an ELF file"})}, "libx.so.1: not an ELF file"),
        (
            {"libraries": said(missing={"libcublas.so.12": "libcublasLt.so.12"})},
            "needs libcublasLt",
        ),
        ({"libraries": said(elsewhere=["libcudart.so.12"])}, "from elsewhere: libcudart"),
        ({"libraries": said(loaded=[])}, "CUDA's libraries; got none"),
        ({"cuda": DEVEL, "nvcc": (127, "not found")}, "nvcc of CUDA 13.0; got exit code 127"),
        ({"cuda": DEVEL, "nvcc": (0, "release 12.9, V12.9")}, "nvcc of CUDA 13.0"),
    ],
)
def test_fails(ask: Any, answers: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(**answers)


def test_a_framework_may_have_all_of_it_inside(ask: Any) -> None:
    framework = Framework("pytorch", "1.12.1")
    assert ask(said(loaded=[]), framework=framework)["libraries"] == 0


def test_skipped_without_cuda(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no CUDA"):
        ask(cuda=None)


def test_the_script_runs_where_there_is_no_cuda() -> None:
    run = [sys.executable, "-c", _SCRIPT]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert json.loads(output.splitlines()[-1].removeprefix("imagekit:"))["wrong"] == {}


def test_the_script_misses_what_a_wheel_has_brought(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    library = "nvidia/cuda_runtime/lib/libcudart.so.12"
    (site / library).parent.mkdir(parents=True)
    record = site / "nvidia_cuda_runtime_cu12-12.9.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text(f"{library},sha256=x,1\nnvidia/cuda_runtime/lib/libgone.txt,,\n")
    folders = tmp_path / "folders.conf"
    folders.write_text(f"{(site / library).parent}\n")
    script = _SCRIPT.replace(FOLDERS, str(folders))
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    found = json.loads(output.removeprefix("imagekit:"))
    assert found["wrong"] == {"libcudart.so.12": "installed, and not there"}
