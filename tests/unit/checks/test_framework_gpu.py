"""The framework on GPUs, from what its program prints and what nvidia-smi lists."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.framework_gpu import check_framework_gpu
from imagekit.checks.subject import Gpus
from imagekit.plan.model import Cuda, Framework, Python
from imagekit.wait import Deadline

PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), ("torch==2.10.0",), "cu128", (), (), ())
CUDA = Cuda("12.8", "9.10", "runtime", "wheels", "525.60.13", "7.5", "12.0")
ALL = Gpus("all", missing="")
ARCHITECTURES = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_120"]
ONE = "GPU 0: Tesla T4 (UUID: GPU-11)\n"
TWO = f"{ONE}GPU 1: NVIDIA H200 (UUID: GPU-22)\n"
MIG = (
    "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-33)\n"
    "  MIG 1g.5gb      Device  0: (UUID: MIG-aa)\n"
    "  MIG 1g.5gb      Device  1: (UUID: MIG-bb)\n"
)
ROWS = [["GPU-11", "570.86.15", "7.5"], ["GPU-22", "570.86.15", "9.0"]]


def device(number: int = 0, **changes: Any) -> dict[str, Any]:
    right = {"error": "", "product": 0.0, "convolution": 0.001, "seconds": 1.5}
    return {"device": f"cuda:{number}", "name": "Tesla T4", **right, **changes}


def printed(*devices: dict[str, Any], architectures: Sequence[str] = ARCHITECTURES) -> str:
    said = {"version": "2.10.0+cu128", "architectures": architectures, "devices": devices}
    return f"noise\nimagekit:{json.dumps(said)}\n"


class Inside:
    def __init__(self, computed: tuple[int, str] | Exception, facts: dict[str, Any]) -> None:
        self.computed, self.facts = computed, facts

    def execute(self, argv: Sequence[str], user: str = "", timeout: float = 1) -> tuple[int, str]:
        assert (user, timeout > 0) == ("lab", True)
        if argv[0] == "/usr/bin/python3":
            return 0, "imagekit:" + json.dumps(self.facts)
        assert (argv[0], argv[3:]) == ("python", ("pytorch",))
        if isinstance(self.computed, Exception):
            raise self.computed
        return self.computed

    def logs(self) -> str:
        return ""


@pytest.fixture
def ask(subject: Any, plan: Any) -> Callable[..., Any]:
    """Ask with what the framework's program gives, in a container with these GPUs."""

    def run(
        computed: tuple[int, str] | Exception | str = "",
        text: str = ONE,
        gpus: Gpus = ALL,
        rows: Any = ROWS,
        driver: bool = True,
        **changes: Any,
    ) -> Any:
        facts = {"code": 0, "text": text, "rows": rows, "driver": driver, "wsl": False}
        there = {"framework": Framework("pytorch", "2.10.0"), "python": PYTHON, "cuda": CUDA}
        made = subject(
            inside=Inside(
                (0, computed or printed(device())) if isinstance(computed, str) else computed,
                {**facts, "compat": False},
            ),
            gpus=gpus,
            the_plan=replace(plan, **{**there, **changes}),
        )
        return check_framework_gpu(made, Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    assert ask() == {
        "devices": [{"device": "cuda:0", "name": "Tesla T4", "seconds": 1.5}],
        "version": "2.10.0+cu128",
        "architectures": ARCHITECTURES,
        "notes": [],
    }
    assert len(ask(printed(device(), device(1)), TWO)["devices"]) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_of_mig_devices_a_process_may_see_one_alone(ask: Any, count: int) -> None:
    devices = [device(number) for number in range(count)]
    assert len(ask(printed(*devices), MIG)["devices"]) == count


@pytest.mark.parametrize(
    ("devices", "text", "got"),
    [
        ((), ONE, "0 of 1 devices (none)"),
        ((device(),), TWO, "1 of 2 devices (cuda:0)"),
        ((device(), device(1)), ONE, "2 of 1 devices (cuda:0, cuda:1)"),
        ((), MIG, "0 of 2 devices (none)"),
    ],
)
def test_more_or_fewer_devices_than_given_fail(ask: Any, devices: Any, text: str, got: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(printed(*devices), text)
    assert failed.value.got == got


def test_why_the_framework_sees_none_is_quoted(ask: Any) -> None:
    warning = "W0000 Cannot dlopen some GPU libraries. Please make sure the missing libraries"
    with pytest.raises(CheckFailedError) as failed:
        ask(f"hello\n{warning}\n{printed()}")
    assert failed.value.got == (
        f"0 of 1 devices (none); {warning}: the framework does not find all of CUDA's libraries"
    )
    assert failed.value.look_at.startswith("the check cuda")


@pytest.mark.parametrize(
    ("computed", "message"),
    [
        ((1, "ModuleNotFoundError: torch"), "exit code 1 and 'ModuleNotFoundError: torch'; look"),
        ((0, "nothing"), "exit code 0 and 'nothing'"),
        (
            (1, "The NVIDIA driver on your system is too old (found version 11040)"),
            "the host's driver is older than this CUDA needs; look at the check gpu",
        ),
        (TimeoutError("python did not end in 300 s"), "translated by the driver, once, for min"),
        (printed(device(product=0.5)), "got cuda:0: a wrong product of matrices; look at"),
        (printed(device(convolution=0.5)), "cuda:0: a wrong convolution"),
        (
            printed(device(error="RuntimeError: all CUDA-capable devices are busy or unavailable")),
            "a GPU is in exclusive mode",
        ),
        (printed(device(error="OutOfMemoryError: CUDA out of memory.")), "is full of what other"),
        (printed(device(error="Error 802: system not yet initialized")), "fabric manager"),
        (printed(device(error="RuntimeError: CUDA unknown error - this may be")), "nvidia-uvm"),
    ],
)
def test_what_goes_wrong_is_explained(ask: Any, computed: Any, message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(computed)
    assert failed.value.asked == "pytorch 2.10.0 on the GPU"
    assert message in str(failed.value)


def test_a_gpu_that_the_wheel_has_no_code_for_is_named(ask: Any) -> None:
    error = "RuntimeError: CUDA error: no kernel image is available for execution on the device"
    with pytest.raises(CheckFailedError) as failed:
        ask(printed(device(error=error)), rows=[["GPU-11", "570.86.15", "6.0"]])
    assert failed.value.got == (
        f"cuda:0: {error}; pytorch 2.10.0+cu128 was built for sm_75, sm_80, sm_86, sm_90, sm_120, "
        "and Tesla T4 has compute capability 6.0: the framework's wheel has no code for this GPU"
    )


@pytest.mark.parametrize(
    ("changes", "notes"),
    [
        ({"cc_min": "5.0"}, ["the plan says from compute capability 5.0 on, and the framework"]),
        ({"cc_max": "13.0"}, ["the plan says up to compute capability 13.0, and the framework"]),
        ({"cc_min": "", "cc_max": ""}, []),
    ],
)
def test_a_plan_that_promises_more_than_the_wheel_is_noted(
    ask: Any, changes: dict[str, str], notes: list[str]
) -> None:
    found = ask(cuda=replace(CUDA, **changes))["notes"]
    assert len(found) == len(notes)
    assert all(map(str.startswith, found, notes))


def test_a_framework_that_does_not_tell_its_architectures_is_believed(ask: Any) -> None:
    for told in ((), ("gfx90a",)):
        data = ask(printed(device(), architectures=told), rows=[["GPU-11", "570.86.15", "6.0"]])
        assert data["notes"] == []


def test_a_simulation_is_labelled(ask: Any) -> None:
    assert "no NVIDIA driver" in ask(driver=False)["simulated"]
    with pytest.raises(CheckFailedError) as failed:
        ask(printed(), driver=False)
    assert "no NVIDIA driver" in str(failed.value.data["simulated"])


def test_skipped_or_failed_without_a_gpu(ask: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no GPU was asked for"):
        ask(gpus=Gpus())
    with pytest.raises(CheckSkippedError, match="no CUDA"):
        ask(cuda=None)
    with pytest.raises(CheckSkippedError, match="no framework"):
        ask(framework=None)
    with pytest.raises(CheckFailedError, match="got why; look at the host"):
        ask(gpus=Gpus("all", "why", "the host"))
