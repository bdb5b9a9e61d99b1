"""The engine's host: whether it is this machine, and what is known of its GPUs."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from imagekit.checks import gpufaults
from imagekit.checks.subject import Gpus
from imagekit.engine.connection import Engine
from imagekit.engine.faults import in_words

_DRIVER = Path("/proc/driver/nvidia")


def remote_host(engine: Engine) -> str:
    """The engine's machine; empty when it is this one."""
    host = urlsplit(engine.address).hostname or ""
    if not engine.address.startswith(("tcp://", "ssh://", "http://", "https://")):
        return ""
    return "" if host in {"localhost", "127.0.0.1", "::1"} else host


def not_given(engine: Engine, asked: str, refusal: str) -> Gpus:
    """Why a container with GPUs did not start: the host has none, or does not give them."""
    fault = gpufaults.find(gpufaults.AT_START, refusal)
    said = gpufaults.last_words(refusal)
    if fault is not None and not fault.absent:
        return Gpus(asked, f"{fault.cause} (it said: {said})", fault.remedy)
    if fault is None:
        return Gpus(asked, f"the engine gives no GPUs: {said}", gpufaults.TOOLKIT)
    reasons = [f"{fault.cause} (it said: {said})"]
    with in_words(engine.where):
        runtimes = engine.client.info().get("Runtimes") or {}
    if "nvidia" not in runtimes:
        reasons.append("the engine offers no NVIDIA runtime")
    if not remote_host(engine) and not _DRIVER.exists():
        reasons.append(f"{_DRIVER} is missing on this host")
    return Gpus(asked, "; ".join(reasons))


def gpus_on(engine: Engine) -> int:
    """How many GPUs NVIDIA's driver runs on the engine's host; 0 where it is another one.

    Each has a folder of its own with ``information``, which also names those that the
    administrator excluded (open-gpu-kernel-modules, kernel-open/nvidia/nv-procfs.c).
    """
    if remote_host(engine):
        return 0
    told = [file.read_text() for file in _DRIVER.glob("gpus/*/information")]
    return sum(1 for text in told if not re.search(r"Excluded:\s+Yes", text))
