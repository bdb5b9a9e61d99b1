"""GPUs by name, the host's own, and what runs on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.catalogue import hardware
from imagekit.catalogue.hardware import Hardware, Needs
from imagekit.catalogue.rows import (
    Architecture,
    CudaVersion,
    DriverBranch,
    FrameworkBuild,
    Gpu,
    Row,
)
from imagekit.errors import InputError

SAID = {"source": "https://example.com/facts", "date": "2026-11-23"}
CITED = "(source: https://example.com/facts, 2026-11-23)"


def build(version: str, cuda: str, cc_max: str = "") -> FrameworkBuild:
    return FrameworkBuild(
        name="tensorflow",
        version=version,
        release=f"{version}.0",
        cuda=cuda,
        cudnn="",
        pythons=("3.11",),
        releases=(),
        requirements=(),
        index="",
        sources=("wheels",),
        glibc="",
        cc_min="",
        cc_max=cc_max,
        preferred=True,
        experimental=False,
        **SAID,
    )


ROWS: tuple[Row, ...] = (
    Gpu(name="GeForce RTX 2080 Ti", cc="7.5", **SAID),
    Gpu(name="GeForce RTX 3090", cc="8.6", **SAID),
    Gpu(name="Quadro RTX 6000", cc="7.5", **SAID),
    Gpu(name="RTX 6000 Ada Generation", cc="8.9", **SAID),
    Gpu(name="Tesla V100", cc="7.0", **SAID),
    Gpu(name="A100", cc="8.0", **SAID),
    Gpu(name="GeForce GT 730 (DDR3, 128bit)", cc="2.1", **SAID),
    Gpu(name="GeForce GT 730", cc="3.5", **SAID),
    Architecture(
        name="Volta",
        capabilities=("7.0", "7.2"),
        first_cuda="9.0",
        last_cuda="12.x",
        last_driver="R580",
        **SAID,
    ),
    Architecture(
        name="Turing",
        capabilities=("7.5",),
        first_cuda="10.0",
        last_cuda="",
        last_driver="",
        **SAID,
    ),
    Architecture(
        name="Ampere",
        capabilities=("8.0", "8.6", "8.7"),
        first_cuda="11.0",
        last_cuda="",
        last_driver="",
        **SAID,
    ),
    CudaVersion(
        version="10.0", driver="410.48", driver_min="410.48", cc_min="3.0", cc_max="7.5", **SAID
    ),
    CudaVersion(
        version="12.2",
        driver="535.54.03",
        driver_min="525.60.13",
        cc_min="5.0",
        cc_max="9.0",
        **SAID,
    ),
    CudaVersion(
        version="13.0", driver="580.65.06", driver_min="580.65.06", cc_min="7.5", cc_max="", **SAID
    ),
    DriverBranch(branch="R535", kind="LTS", end_of_life="2026-06-30", **SAID),
    build("1.15", "10.0"),
    build("2.15", "12.2"),
    build("2.20", "13.0"),
    build("2.19", ""),
)

TF1 = Needs("TensorFlow 1.15.5", "10.0", "410.48", "3.0", "7.5")
CUDA12 = Needs("CUDA 12.2", "12.2", "525.60.13", "5.0", "9.0")
CUDA13 = Needs("CUDA 13.0", "13.0", "580.65.06", "7.5", "")


@pytest.fixture(autouse=True)
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small catalogue that nobody edits."""

    def rows_of(kind: type[Row]) -> tuple[Row, ...]:
        return tuple(row for row in ROWS if isinstance(row, kind))

    monkeypatch.setattr(hardware, "table", rows_of)


# ---- names


@pytest.mark.parametrize(
    ("name", "cc"),
    [
        ("GeForce RTX 2080 Ti", "7.5"),
        ("rtx 2080 ti", "7.5"),
        ("RTX2080Ti", "7.5"),
        ("2080 ti", "7.5"),
        ("NVIDIA GeForce RTX 3090", "8.6"),
        ("nvidia-geforce-rtx-3090", "8.6"),
        ("NVIDIA A100-SXM4-80GB", "8.0"),
        ("Tesla V100-PCIE-16GB", "7.0"),
        ("v100", "7.0"),
        ("RTX 6000", "7.5"),
        ("rtx 6000 ada", "8.9"),
    ],
)
def test_a_gpu_is_found_whatever_brand_case_and_form_are_written(name: str, cc: str) -> None:
    assert hardware.find(name).cc == cc


