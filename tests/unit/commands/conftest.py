"""A small catalogue that nobody edits, and a host without GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit.catalogue import hardware, tables
from imagekit.catalogue.rows import (
    Architecture,
    CudaConda,
    CudaVersion,
    CudaWheels,
    DriverBranch,
    FrameworkBuild,
    Gpu,
    Row,
)
from imagekit.plan import stack

SAID = {"source": "https://example.com/facts", "date": "2026-11-23"}


def _build(version: str, cuda: str, python: str, way: str) -> FrameworkBuild:
    return FrameworkBuild(
        name="tensorflow",
        version=version,
        release=f"{version}.1",
        cuda=cuda,
        cudnn="",
        pythons=(python,),
        releases=(),
        requirements=("tensorflow=={release}",),
        index="",
        sources=(way,),
        glibc="",
        cc_min="",
        cc_max="",
        preferred=True,
        experimental=False,
        **SAID,
    )


_ROWS: tuple[Row, ...] = (
    Gpu(name="GeForce RTX 2080 Ti", cc="7.5", **SAID),
    Gpu(name="GeForce RTX 3090", cc="8.6", **SAID),
    Architecture(
        name="Ampere",
        capabilities=("8.0", "8.6"),
        first_cuda="11.0",
        last_cuda="",
        last_driver="",
        **SAID,
    ),
    CudaVersion(
        version="10.0", driver="410.48", driver_min="410.48", cc_min="3.0", cc_max="7.5", **SAID
    ),
    CudaVersion(
        version="12.2", driver="535.54.03", driver_min="525.60", cc_min="5.0", cc_max="9.0", **SAID
    ),
    CudaConda(
        version="10.0",
        channel="pkgs/main",
        packages=("cudatoolkit=10.0.130",),
        cudnn="7.6",
        cudnn_packages=("cudnn=7.6",),
        **SAID,
    ),
    CudaWheels(
        version="12.2",
        runtime=("nvidia-cuda-runtime-cu12==12.2.*",),
        devel=(),
        cudnn=(),
        python_min="3.8",
        **SAID,
    ),
    DriverBranch(branch="R535", kind="LTS", end_of_life="2026-06-30", **SAID),
    _build("1.15", "10.0", "3.7", "conda"),
    _build("2.15", "12.2", "3.11", "wheels"),
)
_HOST = hardware.host
_KINDS = {type(row) for row in _ROWS}


@pytest.fixture
def small_catalogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """GPUs, CUDA and TensorFlow of a few rows; the other tables are the shipped ones."""
    shipped = tables._read

    def read(kind: type[Row]) -> tuple[Row, ...]:
        if kind in _KINDS:
            return tuple(row for row in _ROWS if isinstance(row, kind))
        return shipped(kind)

    monkeypatch.setattr(tables, "_read", read)
    _forget()
    yield
    _forget()


def _forget() -> None:
    """Empty what the resolver keeps of tables that it read."""
    for kept in vars(stack).values():
        if hasattr(kept, "cache_clear"):
            kept.cache_clear()


@pytest.fixture(autouse=True)
def no_gpus_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this host has."""
    monkeypatch.setattr(hardware, "host", tuple)


@pytest.fixture
def a_3090_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_gpus_here: None) -> None:
    """A host with a GPU, whose driver answers."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho NVIDIA GeForce RTX 3090, 8.6, 580.65.06\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(hardware, "host", _HOST)
