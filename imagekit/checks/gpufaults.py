"""What NVIDIA's programs say when there is no GPU for a container, what it means, and what to do.

Three places say it: nvidia-smi in the container, the engine when it cannot start the container
(the container toolkit's hook speaks through it), and the framework. docs/features/cuda.md has
the same rows for people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        pattern: a regular expression for what is said; letter case does not count.
        cause: what it means.
        remedy: where to look and what to do there, after the words "look at".
        absent: whether it only says that the host has no GPU, which is nobody's fault.
    """

    pattern: str
    cause: str
    remedy: str = ""
    absent: bool = False

    def said_in(self, text: str) -> bool:
        """Whether a text has it."""
        return re.search(self.pattern, text, re.IGNORECASE) is not None


def find(faults: Sequence[Fault], text: str) -> Fault | None:
    """The first fault that a text tells of."""
    return next((fault for fault in faults if fault.said_in(text)), None)


TOOLKIT = (
    "the NVIDIA Container Toolkit on the engine's host (`nvidia-container-cli info` there), and "
    "NVIDIA_DRIVER_CAPABILITIES of the image (utility must be among them)"
)

_LONGEST = 300

# nvidia-smi's texts are NVML's (https://docs.nvidia.com/deploy/nvml-api/, nvmlReturn_t and
# nvmlErrorString) and its own; what they mean in containers is from the issues named here.
_MISMATCH = Fault(
    r"driver/library version mismatch",
    "the host's driver was updated, and its kernel still runs the old driver's module",
    "the host: reboot it, or end what uses its GPUs and load the module again (`sudo rmmod "
    "nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia`); containers are "
    "made anew then",
)
NOT_LOADED = Fault(
    r"couldn't communicate with the NVIDIA driver|driver not loaded",
    "the host's kernel has not loaded NVIDIA's module",
    "the host: `sudo modprobe nvidia` and `dmesg`; after an update of the kernel the driver is "
    "often installed anew, and Secure Boot loads only signed modules",
)
# https://github.com/NVIDIA/nvidia-container-toolkit/issues/48 and the toolkit's documentation,
# "Troubleshooting", "Containers losing access to GPUs".
_CGROUP = Fault(
    r"failed to initialize NVML: unknown error",
    "the container may not open its GPUs any more: where systemd manages cgroups, `systemctl "
    "daemon-reload` on the host (each update of a package may do it) takes them from running "
    "containers",
    "the host: make the container anew, which helps until the next time; for good, have the "
    "toolkit use CDI (its default from 1.18 on), or run `sudo nvidia-ctk system "
    "create-dev-char-symlinks --create-all` at each boot, or set "
    '"exec-opts": ["native.cgroupdriver=cgroupfs"] in /etc/docker/daemon.json '
    "(NVIDIA/nvidia-container-toolkit#48)",
)
_LOST = Fault(
    r"GPU is lost|fallen off the bus|unable to determine the device handle",
    "a GPU does not answer the driver any more",
    "the host's `dmesg` (lines with Xid), the GPU's power and temperature; a reboot brings it "
    "back, or shows that it is broken",
)

IN_CONTAINER: tuple[Fault, ...] = (
    _MISMATCH,
    _CGROUP,
    _LOST,
    NOT_LOADED,
    Fault(
        r"couldn't find libnvidia-ml\.so|libnvidia-ml\.so\S*: cannot open",
        "the driver's libraries are not in the container, or its loader does not know them",
        f"`ldconfig -p` in the container, and {TOOLKIT}",
    ),
    Fault(
        r"insufficient permissions",
        "the user may not open the GPUs' device files",
        "`ls -l /dev/nvidia*` on the host and in the container (NVreg_DeviceFileMode of the "
        "host's module, user namespaces of its engine)",
    ),
    Fault(
        r"blocked by the operating system",
        "the host's system keeps the GPU from the container",
        "the host: on Windows, WSL's kernel (`wsl --update`) and its NVIDIA driver",
    ),
    Fault(
        r"no devices were found",
        "the driver is there, and no GPU is",
        "the host's `nvidia-smi -L` and `dmesg`: a GPU that did not start, or that another "
        "driver or a virtual machine holds",
    ),
    Fault(
        r"nvidia-smi: not found",
        "the driver's programs are not in the container: nothing put them there",
        TOOLKIT,
    ),
)
"""What nvidia-smi says in a container."""

