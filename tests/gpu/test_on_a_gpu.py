"""What only a real GPU can show, on a host that has one; no container is involved.

The questions are those that the checks ask inside an image: nvidia-smi's answer, and a product
of matrices and a convolution by each framework that the host's Python has.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from imagekit import profile
from imagekit.catalogue import hardware
from imagekit.checks.framework_gpu import check_framework_gpu
from imagekit.checks.gpu import check_gpu
from imagekit.checks.subject import Gpus, Subject
from imagekit.commands import fits
from imagekit.container import Secrets
from imagekit.plan.model import Framework, Plan
from imagekit.plan.resolve import resolve
from imagekit.wait import Deadline
from tests.required import missing

SECONDS = 300.0


class Host:
    """This machine in the place of a container."""

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = SECONDS
    ) -> tuple[int, str]:
        assert user
        command = [sys.executable if argv[0] == "python" else argv[0], *argv[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        return done.returncode, done.stdout + done.stderr

    def logs(self) -> str:
        return ""


@pytest.fixture(scope="module", autouse=True)
def _gpu() -> None:
    if shutil.which("nvidia-smi") is None:
        missing("gpu", "no nvidia-smi on this host")


@pytest.fixture
def plan() -> Plan:
    return replace(resolve(profile.load("cuda12-torch-ssh")), sshd=None)


def subject(plan: Plan) -> Subject:
    return Subject(plan, {}, Secrets("", ""), None, Host(), Gpus("all", missing=""))  # type: ignore[arg-type]


def test_the_driver_says_what_there_is() -> None:
    (found,) = hardware.host()
    assert found.cc
    assert found.driver
    assert hardware.given(found.gpu, found.driver) == (found,), "the catalogue knows this model"


def test_profiles_fit_or_say_why_not(plan: Plan) -> None:
    there = hardware.host()
    assert fits.misfits(plan, there) == ()
    old = resolve(profile.load("cuda10-tf-desktop"))
    if hardware.host()[0].cc >= "8.0":
        (message,) = fits.refusal(old, there)
        assert message.hint.startswith("what works there: profile")


def test_nvidia_smi_lists_the_gpus(plan: Plan) -> None:
    data: Mapping[str, Any] = check_gpu(subject(plan), Deadline.after(SECONDS))
    told = {(gpu["name"], gpu["compute_capability"], gpu["driver"]) for gpu in data["gpus"]}
    assert told == {(one.gpu, one.cc, one.driver) for one in hardware.host()}
    assert "simulated" not in data


@pytest.mark.parametrize(
    ("name", "module"), [("pytorch", "torch"), ("jax", "jax"), ("tensorflow", "tensorflow")]
)
def test_a_framework_computes_on_each_gpu(plan: Plan, name: str, module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"this host's Python has no {module}")
    asked = subject(replace(plan, framework=Framework(name, "0")))
    data: Mapping[str, Any] = check_framework_gpu(asked, Deadline.after(SECONDS))
    assert len(data["devices"]) == len(check_gpu(asked, Deadline.after(SECONDS))["gpus"])  # type: ignore[arg-type]
