"""GPUs: visible, and the same ones, to the engine's exec and to an ssh session."""

from __future__ import annotations

from imagekit.checks import ssh
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.sshd import session
from imagekit.checks.subject import Subject
from imagekit.wait import Deadline

# https://docs.nvidia.com/deploy/nvidia-smi/index.html, "--query-gpu="
_QUERY = ("nvidia-smi", "--query-gpu=uuid,name,driver_version", "--format=csv,noheader")

_LOOK_AT = (
    "the NVIDIA Container Toolkit on the engine's host, and NVIDIA_DRIVER_CAPABILITIES "
    "of the image (utility must be among them)"
)


def check_gpu(subject: Subject, deadline: Deadline) -> Data:
    """nvidia-smi lists the same GPUs in the container's exec and over ssh."""
    if subject.gpus.missing:
        raise CheckSkippedError(subject.gpus.missing)
    with asking("nvidia-smi in the container", _LOOK_AT):
        code, text = subject.inside.execute(
            _QUERY, user=subject.plan.user.name, timeout=deadline.timeout()
        )
    gpus = _parse(code, text, "in the container")
    if subject.gpus.asked != "all":
        wanted = set(subject.gpus.asked.split(","))
        if wanted != {gpu["uuid"] for gpu in gpus}:
            raise CheckFailedError(f"the GPUs {', '.join(sorted(wanted))}", repr(gpus), _LOOK_AT)
    if subject.plan.sshd is not None:
        with session(subject, deadline) as transport:
            with asking("nvidia-smi over ssh", _LOOK_AT):
                output = ssh.run(transport, " ".join(_QUERY), deadline)
            if _parse(output.code, output.text, "over ssh") != gpus:
                raise CheckFailedError(
                    "the same GPUs over ssh as in the container",
                    repr(output.text),
                    "PATH of ssh sessions (SetEnv in /run/imagekit/sshd_config)",
                )
    return {"gpus": gpus}


def _parse(code: int, text: str, where: str) -> list[dict[str, str]]:
    rows = [[field.strip() for field in line.split(",")] for line in text.splitlines() if line]
    if code != 0 or not rows or any(len(row) != 3 for row in rows):
        raise CheckFailedError(
            f"a list of GPUs by nvidia-smi {where}", f"exit code {code} and {text!r}", _LOOK_AT
        )
    return [{"uuid": uuid, "name": name, "driver": driver} for uuid, name, driver in rows]