# https://github.com/moby/moby/blob/v20.10.24/daemon/devices_linux.go and the error texts of
# libnvidia-container (src/nvc*.c, src/cli/) and nvidia-container-toolkit (internal/, CDI).
AT_START: tuple[Fault, ...] = (
    Fault(
        r"could not select device driver|no known GPU vendor",
        "the engine knows of no GPUs: its host lacks the NVIDIA Container Toolkit, or the engine "
        "was not restarted after it was installed",
        absent=True,
    ),
    Fault(
        r"load library failed: libnvidia-ml|no NVIDIA GPU device is present"
        r"|no adapters were found",
        "the engine's host has the NVIDIA Container Toolkit, but no GPU with a driver",
        absent=True,
    ),
    Fault(
        r"driver not loaded",
        f"the engine's host has the NVIDIA Container Toolkit, but {NOT_LOADED.cause}",
        absent=True,
    ),
    Fault(
        r"unresolvable CDI devices [^,]*=all\b",
        "the engine's host describes no GPUs (no CDI specification below /etc/cdi or "
        "/var/run/cdi; `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml` makes one)",
        absent=True,
    ),
    Fault(
        r"unknown device|unresolvable CDI devices",
        "the engine's host has no such GPU",
        "`nvidia-smi -L` on the host, which lists what --gpus takes; after a change of MIG "
        "devices their names are new, and a CDI specification is old",
    ),
    _MISMATCH,
    Fault(
        r"requirement error|unsatisfied condition",
        "the host's driver is older than the image's base asks for (NVIDIA_REQUIRE_CUDA)",
        "the host: a newer NVIDIA driver, or a profile for the driver that is there (`imagekit "
        "list --driver VERSION`)",
    ),
    Fault(
        r"driver rpc error|timed out",
        "the host's driver does not answer",
        "`nvidia-smi` on the host; `sudo nvidia-smi -pm 1` there keeps the driver initialised, "
        "which otherwise takes seconds for each GPU",
    ),
    Fault(
        r"cgroup subsystem devices not found|failed to get device cgroup",
        "the NVIDIA Container Toolkit does not get on with the host's cgroups",
        "the host's version of libnvidia-container (cgroup v2 needs 1.8 or newer)",
    ),
)
"""What the engine says when it does not start a container with GPUs."""

# https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html, cudaError, in the
# frameworks' own words.
IN_FRAMEWORK: tuple[Fault, ...] = (
    Fault(
        r"driver version is insufficient|driver on your system is too old",
        "the host's driver is older than this CUDA needs",
        "the check gpu, which says which driver is needed",
    ),
    Fault(
        r"no kernel image is available|not compatible with the current PyTorch"
        r"|device kernel image is invalid",
        "the framework's wheel has no code for this GPU",
        "`imagekit list --gpu NAME`, which names profiles that run on it",
    ),
    Fault(
        r"busy or unavailable",
        "a GPU is in exclusive mode, and another process has it",
        "`nvidia-smi --query-gpu=compute_mode --format=csv` and `nvidia-smi` on the host",
    ),
    Fault(
        r"out of memory|RESOURCE_EXHAUSTED|CUBLAS_STATUS_ALLOC_FAILED",
        "the GPU's memory is full of what other processes have there",
        "`nvidia-smi` on the host",
    ),
    Fault(
        r"system not yet initialized",
        "the GPUs are linked by NVSwitch, and the host's fabric manager does not run",
        "`systemctl status nvidia-fabricmanager` on the host; its version is the driver's",
    ),
    Fault(
        r"cannot dlopen some GPU libraries|could not load dynamic library",
        "the framework does not find all of CUDA's libraries",
        "the check cuda, and the first lines that the framework prints",
    ),
    Fault(
        r"cuda(?: driver)?(?: initialization)?:? (?:error: )?unknown error|CUDA_ERROR_UNKNOWN"
        r"|cudaErrorUnknown",
        "CUDA cannot begin, though the driver answers",
        "`ls /dev/nvidia-uvm` in the container and `sudo nvidia-modprobe -u -c=0` on the host, "
        "which is needed after some boots and after each suspension",
    ),
)
"""What frameworks say when they cannot compute."""


def last_words(text: str) -> str:
    """The end of what a program said, on one line."""
    return " ".join(text.split())[-_LONGEST:].strip()