def test_an_exact_name_wins_over_one_that_is_only_alike() -> None:
    assert hardware.find("geforce gt 730").cc == "3.5"


def test_an_unknown_gpu_is_refused_with_what_may_be_meant() -> None:
    with pytest.raises(InputError) as error:
        hardware.find("RTX 2080 Tie")
    assert str(error.value) == (
        '--gpu: "RTX 2080 Tie" is not in the catalogue\n  hint: did you mean "GeForce RTX 2080 Ti"?'
    )


def test_a_name_like_no_other_is_answered_with_another_way_of_saying_it() -> None:
    with pytest.raises(InputError, match=r"--gpu 7\.5"):
        hardware.find("Voodoo")


def test_a_name_that_means_different_gpus_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twins = (Gpu(name="GeForce X1", cc="7.5", **SAID), Gpu(name="Quadro X1", cc="8.6", **SAID))
    monkeypatch.setattr(hardware, "table", lambda _kind: twins)
    with pytest.raises(InputError, match="may be each of GeForce X1, Quadro X1"):
        hardware.find("x1")


@pytest.mark.parametrize(
    ("gpu", "driver", "meant"),
    [
        ("", "", ()),
        ("7.5", "", (Hardware("", "7.5", ""),)),
        ("12.0", "R580", (Hardware("", "12.0", "580"),)),
        ("", "535.104.05", (Hardware("", "", "535.104.05"),)),
        ("a100", "535", (Hardware("A100", "8.0", "535"),)),
    ],
)
def test_hardware_can_be_given_in_part(gpu: str, driver: str, meant: tuple[Hardware, ...]) -> None:
    assert hardware.given(gpu, driver) == meant


@pytest.mark.parametrize("driver", ["new", "12", "535.", "535.1.2.3", "535\n"])
def test_what_is_no_driver_version_is_refused(driver: str) -> None:
    with pytest.raises(InputError, match="is no driver version"):
        hardware.given("", driver)


def test_hardware_reads_well() -> None:
    assert str(Hardware("A100", "8.0", "535")) == "A100 (compute capability 8.0, driver 535)"
    assert str(Hardware("", "8.0", "")) == "a GPU with compute capability 8.0"
    assert str(Hardware("Voodoo", "", "")) == "Voodoo"


# ---- this host


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program called nvidia-smi is found, once it is written."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "nvidia-smi"


def program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_a_host_without_the_driver_has_no_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert hardware.host() == ()


def test_a_hosts_gpus_are_each_kind_once(smi: Path) -> None:
    program(
        smi,
        """[ "$*" = "--query-gpu=name,compute_cap,driver_version --format=csv,noheader" ] || exit 6
echo "NVIDIA A100-SXM4-80GB, 8.0, 535.104.05"
echo "NVIDIA A100-SXM4-80GB, 8.0, 535.104.05"
echo "Tesla T4, 7.5, 535.104.05" """,
    )
    assert hardware.host() == (
        Hardware("NVIDIA A100-SXM4-80GB", "8.0", "535.104.05"),
        Hardware("Tesla T4", "7.5", "535.104.05"),
    )


def test_a_driver_too_old_to_say_the_capability_is_helped_by_the_catalogue(smi: Path) -> None:
    program(
        smi,
        """case "$1" in *compute_cap*) echo 'Field "compute_cap" is not valid.'; exit 6;; esac
echo "Tesla V100-SXM2-16GB, 410.48"
echo "Voodoo, 410.48" """,
    )
    assert hardware.host() == (
        Hardware("Tesla V100-SXM2-16GB", "7.0", "410.48"),
        Hardware("Voodoo", "", "410.48"),
    )


def test_what_the_driver_does_not_know_is_not_known(smi: Path) -> None:
    program(smi, 'echo "Voodoo, [N/A], [N/A]"; echo "NVIDIA A100-SXM4-40GB, [N/A], 535.104.05"')
    assert hardware.host() == (
        Hardware("Voodoo", "", ""),
        Hardware("NVIDIA A100-SXM4-40GB", "8.0", "535.104.05"),
    )


@pytest.mark.parametrize(
    "body", ["exit 9", "echo No devices were found", "printf '\\377'", "kill -9 $$"]
)
def test_a_driver_that_does_not_answer_is_no_hardware(smi: Path, body: str) -> None:
    program(smi, body)
    assert hardware.host() == ()


