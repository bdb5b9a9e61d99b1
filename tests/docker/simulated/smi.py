#!/usr/bin/python3
"""Stands in for nvidia-smi in a container: `-L` and `--query-gpu=…`, on any Python from 3.6 on."""

import json
import sys
from pathlib import Path


def main(arguments: list) -> int:
    """Answer, or fail as the scenario says; the exit code."""
    scenario = json.loads(Path("/usr/lib/nvidia-simulated.json").read_text())
    code = scenario["code"]
    lines = [scenario["says"]]
    if not scenario["says"]:
        query = [argument for argument in arguments if argument.startswith("--query-gpu=")]
        lines = list(enumerated(scenario["gpus"]))
        if query:
            code, lines = queried(scenario, query[0].partition("=")[2].split(","))
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return code


def queried(scenario: dict, fields: list) -> tuple:
    """`nvidia-smi --query-gpu=FIELDS --format=csv,noheader`."""
    for field in fields:
        if field not in scenario["fields"]:
            return 2, [f'Field "{field}" is not a valid field to query.\n']
    return 0, [", ".join(gpu[field] for field in fields) for gpu in scenario["gpus"]]


def enumerated(gpus: list):  # noqa: ANN201
    """`nvidia-smi -L`."""
    for number, gpu in enumerate(gpus):
        yield f"GPU {number}: {gpu['name']} (UUID: {gpu['uuid']})"
        for part, mig in enumerate(gpu["mig"]):
            yield f"  MIG {mig['name']:<12} Device {part:>2}: (UUID: {mig['uuid']})"


sys.exit(main(sys.argv[1:]))
