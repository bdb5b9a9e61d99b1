#!/usr/bin/python3
"""Stands in for NVIDIA's container hook: an OCI prestart hook that gives simulated GPUs.

The engine runs it as `nvidia-container-runtime-hook prestart` for containers with GPUs, with the
container's state on standard input (https://github.com/opencontainers/runtime-spec/blob/main/
runtime.md, "State"). It puts an `nvidia-smi` into the container that knows the GPUs of
NVIDIA_VISIBLE_DEVICES. What there is on the host stands in scenario.json beside it.
"""

import json
import shutil
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def main() -> None:
    """Give the container its GPUs, or refuse as the real hook does."""
    scenario = json.loads((_HERE / "scenario.json").read_text())
    bundle = Path(json.load(sys.stdin)["bundle"])
    config = json.loads((bundle / "config.json").read_text())
    environment = dict(item.partition("=")[::2] for item in config["process"]["env"])
    asked = environment.get("NVIDIA_VISIBLE_DEVICES", "")
    if scenario["refuses"]:
        refuse(scenario["refuses"])
    gpus = list(scenario["gpus"])
    if asked != "all":
        gpus = [gpu for name in asked.split(",") for gpu in select(scenario["gpus"], name)]
    root = bundle / config["root"]["path"]
    capabilities = environment.get("NVIDIA_DRIVER_CAPABILITIES", "utility,compute").split(",")
    if not {"utility", "all"} & set(capabilities):
        return
    shutil.copy(_HERE / "smi.py", root / "usr/bin/nvidia-smi")
    (root / "usr/lib/nvidia-simulated.json").write_text(json.dumps({**scenario, "gpus": gpus}))


def select(gpus: list, name: str) -> list:
    """The GPU of a name, with the MIG devices of it that are meant."""
    for gpu in gpus:
        if gpu["uuid"] == name:
            return [gpu]
        for mig in gpu["mig"]:
            if mig["uuid"] == name:
                return [{**gpu, "mig": [mig]}]
    refuse(f"device error: {name}: unknown device")
    return []


def refuse(what: str) -> None:
    """As nvidia-container-cli does."""
    sys.exit(f"Auto-detected mode as 'legacy'\nnvidia-container-cli: {what}")


main()
