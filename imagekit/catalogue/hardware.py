"""GPUs and drivers: found by name or on this host, and what runs on them.

Three rules decide. A driver has to reach the floor of the CUDA version. A GPU's compute
capability has to lie in what the binaries were built for: "cubin objects are
binary-compatible within a major revision, to a higher minor revision" (CUDA C++ Programming
Guide, "Binary Compatibility"); PTX that a driver would translate for a higher major revision
is not counted on. And NVIDIA ends the support of old GPUs, in CUDA and in the driver.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imagekit.catalogue.rows import (
    Architecture,
    CudaVersion,
    DriverBranch,
    FrameworkBuild,
    Gpu,
    Row,
)
from imagekit.catalogue.tables import table
from imagekit.catalogue.versions import at_least, key, within
from imagekit.document import quote
from imagekit.errors import InputError, Message

_PROGRAM = "nvidia-smi"
_SECONDS = 10.0  # a driver that hangs must not hang us
_CAPABILITY = re.compile(r"[0-9]{1,2}\.[0-9]\Z", re.ASCII)
_DRIVER = re.compile(r"[Rr]?([0-9]{3}(?:\.[0-9]{1,3}){0,2})\Z", re.ASCII)
# What stands in names without telling models apart: brands, and what nvidia-smi adds.
_BRANDS = frozenset({"nvidia", "geforce", "quadro", "tesla", "corporation"})
_FORMS = re.compile(
    r"(sxm|hbm)\d?e?|pcie|nvl|\d+gb|gpu|laptop|mobile|graphics|generation", re.ASCII
)
_LINES = frozenset({"rtx", "gtx"})
_GUIDE = "CUDA C++ Programming Guide, Binary Compatibility"


@dataclass(frozen=True, slots=True)
class Hardware:
    """A GPU with its driver.

    Attributes:
        gpu: the model's name, or empty where only the rest is known.
        cc: its compute capability, for instance ``7.5``, or empty.
        driver: NVIDIA's driver, for instance ``535.104.05`` or a branch, ``535``, or empty.
    """

    gpu: str
    cc: str
    driver: str

    def __str__(self) -> str:
        """The hardware in words: ``GeForce RTX 3090 (compute capability 8.6, driver 535)``."""
        facts = []
        if self.cc:
            facts.append(f"compute capability {self.cc}")
        if self.driver:
            facts.append(f"driver {self.driver}")
        about = ", ".join(facts)
        if not self.gpu:
            return f"a GPU with {about}"
        return f"{self.gpu} ({about})" if about else self.gpu


@dataclass(frozen=True, slots=True)
class Needs:
    """What a CUDA image asks of the hardware.

    Attributes:
        subject: what has these needs, for people, for instance ``TensorFlow 1.15.5``.
        cuda: the CUDA version, or empty where it is not known.
        driver_min: oldest driver, or empty.
        cc_min: lowest compute capability, or empty.
        cc_max: highest one, or empty.
    """

    subject: str
    cuda: str
    driver_min: str
    cc_min: str
    cc_max: str


# ---- which hardware


def given(gpu: str, driver: str) -> tuple[Hardware, ...]:
    """The hardware that somebody names; none when both are empty.

    Args:
        gpu: a model's name, with or without brand and in any case, or a compute capability.
        driver: a driver's version or branch.

    Raises:
        InputError: the catalogue has no such GPU, or this is no driver's version.
    """
    if not gpu and not driver:
        return ()
    matched = _DRIVER.match(driver)
    if driver and not matched:
        what = f"{quote(driver)} is no driver version"
        raise InputError(Message("--driver", what, "for instance 535 or 535.104.05"))
    version = matched[1] if matched else ""
    if not gpu:
        return (Hardware("", "", version),)
    if _CAPABILITY.match(gpu):
        return (Hardware("", gpu, version),)
    row = find(gpu)
    return (Hardware(row.name, row.cc, version),)


def find(name: str) -> Gpu:
    """The GPU that a name means.

    Raises:
        InputError: none, or several that differ in what runs on them.
    """
    rows = table(Gpu)
    for reduce in (_plain, _without_brand, _without_line):
        wanted = reduce(name)
        found = [row for row in rows if wanted and reduce(row.name) == wanted]
        if len({row.cc for row in found}) > 1:
            names = ", ".join(row.name for row in found)
            raise InputError(Message("--gpu", f"{quote(name)} may be each of {names}"))
        if found:
            return found[0]
    raise InputError(Message("--gpu", f"{quote(name)} is not in the catalogue", _nearest(name)))


def host() -> tuple[Hardware, ...]:
    """The GPUs of this host, each kind once; none where NVIDIA's driver does not say."""
    if shutil.which(_PROGRAM) is None:
        return ()
    found = [reported(*line) for line in _ask("name,compute_cap,driver_version")]
    # Old drivers do not know the field compute_cap.
    found = found or [reported(name, "", driver) for name, driver in _ask("name,driver_version")]
    return tuple(dict.fromkeys(found))


