"""An engine of a test's own on a host with simulated NVIDIA GPUs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.connection import Engine, connect
from tests.docker.engine.daemon import tls_engine

_HERE = Path(__file__).parent
_FIELDS = ("uuid", "driver_version", "compute_cap")

T4 = "GPU-5a7c0000-0000-0000-0000-000000000001"
OTHER_T4 = "GPU-5a7c0000-0000-0000-0000-000000000002"
A100 = "GPU-a1000000-0000-0000-0000-000000000001"
SLICE = "MIG-a1000000-0000-0000-0000-000000000011"
OTHER_SLICE = "MIG-a1000000-0000-0000-0000-000000000012"


def gpu(uuid: str, name: str, cc: str, driver: str = "570.86.15", *mig: str) -> dict[str, Any]:
    """One GPU as the stubs know it; ``mig`` are UUIDs of MIG devices."""
    parts = [{"uuid": part, "name": "1g.5gb"} for part in mig]
    return {"uuid": uuid, "name": name, "driver_version": driver, "compute_cap": cc, "mig": parts}


def tesla(uuid: str = T4, driver: str = "570.86.15") -> dict[str, Any]:
    return gpu(uuid, "Tesla T4", "7.5", driver)


@dataclass(frozen=True)
class GpuHost:
    """The engine, and the folder of the stubs, which the engine has on its PATH."""

    engine: Engine
    stubs: Path

    def has(
        self,
        *gpus: dict[str, Any],
        refuses: str = "",
        says: str = "",
        code: int = 0,
        fields: tuple[str, ...] = _FIELDS,
    ) -> None:
        """From now on this is the host.

        Args:
            gpus: what it has.
            refuses: what the hook says instead of giving GPUs.
            says: what nvidia-smi says instead of answering.
            code: its exit code then.
            fields: what nvidia-smi can be asked for.
        """
        scenario = {
            "gpus": gpus,
            "refuses": refuses,
            "says": says,
            "code": code,
            "fields": fields,
        }
        (self.stubs / "scenario.json").write_text(json.dumps(scenario))


@contextmanager
def gpu_host(folder: Path) -> Iterator[GpuHost]:
    """Start the engine; ``folder`` is for the stubs."""
    for stub, name in (("hook.py", "nvidia-container-runtime-hook"), ("smi.py", "smi.py")):
        shutil.copy(_HERE / stub, folder / name)
        (folder / name).chmod(0o755)
    with tls_engine(programs=folder) as tls, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_TLS_VERIFY", "1")
        patch.setenv("DOCKER_CERT_PATH", str(tls.client))
        with closing(connect(tls.url)) as engine:
            yield GpuHost(engine, folder)
