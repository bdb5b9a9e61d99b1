"""What nvidia-smi tells in a container: which GPUs there are, and what else is known of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.catalogue import hardware
from imagekit.catalogue.hardware import Hardware
from imagekit.checks import gpufaults
from imagekit.checks.answer import PYTHON, answered
from imagekit.checks.check import AnswerError, CheckFailedError, CheckSkippedError, asking
from imagekit.checks.subject import Gpus, Subject
from imagekit.wait import Deadline

# https://docs.nvidia.com/deploy/nvidia-smi/index.html, "-L" and "--query-gpu="; MIG devices as
# in https://docs.nvidia.com/datacenter/tesla/mig-user-guide/, "Creating GPU Instances".
_GPU = re.compile(r"GPU \d+: (?P<name>.+) \(UUID: (?P<uuid>\S+)\)\s*$", re.MULTILINE)
_MIG = re.compile(r"\s+MIG (?P<name>.+?)\s+Device\s+\d+: \(UUID: (?P<uuid>\S+)\)\s*$")

LIST = (
    'path = shutil.which("nvidia-smi"); '
    'done = path and subprocess.run([path, "-L"], stdout=subprocess.PIPE, '
    "stderr=subprocess.STDOUT, universal_newlines=True); "
    "seen = [done.returncode, done.stdout] if done else "
    '[127, "nvidia-smi: not found on PATH " + os.environ.get("PATH", "")]'
)
"""Statements for ``sessions.everywhere``: the list's exit code and text."""

# Old ones do not know the field compute_cap. CUDA's images may bring a newer libcuda for old
# drivers (https://docs.nvidia.com/deploy/cuda-compatibility/, "Forward Compatibility").
_FACTS = f"""
import glob, json, os, shutil, subprocess
{LIST}
def query(fields):
    done = subprocess.run([path, "--query-gpu=" + fields, "--format=csv,noheader"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    return [] if done.returncode else [line.split(", ") for line in done.stdout.splitlines()]
rows = path and not seen[0] and (
    query("uuid,driver_version,compute_cap") or query("uuid,driver_version")) or []
print("imagekit:" + json.dumps(dict(
    code=seen[0], text=seen[1], rows=rows,
    driver=os.path.exists("/proc/driver/nvidia/version"), wsl=os.path.exists("/dev/dxg"),
    compat=bool(glob.glob("/usr/local/cuda*/compat/libcuda.so.*")))))
"""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or a MIG device, which is a part of one.

    Attributes:
        uuid: ``GPU-…`` or ``MIG-…``.
        name: the model, or the MIG profile, such as ``1g.5gb``.
        parent: of a MIG device, the UUID of its GPU; otherwise empty.
    """

    uuid: str
    name: str
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a container's GPUs.

    Attributes:
        devices: as ``nvidia-smi -L`` lists them.
        rows: UUID to driver and compute capability, which are empty where they are not told.
        compat: whether the image brings CUDA's libraries for older drivers.
        simulated: why this is no real GPU; empty for real ones.
    """

    devices: tuple[Device, ...]
    rows: Mapping[str, tuple[str, str]]
    compat: bool = False
    simulated: str = ""

    @property
    def gpus(self) -> tuple[Device, ...]:
        """Whole GPUs; those that are visible through their MIG devices alone are among them."""
        return tuple(device for device in self.devices if not device.parent)

    @property
    def usable(self) -> tuple[Device, ...]:
        """What a program computes on: MIG devices in the place of the GPUs that they are of."""
        parents = {device.parent for device in self.devices}
        return tuple(device for device in self.devices if device.uuid not in parents)

    def hardware(self, gpu: Device) -> Hardware:
        """Model, compute capability and driver of a whole GPU, as far as they are known."""
        driver, cc = self.rows.get(gpu.uuid, ("", ""))
        return hardware.reported(gpu.name, cc, driver)

    def label(self) -> dict[str, object]:
        """What goes into a check's data besides."""
        return {"simulated": self.simulated} if self.simulated else {}


def given(subject: Subject) -> None:
    """Go on only where the container was started with GPUs.

    Raises:
        CheckSkippedError: none were asked for, or the host has none.
        CheckFailedError: the host has some and did not give them.
    """
    gpus = subject.gpus
    if gpus.remedy:
        raise CheckFailedError(called(gpus), gpus.missing, gpus.remedy)
    if gpus.missing:
        raise CheckSkippedError(gpus.missing)


def called(gpus: Gpus) -> str:
    """What was asked for, in words."""
    return "all GPUs" if gpus.asked == "all" else f"the GPUs {gpus.asked}"


def facts(subject: Subject, deadline: Deadline) -> Facts:
    """Ask nvidia-smi in the container.

    Raises:
        CheckFailedError: it lists no GPUs.
    """
    asked = "a list of GPUs by nvidia-smi in docker exec"
    with asking(asked, gpufaults.TOOLKIT):
        code, text = subject.inside.execute(
            (PYTHON, "-c", _FACTS), user=subject.plan.user.name, timeout=deadline.timeout()
        )
    try:
        seen: dict[str, Any] = answered(code, text)
    except AnswerError as error:
        got = f"exit code {code} and {gpufaults.last_words(text)!r}"
        raise CheckFailedError(asked, got, gpufaults.TOOLKIT) from error
    simulated = ""
    # A module that is not loaded is no simulation, and WSL has its driver elsewhere.
    told = gpufaults.find(gpufaults.IN_CONTAINER, seen["text"])
    speaks = seen["code"] != 127 and told is not gpufaults.NOT_LOADED
    if speaks and not seen["driver"] and not seen["wsl"]:
        simulated = (
            "nvidia-smi answers, but the kernel has no NVIDIA driver "
            "(/proc/driver/nvidia/version is missing)"
        )
    data = {"simulated": simulated} if simulated else {}
    devices = listed(seen["code"], seen["text"], "in docker exec", data)
    return Facts(devices, _rows(seen["rows"]), seen["compat"], simulated)


def listed(
    code: int, text: str, where: str, data: Mapping[str, object] | None = None
) -> tuple[Device, ...]:
    """The devices that `nvidia-smi -L` lists.

    Args:
        code: its exit code.
        text: what it printed.
        where: in which kind of session, such as "in docker exec".
        data: what a failed check knows besides.

    Raises:
        CheckFailedError: it lists none, or says that something is wrong.
    """
    devices = _parse(text)
    fault = gpufaults.find(gpufaults.IN_CONTAINER, text)
    if code == 0 and devices and fault is None:
        return devices
    got = f"exit code {code} and {gpufaults.last_words(text)!r}"
    remedy = gpufaults.TOOLKIT
    if fault is not None:
        got, remedy = f"{got}: {fault.cause}", fault.remedy
    raise CheckFailedError(f"a list of GPUs by nvidia-smi {where}", got, remedy, data or {})


def _parse(text: str) -> tuple[Device, ...]:
    devices: list[Device] = []
    gpu = ""
    for line in text.splitlines():
        if match := _GPU.match(line):
            gpu = match["uuid"]
            devices.append(Device(gpu, match["name"]))
        elif gpu and (match := _MIG.match(line)):
            devices.append(Device(match["uuid"], match["name"], gpu))
    return tuple(devices)


def _rows(rows: Sequence[Sequence[str]]) -> dict[str, tuple[str, str]]:
    padded = [[*(field.strip() for field in row), "", ""] for row in rows if row]
    return {uuid: (driver, cc) for uuid, driver, cc, *_ in padded}