def test_a_driver_that_hangs_is_left_alone(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_SECONDS", 0.1)
    program(smi, "exec sleep 60")
    assert hardware.host() == ()


# ---- what runs on it


@pytest.mark.parametrize(
    ("needs", "there", "reasons"),
    [
        (CUDA12, Hardware("", "8.6", "535"), ()),
        (CUDA12, Hardware("", "", ""), ()),
        (CUDA12, Hardware("", "", "525"), ()),  # of a branch, its newest driver is meant
        (CUDA12, Hardware("", "", "525.60.13"), ()),
        (
            CUDA12,
            Hardware("", "", "525.60.11"),
            (f"driver 525.60.11 is older than 525.60.13, the oldest for CUDA 12.2 {CITED}",),
        ),
        (
            CUDA12,
            Hardware("", "", "470"),
            (f"driver 470 is older than 525.60.13, the oldest for CUDA 12.2 {CITED}",),
        ),
        (CUDA12, Hardware("", "9.5", ""), ()),  # a higher minor version of the same major one
        (
            CUDA12,
            Hardware("", "3.5", ""),
            (f"CUDA 12.2 has no code for GPUs of compute capability 3.5, but from 5.0 on {CITED}",),
        ),
        (
            CUDA12,
            Hardware("", "10.0", ""),
            (
                (
                    "CUDA 12.2 has code up to compute capability 9.0, which does not run on GPUs "
                    "of compute capability 10.0: binaries run on their own major version only, and "
                    "nothing is known of PTX that the driver could translate (source: CUDA C++ "
                    "Programming Guide, Binary Compatibility)"
                ),
            ),
        ),
        (
            CUDA13,
            Hardware("", "7.0", ""),
            (
                (
                    "CUDA 13.0 no longer supports Volta GPUs (compute capability 7.0); the last "
                    f"that does is CUDA 12.x {CITED}"
                ),
            ),
        ),
        (CUDA13, Hardware("", "12.0", "580"), ()),
        (
            CUDA12,
            Hardware("", "7.0", "590"),
            (
                (
                    "driver 590 no longer supports Volta GPUs; the last branch that does is R580 "
                    f"{CITED}"
                ),
            ),
        ),
        (CUDA12, Hardware("", "7.0", "580.65.06"), ()),
        (TF1, Hardware("", "7.5", "535"), ()),
    ],
)
def test_what_runs_and_what_does_not(
    needs: Needs, there: Hardware, reasons: tuple[str, ...]
) -> None:
    assert hardware.misfits(needs, there) == reasons


@pytest.mark.parametrize("cc", ["8.0", "8.6", "8.9", "9.0", "10.0", "12.0"])
def test_tensorflow_1_runs_on_nothing_from_ampere_on(cc: str) -> None:
    (reason,) = hardware.misfits(TF1, Hardware("", cc, ""))
    assert reason.startswith("TensorFlow 1.15.5 has code up to compute capability 7.5")


def test_the_end_of_a_driver_branch_is_a_note_from_its_day_on() -> None:
    there = Hardware("A100", "8.0", "535.104.05")
    assert hardware.notes(there, "2026-06-29") == ()
    assert hardware.notes(there, "2026-06-30") == (
        f"driver branch R535: its support ended 2026-06-30 {CITED}",
    )
    assert hardware.notes(Hardware("A100", "8.0", "580"), "2030-01-01") == ()
    assert hardware.notes(Hardware("A100", "8.0", ""), "2030-01-01") == ()


@pytest.mark.parametrize(("today", "over"), [("2026-06-30", False), ("2026-07-01", True)])
def test_a_month_is_over_with_its_last_day(
    monkeypatch: pytest.MonkeyPatch, today: str, over: bool
) -> None:
    branch = DriverBranch(branch="R535", kind="LTS", end_of_life="2026-06", **SAID)
    monkeypatch.setattr(hardware, "table", lambda _kind: (branch,))
    assert bool(hardware.notes(Hardware("", "", "535"), today)) is over


def test_what_fits_is_named_newest_first() -> None:
    volta, ampere = Hardware("", "7.0", "580"), Hardware("", "8.6", "580")
    assert hardware.cuda_that_fits((volta,)) == ("12.2", "10.0")
    assert hardware.cuda_that_fits((ampere,)) == ("13.0", "12.2")
    assert hardware.cuda_that_fits((volta, ampere)) == ("12.2",)
    found = hardware.builds_that_fit("tensorflow", (ampere,))
    assert [row.version for row in found] == ["2.20", "2.15"]
    assert hardware.builds_that_fit("jax", (ampere,)) == ()
