"""The checks of GPUs on a real engine with simulated ones: a stub in the place of NVIDIA's hook.

What is shown here is that GPUs are asked for, seen and judged in real containers, and what is
said when they are not as they should be. It says nothing about CUDA.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from imagekit.checks import ssh
from imagekit.checks.check import CheckFailedError
from imagekit.checks.gpu import check_gpu
from imagekit.checks.report import Result
from imagekit.checks.runner import Options, run_checks
from imagekit.checks.stage import Stage, loopback_or_all, staged
from imagekit.checks.subject import Subject
from imagekit.container import (
    SECRETS_FOLDER,
    STATE_FOLDER,
    ContainerSpec,
    Mount,
    Port,
    generate_secrets,
)
from imagekit.engine.connection import Engine
from imagekit.names import RESOLVED_LABEL, SSH_PORT
from imagekit.plan.model import Cuda, Plan
from imagekit.wait import Deadline
from tests.docker.box import read_plan
from tests.docker.simulated.host import (
    A100,
    OTHER_SLICE,
    OTHER_T4,
    SLICE,
    T4,
    GpuHost,
    gpu,
    gpu_host,
    tesla,
)
from tests.docker.support import Builder

# The engine is one of the test's own on whichever other one: once is enough.
pytestmark = pytest.mark.image

CUDA = Cuda("12.8", "9.10", "runtime", "wheels", "525.60.13", "5.0", "")
SSH_IMAGE = "ik-gpu:ssh"
DESKTOP_IMAGE = "ik-gpu:desktop"

Source: TypeAlias = tuple[str, Plan]


@pytest.fixture(scope="module")
def sources(builder: Builder, image: str, ssh_plan: Plan, plan: Plan) -> dict[str, Source]:
    """Images of the usual engine, by the names that they get in the other one."""
    if builder.engine.store == "containerd":
        pytest.skip("an engine of 20.10 does not load what the containerd store saves")
    small = builder.image(replace(ssh_plan, profile="ik-gpu"))
    return {SSH_IMAGE: (small, ssh_plan), DESKTOP_IMAGE: (image, plan)}


@pytest.fixture(scope="module")
def host(
    engine: Engine, sources: dict[str, Source], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GpuHost]:
    """The engine with simulated GPUs; by their plans, its images have CUDA."""
    with gpu_host(tmp_path_factory.mktemp("stubs")) as host:
        for name, (source, its_plan) in sources.items():
            host.engine.client.api.load_image(engine.client.api.get_image(source))
            _say_that_it_has_cuda(host.engine, source, its_plan, name)
        yield host


def _say_that_it_has_cuda(engine: Engine, source: str, plan: Plan, name: str) -> None:
    resolved = replace(plan, profile="ik-gpu", cuda=CUDA).to_json()
    api = engine.client.api
    container = api.create_container(source)["Id"]
    repository, _, tag = name.partition(":")
    labels = {RESOLVED_LABEL: resolved}
    environment = ["NVIDIA_DRIVER_CAPABILITIES=compute,utility"]
    api.commit(container, repository, tag, conf={"Labels": labels, "Env": environment})
    api.remove_container(container, v=True)


def ask(host: GpuHost, image: str = SSH_IMAGE, **options: Any) -> dict[str, Result]:
    report = run_checks(host.engine, image, Options(**{"only": ("gpu",), **options}))
    return {result.name: result for result in report.results}


def seen(result: Result) -> Mapping[str, Any]:
    assert result.status == "passed", result.reason
    assert "no NVIDIA driver" in str(result.data["simulated"])
    return result.data


def test_all_gpus_are_given_and_seen_over_ssh(host: GpuHost) -> None:
    host.has(tesla(T4), tesla(OTHER_T4))
    data = seen(ask(host)["gpu"])
    assert data["gpus"] == [
        {"uuid": uuid, "name": "Tesla T4", "driver": "570.86.15", "compute_capability": "7.5"}
        for uuid in (T4, OTHER_T4)
    ]
    assert data["sessions"] == [
        "in docker exec",
        "in a command over ssh",
        "in a login shell over ssh",
    ]
    assert data["notes"] == []


def test_one_gpu_is_given_by_its_name_and_seen_in_the_desktop(host: GpuHost) -> None:
    host.has(tesla(T4), tesla(OTHER_T4), fields=("uuid", "driver_version"))
    data = seen(ask(host, DESKTOP_IMAGE, gpus=OTHER_T4)["gpu"])
    assert [one["uuid"] for one in data["gpus"]] == [OTHER_T4]
    assert data["sessions"][-1] == "in a terminal of the desktop"
    assert data["notes"] == [f"{OTHER_T4}: its compute capability is the catalogue's for Tesla T4"]


def test_a_mig_device_is_given_by_its_name(host: GpuHost) -> None:
    host.has(gpu(A100, "NVIDIA A100-SXM4-40GB", "8.0", "570.86.15", OTHER_SLICE, SLICE))
    data = seen(ask(host, gpus=SLICE)["gpu"])
    assert data["mig"] == [{"uuid": SLICE, "name": "1g.5gb", "gpu": A100}]


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (
            {"gpus": [tesla(driver="418.87.00")]},
            "driver 418.87.00 is older than 525.60.13, the oldest for CUDA 12.8",
        ),
        (
            {"gpus": [gpu(T4, "Tesla K80", "3.7", "570.86.15")]},
            "CUDA 12.8 no longer supports Kepler GPUs (compute capability 3.7)",
        ),
        (
            {
                "says": "Failed to initialize NVML: Driver/library version mismatch\n"
                "NVML library version: 570.86",
                "code": 18,
            },
            "its kernel still runs the old driver's module; look at the host: reboot it",
        ),
        (
            {"says": "Failed to initialize NVML: Unknown Error", "code": 255},
            "`systemctl daemon-reload` on the host",
        ),
        (
            {
                "says": "Unable to determine the device handle for GPU0000:01:00.0: Unknown Error",
                "code": 255,
            },
            "a GPU does not answer the driver any more",
        ),
        ({"says": "No devices were found", "code": 6}, "the driver is there, and no GPU is"),
        (
            {"refuses": "initialization error: nvml error: driver/library version mismatch"},
            "asked for all GPUs; got the host's driver was updated",
        ),
        (
            {
                "refuses": "requirement error: unsatisfied condition: cuda>=12.8, please update "
                "your driver to a newer version, or use an earlier cuda container"
            },
            "the host's driver is older than the image's base asks for",
        ),
    ],
)
def test_what_is_wrong_is_named(host: GpuHost, scenario: dict[str, Any], message: str) -> None:
    host.has(*scenario.pop("gpus", [tesla()]), **scenario)
    result = ask(host)["gpu"]
    assert result.status == "failed"
    assert message in result.reason


def test_a_gpu_that_the_host_does_not_have_fails_and_the_rest_is_asked(host: GpuHost) -> None:
    host.has(tesla(T4))
    results = ask(host, only=("gpu", "sshd"), gpus=OTHER_T4)
    assert results["gpu"].status == "failed"
    assert results["gpu"].reason.startswith(
        f"asked for the GPUs {OTHER_T4}; got the engine's host has no such GPU (it said: "
    )
    assert f"device error: {OTHER_T4}: unknown device" in results["gpu"].reason
    assert "`nvidia-smi -L` on the host" in results["gpu"].reason
    assert results["sshd"].status == "passed"


def test_without_a_driver_it_is_skipped_unless_it_is_required(host: GpuHost) -> None:
    host.has(
        refuses="initialization error: load library failed: libnvidia-ml.so.1: cannot open shared "
        "object file: no such file or directory"
    )
    skipped = ask(host)["gpu"]
    assert skipped.status == "skipped"
    assert "but no GPU with a driver (it said: " in skipped.reason
    failed = ask(host, require=("gpu",))["gpu"]
    assert failed.status == "failed"
    assert failed.reason == f"required, and skipped: {skipped.reason}"


def test_none_are_given_where_none_are_wanted(host: GpuHost) -> None:
    host.has(tesla(T4))
    assert ask(host, gpus="none")["gpu"].status == "skipped"


def test_a_gpu_that_is_lost_is_noticed_in_the_same_container(host: GpuHost) -> None:
    host.has(tesla(T4))
    with given_gpus(host.engine) as (stage, subject):
        assert "simulated" in check_gpu(subject, Deadline.after(60))
        lose = (
            "import json; path = '/usr/lib/nvidia-simulated.json'; was = json.load(open(path)); "
            "was.update(says='Failed to initialize NVML: Unknown Error', code=255); "
            "json.dump(was, open(path, 'w'))"
        )
        assert stage.execute(("python3", "-c", lose), user="root") == (0, "")
        with pytest.raises(CheckFailedError, match="daemon-reload") as failed:
            check_gpu(subject, Deadline.after(60))
    assert "no NVIDIA driver" in str(failed.value.data["simulated"])
    assert "make the container anew" in failed.value.look_at


@contextmanager
def given_gpus(engine: Engine) -> Iterator[tuple[Stage, Subject]]:
    """A container with all GPUs, as the runner makes it."""
    plan = read_plan(engine, SSH_IMAGE)
    key = ssh.new_key()
    secrets = generate_secrets(ssh.public_line(key))
    spec = ContainerSpec(
        SSH_IMAGE,
        ports=(Port(SSH_PORT, loopback_or_all(engine), 0),),
        mounts=tuple(
            Mount("", path) for path in (SECRETS_FOLDER, STATE_FOLDER, f"/home/{plan.user.name}")
        ),
        gpus="all",
    )
    with staged(engine, spec, secrets) as stage:
        yield stage, Subject(plan, stage.addresses(), secrets, key, stage, stage.gpus)