def reported(name: str, cc: str, driver: str) -> Hardware:
    """A GPU as nvidia-smi describes it, which writes ``[N/A]`` where it does not know.

    The catalogue's compute capability stands in for one that is not told.
    """
    if not _CAPABILITY.match(cc):
        try:
            cc = find(name).cc
        except InputError:
            cc = ""
    return Hardware(name, cc, driver if _DRIVER.match(driver) else "")


def _ask(fields: str) -> list[list[str]]:
    import subprocess  # noqa: PLC0415  (only hosts that have the program pay for it)

    command = [_PROGRAM, f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    lines = [[part.strip() for part in line.split(",")] for line in ended.stdout.splitlines()]
    return [line for line in lines if len(line) == fields.count(",") + 1]


def _plain(name: str) -> str:
    return "".join(re.findall(r"[a-z0-9]+", name.lower()))


def _without_brand(name: str) -> str:
    words = re.findall(r"[a-z0-9]+", name.lower())
    kept = [word for word in words if word not in _BRANDS and not _FORMS.fullmatch(word)]
    return "".join(kept)


def _without_line(name: str) -> str:
    for line in _LINES:
        name = re.sub(rf"(?i)\b{line}(?=\d|\b)", "", name)
    return _without_brand(name)


def _nearest(name: str) -> str:
    import difflib  # noqa: PLC0415  (4 ms that only a mistake is worth)

    known = {_without_brand(row.name): row.name for row in table(Gpu)}
    near = difflib.get_close_matches(_without_brand(name), list(known), n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(quote(known[word]) for word in near)}?"
    return "give its compute capability instead, for instance --gpu 7.5"


# ---- what runs on it


def misfits(
    needs: Needs, hardware: Hardware, rows: Iterable[CudaVersion] | None = None
) -> tuple[str, ...]:
    """Why something cannot run on hardware, one sentence a reason; nothing when it can.

    What is not known of the hardware, or what nothing is asked of, is no reason.

    Args:
        needs: what the thing asks for.
        hardware: one GPU with its driver.
        rows: CUDA versions for citing, the catalogue's when None.
    """
    cited = _cited(_row_of(needs.cuda, table(CudaVersion) if rows is None else rows))
    reasons = []
    if hardware.driver and needs.driver_min and _older(hardware.driver, needs.driver_min):
        cuda = f"CUDA {needs.cuda}" if needs.cuda else needs.subject
        reasons.append(
            f"driver {hardware.driver} is older than {needs.driver_min}, the oldest for {cuda}"
            f"{cited}"
        )
    if hardware.cc:
        reasons += _capability_misfits(needs, hardware.cc, cited)
    return (*reasons, *_ended(hardware))


def _capability_misfits(needs: Needs, cc: str, cited: str) -> Iterator[str]:
    architecture = _architecture(cc)
    called = f"{architecture.name} GPUs (compute capability {cc})" if architecture else ""
    called = called or f"GPUs of compute capability {cc}"
    if architecture and needs.cuda and _beyond(needs.cuda, architecture.last_cuda):
        yield (
            f"CUDA {needs.cuda} no longer supports {called}; the last that does is CUDA "
            f"{architecture.last_cuda}{_cited(architecture)}"
        )
    elif needs.cc_min and not at_least(cc, needs.cc_min):
        yield f"{needs.subject} has no code for {called}, but from {needs.cc_min} on{cited}"
    elif needs.cc_max and key(cc)[0] > key(needs.cc_max)[0]:
        yield (
            f"{needs.subject} has code up to compute capability {needs.cc_max}, which does not "
            f"run on {called}: binaries run on their own major version only, and nothing is "
            f"known of PTX that the driver could translate (source: {_GUIDE})"
        )


def _ended(hardware: Hardware) -> Iterator[str]:
    """Whether the driver is too new for the GPU."""
    architecture = _architecture(hardware.cc)
    if architecture and architecture.last_driver and hardware.driver:
        last = architecture.last_driver.lstrip("R")
        if key(hardware.driver)[0] > key(last)[0]:
            yield (
                f"driver {hardware.driver} no longer supports {architecture.name} GPUs; the last "
                f"branch that does is R{last}{_cited(architecture)}"
            )


def notes(hardware: Hardware, today: str) -> tuple[str, ...]:
    """What does not stop anything, but should be known: support that has ended.

    Args:
        hardware: one GPU with its driver.
        today: the day, ISO 8601.
    """
    found = []
    for row in table(DriverBranch) if hardware.driver else ():
        branch = row.branch.lstrip("R")
        if branch == hardware.driver.split(".")[0] and _is_over(row.end_of_life, today):
            found.append(
                f"driver branch R{branch}: its support ended {row.end_of_life}{_cited(row)}"
            )
    return tuple(found)


def _is_over(end: str, today: str) -> bool:
    """Whether a day has come; a month without a day is over with its last one."""
    return bool(end) and (end < today[: len(end)] or end == today)


def cuda_that_fits(hardware: Iterable[Hardware]) -> tuple[str, ...]:
    """The CUDA versions that run on all of this hardware, the newest first."""
    present = tuple(hardware)
    found = [row.version for row in table(CudaVersion) if not _any_misfit(_needs_of(row), present)]
    return tuple(sorted(found, key=key, reverse=True))


def builds_that_fit(framework: str, hardware: Iterable[Hardware]) -> tuple[FrameworkBuild, ...]:
    """The builds of a framework that run on all of this hardware, the newest first."""
    present = tuple(hardware)
    versions = {row.version: row for row in table(CudaVersion)}
    found = []
    for build in table(FrameworkBuild):
        row = versions.get(build.cuda)
        if build.name != framework or row is None or build.experimental:
            continue
        needs = Needs(
            f"{build.name} {build.release}",
            build.cuda,
            row.driver_min,
            build.cc_min or row.cc_min,
            build.cc_max or row.cc_max,
        )
        if not _any_misfit(needs, present):
            found.append(build)
    return tuple(
        sorted(found, key=lambda build: (key(build.version), build.preferred), reverse=True)
    )


def _any_misfit(needs: Needs, hardware: Iterable[Hardware]) -> bool:
    return any(misfits(needs, one, ()) for one in hardware)


def _needs_of(row: CudaVersion) -> Needs:
    return Needs(f"CUDA {row.version}", row.version, row.driver_min, row.cc_min, row.cc_max)


def _older(driver: str, floor: str) -> bool:
    """Whether a driver is below a floor; of a branch alone, whether the whole branch is."""
    depth = driver.count(".") + 1
    return not at_least(driver, ".".join(floor.split(".")[:depth]))


def _beyond(cuda: str, last: str) -> bool:
    """Whether a CUDA version is newer than the last one; ``11.x`` is all of CUDA 11."""
    if not last:
        return False
    end = last.removesuffix(".x")
    return not within(cuda, end) and key(cuda) > key(end)


def _architecture(cc: str) -> Architecture | None:
    return next((row for row in table(Architecture) if cc and cc in row.capabilities), None)


def _row_of(cuda: str, rows: Iterable[CudaVersion]) -> CudaVersion | None:
    return next((row for row in rows if row.version == cuda), None)


def _cited(row: Row | None) -> str:
    return f" (source: {row.source}, {row.date})" if row else ""
