"""The program that computes on each device, run with a stand-in for PyTorch in plain Python.

That it is right for the real frameworks is seen in tests/docker/test_parts.py and
tests/gpu/test_on_the_cpu.py.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from imagekit.checks import compute
from imagekit.checks.nvidia import _FACTS

TORCH = """
import os
from types import SimpleNamespace

class Tensor:
    def __init__(self, data, device):
        self.data, self.device = data, device
    def __matmul__(self, other):
        if self.device == os.environ.get("BROKEN"):
            raise RuntimeError("CUDA error: no kernel image is available")
        right = list(zip(*other.data))
        return Tensor([[sum(a * b for a, b in zip(r, c)) for c in right] for r in self.data], "")
    def cpu(self):
        return self
    def tolist(self):
        return self.data

def conv2d(image, kernels):
    (channels,), size = image.data, len(kernels.data[0][0])
    steps = range(len(channels[0]) - size + 1)
    def one(kernel, y, x):
        return sum(
            channel[y + v][x + u] * kernel[c][v][u]
            for c, channel in enumerate(channels) for v in range(size) for u in range(size))
    done = [[[one(kernel, y, x) for x in steps] for y in steps] for kernel in kernels.data]
    done[-1][-1][-1] += float(os.environ.get("OFF", "0"))
    return Tensor([done][: int(os.environ.get("PARTS", "1"))], "")

__version__ = "2.10.0"
tensor = Tensor
nn = SimpleNamespace(functional=SimpleNamespace(conv2d=conv2d))
cuda = SimpleNamespace(
    device_count=lambda: int(os.environ.get("COUNT", "2")),
    get_device_name=lambda device: "NVIDIA " + device,
    get_arch_list=lambda: ["sm_80", "compute_90"])
"""


@pytest.fixture
def outcome(tmp_path: Path) -> object:
    (tmp_path / "torch.py").write_text(TORCH)

    def run(*devices: str, **settings: str) -> compute.Outcome:
        done = subprocess.run(
            compute.command(sys.executable, "pytorch", *devices),
            env={**settings, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        found = compute.read(f"noise\n{done.stdout}")
        assert found is not None
        return found

    return run


def test_all_gpus_are_computed_on(outcome: object) -> None:
    found = outcome()  # type: ignore[operator]
    assert (found.version, found.architectures) == ("2.10.0", ("sm_80", "compute_90"))
    assert [(one.device, one.name) for one in found.devices] == [
        ("cuda:0", "NVIDIA cuda:0"),
        ("cuda:1", "NVIDIA cuda:1"),
    ]
    assert [(one.product, one.convolution, one.trouble) for one in found.devices] == [
        (0, 0, "")
    ] * 2


def test_named_devices_are_computed_on_instead(outcome: object) -> None:
    assert [one.name for one in outcome("cpu").devices] == ["cpu"]  # type: ignore[operator]
    assert outcome(COUNT="0").devices == ()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("settings", "trouble"),
    [
        ({"OFF": "0.5"}, ""),
        ({"OFF": "9"}, "a wrong convolution"),
        ({"OFF": "nan"}, "a wrong convolution"),
        ({"OFF": "inf"}, "a wrong convolution"),
        ({"PARTS": "0"}, "a wrong convolution"),
        ({"BROKEN": "cuda:0"}, "RuntimeError: CUDA error: no kernel image is available"),
    ],
)
def test_what_is_wrong_is_said(outcome: object, settings: dict[str, str], trouble: str) -> None:
    first, *_ = outcome(**settings).devices  # type: ignore[operator]
    assert first.trouble == (f"cuda:0: {trouble}" if trouble else "")


def test_a_device_that_fails_is_named_and_the_next_is_tried(outcome: object) -> None:
    first, second = outcome(BROKEN="cuda:0").devices  # type: ignore[operator]
    assert first.trouble
    assert second.trouble == ""


def test_two_wrong_results_are_both_said() -> None:
    one = compute.Computed("/GPU:0", "x", "", 1e9, 0.5, 0.1)
    assert one.trouble == "/GPU:0: a wrong product of matrices and a wrong convolution"


def test_without_an_answer_there_is_none() -> None:
    assert compute.read("Traceback (most recent call last):\n") is None


@pytest.mark.parametrize("program", [compute._PROGRAM, _FACTS])
def test_programs_run_on_the_oldest_python(program: str) -> None:
    ast.parse(program, feature_version=(3, 6))
