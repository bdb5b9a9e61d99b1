"""GPUs as nvidia-smi tells of them, in every kind of session, against what was asked for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.gpu import check_gpu
from imagekit.checks.subject import Gpus
from imagekit.plan.model import Cuda, Framework, Python
from imagekit.wait import Deadline

ALL = Gpus("all", missing="")
CUDA = Cuda("12.8", "9.10", "runtime", "wheels", "525.60.13", "5.0", "12.0")
PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), (), "", ("jupyterlab",), (), ())
T4 = "GPU 0: Tesla T4 (UUID: GPU-11)\n"
TWO = f"{T4}GPU 1: NVIDIA H200 (UUID: GPU-22)\n"
MIG = (
    "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-33)\n"
    "  MIG 1g.5gb      Device  0: (UUID: MIG-aa)\n"
    "  MIG 3g.20gb     Device  1: (UUID: MIG-GPU-33/1/0)\n"
)
ROW = ["GPU-11", "570.86.15", "7.5"]
ROWS = [ROW, ["GPU-22", "570.86.15", "9.0"], ["GPU-33", "570.86.15", "8.0"]]
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\n"


def known(code: int = 0, text: str = T4, **changes: Any) -> tuple[int, str]:
    """What the script with all questions prints."""
    seen = {"code": code, "text": text, "rows": ROWS, "driver": True, "wsl": False}
    return 0, "noise\nimagekit:" + json.dumps({**seen, "compat": False, **changes}) + "\nbye\n"


def listed(text: str = T4, code: int = 0) -> str:
    """What the probe of a session prints."""
    return f"Welcome!\r\nprobe-begin {json.dumps([code, text])} probe-end\r\n$ "


class Inside:
    def __init__(self, facts: tuple[int, str] | Exception, desktop: str) -> None:
        self.facts, self.desktop = facts, desktop
        self.asked: list[str] = []

    def execute(self, argv: Sequence[str], user: str = "", timeout: float = 1) -> tuple[int, str]:
        assert (argv[0], user, timeout > 0) == ("/usr/bin/python3", "lab", True)
        if len(argv) > 3:
            self.asked.append(argv[3])
            return 0, self.desktop
        if isinstance(self.facts, Exception):
            raise self.facts
        return self.facts

    def logs(self) -> str:
        return ""


@pytest.fixture
def ask(ssh_server: Any, jupyter_server: Any, subject: Any, plan: Any) -> Callable[..., Any]:
    """Ask with what is said where; everywhere else it is ``text``."""

    def run(
        facts: tuple[int, str] | Exception | None = None,
        gpus: Gpus = ALL,
        text: str = T4,
        sessions: dict[str, str] | None = None,
        **changes: Any,
    ) -> Any:
        said = {**dict.fromkeys(("command", "login", "desktop", "kernel"), listed(text))}
        said |= sessions or {}

        def answer(_script: str, env: dict[str, str]) -> tuple[int, str]:
            return 0, said["login" if "SHELL" in env else "command"]

        inside = Inside(known(text=text) if facts is None else facts, said["desktop"])
        there = {"desktop": None, "cuda": CUDA, "python": PYTHON}
        the_plan = replace(plan, **{**there, **changes})
        made = subject(
            ssh_at=ssh_server(run=answer).address,
            jupyter_at=jupyter_server(text=said["kernel"]),
            inside=inside,
            gpus=gpus,
            the_plan=the_plan,
        )
        return check_gpu(made, Deadline.after(5))

    return run


def alone(**changes: Any) -> dict[str, Any]:
    """A plan without other ways in."""
    return {"sshd": None, **changes}


def test_the_same_everywhere(ask: Any, plan: Any) -> None:
    data = ask(text=TWO, desktop=plan.desktop, jupyter=True)
    assert data == {
        "gpus": [
            {
                "uuid": "GPU-11",
                "name": "Tesla T4",
                "driver": "570.86.15",
                "compute_capability": "7.5",
            },
            {
                "uuid": "GPU-22",
                "name": "NVIDIA H200",
                "driver": "570.86.15",
                "compute_capability": "9.0",
            },
        ],
        "mig": [],
        "sessions": [
            "in docker exec",
            "in a command over ssh",
            "in a login shell over ssh",
            "in a terminal of the desktop",
            "in a Jupyter kernel",
        ],
        "notes": [],
    }


@pytest.mark.parametrize(
    ("way", "where"),
    [
        ("command", "in a command over ssh"),
        ("login", "in a login shell over ssh"),
        ("desktop", "in a terminal of the desktop"),
        ("kernel", "in a Jupyter kernel"),
    ],
)
def test_a_session_that_differs_fails(ask: Any, plan: Any, way: str, where: str) -> None:
    there = {"text": TWO, "desktop": plan.desktop, "jupyter": True}
    with pytest.raises(CheckFailedError) as failed:
        ask(sessions={way: listed(T4)}, **there)
    assert failed.value.asked == f"the same GPUs {where} as in docker exec, GPU-11, GPU-22"
    assert failed.value.got == "GPU-11"
    with pytest.raises(CheckFailedError, match="a list of GPUs by nvidia-smi") as failed:
        ask(sessions={way: listed("nvidia-smi: not found on PATH /usr/bin", 127)}, **there)
    assert where in failed.value.asked
    assert "nothing put them there" in failed.value.got
    assert failed.value.data == {}


def test_a_session_that_does_not_answer_fails(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="nvidia-smi in a login shell over ssh; got 'bye'"):
        ask(sessions={"login": "bye"})


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("nvidia-smi: not found on PATH /bin", 127, "utility must be among them"),
        (MISMATCH, 18, "still runs the old driver's module; look at the host: reboot it"),
        ("Failed to initialize NVML: Unknown Error\n", 255, "native.cgroupdriver=cgroupfs"),
        ("Unable to determine the device handle for GPU0: Unknown Error\n", 255, "Xid"),
        (f"{T4}Unable to determine the device handle for GPU1: Unknown Error\n", 0, "Xid"),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9, "mod"),
        ("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.", 12, "ldconfig -p"),
        ("Failed to initialize NVML: Insufficient Permissions", 4, "NVreg_DeviceFileMode"),
        ("Failed to initialize NVML: GPU access blocked by the operating system", 17, "wsl"),
        ("No devices were found\n", 6, "did not start"),
        ("", 0, "exit code 0 and ''; look at the NVIDIA Container Toolkit"),
        ("hm", 3, "exit code 3 and 'hm'; look at the NVIDIA Container Toolkit"),
    ],
)
def test_what_nvidia_smi_says_is_explained(ask: Any, text: str, code: int, message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(facts=known(code, text))
    assert failed.value.asked == "a list of GPUs by nvidia-smi in docker exec"
    assert message in str(failed.value)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ((0, "imagekit:{\n"), "exit code 0 and 'imagekit:{'"),
        ((1, "python3: not found"), "exit code 1 and 'python3: not found'"),
        ((0, ""), "exit code 0 and ''"),
        (TimeoutError("python3 did not end in 3 s"), "did not end"),
    ],
)
def test_an_answer_that_does_not_come_fails(ask: Any, facts: Any, message: str) -> None:
    with pytest.raises(CheckFailedError, match="a list of GPUs by nvidia-smi") as failed:
        ask(facts=facts)
    assert message in failed.value.got


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("GPU-22,gpu-11", TWO),
        ("GPU-11", T4),
        ("0,1", TWO),
        ("MIG-aa,MIG-GPU-33/1/0", MIG),
        ("GPU-33", MIG),
        ("MIG-aa", MIG.rpartition("  MIG")[0]),
        ("0", MIG),
    ],
)
def test_what_was_asked_for_is_there(ask: Any, asked: str, text: str) -> None:
    assert ask(gpus=Gpus(asked, missing=""), text=text, **alone())["gpus"]


@pytest.mark.parametrize(
    ("gpus", "text", "message"),
    [
        (Gpus("GPU-22", missing=""), T4, "the GPUs GPU-22; got no GPU-22; GPU-11, which nobody"),
        (Gpus("GPU-11", missing=""), TWO, "got GPU-22, which nobody asked for"),
        (Gpus("MIG-aa", missing=""), MIG, "got MIG-GPU-33/1/0, which nobody asked for"),
        (Gpus("MIG-bb", missing=""), T4, "got no MIG-bb; GPU-11, which"),
        (Gpus("0,1,2", missing=""), TWO, "got 2 of 3"),
        (Gpus("all", missing="", on_host=4), TWO, "all GPUs; got 2 of the 4 GPUs that the host"),
    ],
)
def test_other_gpus_than_asked_for_fail(ask: Any, gpus: Gpus, text: str, message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(gpus=gpus, text=text, **alone())


def test_mig_devices_are_told(ask: Any) -> None:
    data = ask(text=MIG, **alone())
    assert [gpu["uuid"] for gpu in data["gpus"]] == ["GPU-33"]
    assert data["mig"] == [
        {"uuid": "MIG-aa", "name": "1g.5gb", "gpu": "GPU-33"},
        {"uuid": "MIG-GPU-33/1/0", "name": "3g.20gb", "gpu": "GPU-33"},
    ]


def test_an_old_driver_fails_with_what_is_needed(ask: Any) -> None:
    rows = [["GPU-11", "470.256.02", "7.5"]]
    with pytest.raises(CheckFailedError) as failed:
        ask(facts=known(rows=rows), framework=Framework("pytorch", "2.10.0"), **alone())
    assert failed.value.asked == "hardware that runs PyTorch 2.10.0"
    assert "driver 470.256.02 is older than 525.60.13, the oldest for CUDA 12.8 (source: " in (
        failed.value.got
    )
    assert failed.value.look_at == (
        "the host: its administrator installs NVIDIA's driver 525.60.13 or newer and reboots it; "
        "or `imagekit list --gpu 7.5 --driver 470.256.02`, which marks the profiles that run there"
    )


def test_an_old_driver_with_libraries_of_the_image_is_noted(ask: Any) -> None:
    data = ask(facts=known(rows=[["GPU-11", "470.256.02", "7.5"]], compat=True), **alone())
    assert data["notes"] == [
        "driver 470.256.02 is old, and the image brings newer libraries for it"
    ]


@pytest.mark.parametrize(
    ("cc", "message"),
    [
        ("3.7", "CUDA 12.8 no longer supports Kepler GPUs"),
        ("13.0", "has code up to compute capability 12.0"),
    ],
)
def test_a_gpu_that_the_plan_has_no_code_for_fails(ask: Any, cc: str, message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(facts=known(rows=[["GPU-11", "570.86.15", cc]]), **alone())
    assert message in failed.value.got
    assert failed.value.look_at.startswith(f"`imagekit list --gpu {cc} --driver 570.86.15`")


def test_a_driver_that_lists_a_gpu_has_not_given_it_up(ask: Any) -> None:
    """The catalogue says that R580 is the last branch for it; the driver knows better."""
    text = "GPU 0: Tesla P100 (UUID: GPU-44)\n"
    rows = [["GPU-44", "595.10", "6.0"]]
    assert ask(facts=known(text=text, rows=rows), **alone())["gpus"][0]["driver"] == "595.10"


@pytest.mark.parametrize(
    ("rows", "text", "notes"),
    [
        (
            [["GPU-11", "570.86.15"]],
            T4,
            ["GPU-11: its compute capability is the catalogue's for Tesla T4"],
        ),
        (
            [["GPU-11", "[N/A]", "[N/A]"]],
            T4.replace("Tesla T4", "NVIDIA Z1"),
            [
                "GPU-11: nvidia-smi tells no driver version ('[N/A]')",
                "GPU-11: its compute capability is not known ('[N/A]')",
            ],
        ),
        (
            [],
            T4,
            [
                "GPU-11: nvidia-smi tells no driver version ('')",
                "GPU-11: its compute capability is the catalogue's for Tesla T4",
            ],
        ),
    ],
)
def test_what_is_not_told_is_noted(ask: Any, rows: Any, text: str, notes: list[str]) -> None:
    assert ask(facts=known(text=text, rows=rows), **alone())["notes"] == notes


def test_without_cuda_in_the_plan_hardware_is_not_judged(ask: Any) -> None:
    rows = [["GPU-11", "390.157", "2.1"]]
    assert ask(facts=known(rows=rows), cuda=None, **alone())["notes"] == []


def test_a_simulation_is_labelled(ask: Any) -> None:
    why = "nvidia-smi answers, but the kernel has no NVIDIA driver"
    assert why in ask(facts=known(driver=False), **alone())["simulated"]
    assert "simulated" not in ask(facts=known(driver=False, wsl=True), **alone())
    with pytest.raises(CheckFailedError) as failed:
        ask(facts=known(18, MISMATCH, driver=False), **alone())
    assert why in str(failed.value.data["simulated"])
    with pytest.raises(CheckFailedError) as failed:
        ask(facts=known(driver=False), sessions={"command": listed(TWO)})
    assert why in str(failed.value.data["simulated"])


@pytest.mark.parametrize(
    ("code", "text"),
    [(127, "nvidia-smi: not found on PATH"), (9, "couldn't communicate with the NVIDIA driver")],
)
def test_a_missing_driver_is_no_simulation(ask: Any, code: int, text: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(facts=known(code, text, driver=False), **alone())
    assert failed.value.data == {}


@pytest.mark.parametrize("gpus", [Gpus(), Gpus("all", missing="the engine has none")])
def test_skipped_with_the_reason(ask: Any, gpus: Gpus) -> None:
    with pytest.raises(CheckSkippedError) as caught:
        ask(gpus=gpus)
    assert caught.value.reason == gpus.missing


def test_gpus_that_the_host_does_not_give_fail(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="all GPUs; got a cause; look at the host"):
        ask(gpus=Gpus("all", "a cause", "the host"))
