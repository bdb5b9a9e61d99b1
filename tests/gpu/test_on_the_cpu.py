"""The program that computes on GPUs, on the processor, with the frameworks that are here.

It is the same code with the same expected results; only the device differs.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from imagekit.checks import compute


@pytest.mark.parametrize(
    ("framework", "module", "device"),
    [
        ("pytorch", "torch", "cpu"),
        ("tensorflow", "tensorflow", "/CPU:0"),
        ("jax", "jax", "cpu"),
    ],
)
def test_a_framework_computes_what_is_expected(framework: str, module: str, device: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"this host's Python has no {module}")
    done = subprocess.run(
        compute.command(sys.executable, framework, device),
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = compute.read(done.stdout)
    assert outcome is not None, done.stderr
    (there,) = outcome.devices
    assert there.trouble == ""
