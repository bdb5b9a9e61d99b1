"""CUDA without a GPU: its libraries load, and its compiler says which one it is."""

from __future__ import annotations

import re
from typing import Any

from imagekit.catalogue.versions import within
from imagekit.checks.answer import PYTHON, answered
from imagekit.checks.check import AnswerError, CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.subject import Subject
from imagekit.plan.model import Cuda
from imagekit.wait import Deadline

FOLDERS = "/etc/ld.so.conf.d/imagekit-cuda.conf"
"""Where build/cuda/cuda.sh notes the folders of the libraries."""

_LOADS = "imagekit-loads:"

# Loads every library by its bare name, as programs do, and sees where it came from.
# What only a host with a GPU or InfiniBand has is told apart by what the linker misses.
# A library that is not there at all is known by its package's own list of files: RECORD of a
# wheel (https://packaging.python.org/en/latest/specifications/recording-installed-packages/),
# or dpkg's.
_SCRIPT = f"""
import ctypes, glob, json, os, re
folders = [line.strip() for line in open({FOLDERS!r})] if os.path.exists({FOLDERS!r}) else []
folders = folders or [f for f in ("/usr/local/cuda/lib64",) if os.path.isdir(f)]
loaded, missing, wrong = [], {{}}, {{}}
for folder in folders:
    for path in sorted(glob.glob(folder + "/lib*.so.*")):
        name = os.path.basename(path)
        print({_LOADS!r} + name, flush=True)
        try:
            ctypes.CDLL(name)
            loaded.append(name)
        except OSError as error:
            lacks = re.match("(lib[^:]+): cannot open shared object file", str(error))
            absent = lacks and lacks.group(1) != name
            (missing if absent else wrong)[name] = lacks.group(1) if absent else str(error)
def listed():
    for folder in folders:
        root, of_wheels, _ = folder.partition("/nvidia/")
        for record in glob.glob(root + "/nvidia*.dist-info/RECORD") if of_wheels else []:
            for line in open(record, errors="replace"):
                yield os.path.join(root, line.split(",")[0])
    for record in glob.glob("/var/lib/dpkg/info/*.list"):
        for line in open(record, errors="replace"):
            yield line.strip()
real = set(map(os.path.realpath, folders))
for path in filter(re.compile(r".*/lib[^/]+[.]so[.][0-9][^/]*$").match, listed()):
    if not os.path.lexists(path) and os.path.realpath(os.path.dirname(path)) in real:
        wrong[os.path.basename(path)] = "installed, and not there"
maps = open("/proc/self/maps").read()
elsewhere = [n for n in loaded if not any(
    os.path.realpath(os.path.join(f, n)) in maps for f in folders)]
print("imagekit:" + json.dumps(dict(
    loaded=loaded, missing=missing, wrong=wrong, elsewhere=elsewhere)))
"""

# What NVIDIA's libraries may link to beside CUDA: the driver's own libraries, which the
# container's runtime brings with a GPU, and those of networks that most hosts do not have.
_OF_THE_DRIVER = re.compile(r"lib(cuda|nvidia-[a-z-]+)\.so")
_OF_NETWORKS = re.compile(
    r"lib(ibverbs|rdmacm|mlx5|efa|fabric|mpi|oshmem|pmix|ucp|ucs|uct|nl-[a-z0-9-]+)\.so"
)

_LOOK_AT = f"{FOLDERS} and `ldconfig -p` in the container"


def check_cuda(subject: Subject, deadline: Deadline) -> Data:
    """Every CUDA library of the image is found and loads; a devel image has its nvcc."""
    plan = subject.plan
    cuda = plan.cuda
    if cuda is None:
        raise CheckSkippedError("the plan has no CUDA")
    with asking("CUDA's libraries", _LOOK_AT):
        code, text = subject.inside.execute(
            (PYTHON, "-c", _SCRIPT), user=plan.user.name, timeout=deadline.timeout()
        )
    try:
        found = answered(code, text)
    except AnswerError as error:
        got = _ending(code, text)
        raise CheckFailedError("every CUDA library loaded", got, _LOOK_AT) from error
    excused = [_OF_NETWORKS, _OF_THE_DRIVER] if subject.gpus.missing else [_OF_NETWORKS]
    absent = _judge(found, excused)
    if not found["loaded"] and plan.framework is None:
        raise CheckFailedError("CUDA's libraries", "none", _LOOK_AT)
    data: dict[str, object] = {"libraries": len(found["loaded"]), "need_the_host": absent}
    if cuda.flavour == "devel":
        data["nvcc"] = _check_nvcc(subject, cuda, deadline)
    return data


def _ending(code: int, text: str) -> str:
    """How the script ended before its time: a library that was cut off ends who loads it."""
    *_, last = ("", *(line for line in text.splitlines() if line.startswith(_LOADS)))
    said = "\n".join(line for line in text.splitlines() if not line.startswith(_LOADS))
    loading = f" while {last.removeprefix(_LOADS)} was loaded" if last else ""
    return f"exit code {code}{loading} and {said[-500:]!r}"


def _judge(found: dict[str, Any], excused: list[re.Pattern[str]]) -> list[str]:
    """The libraries that only a host with the hardware can load; anything else fails."""
    missing: dict[str, str] = found["missing"]
    broken: dict[str, str] = dict(found["wrong"])
    broken |= {
        name: f"needs {lacks}"
        for name, lacks in missing.items()
        if not any(pattern.match(lacks) for pattern in excused)
    }
    if broken:
        said = "; ".join(f"{name}: {why}" for name, why in sorted(broken.items()))
        raise CheckFailedError("every CUDA library loaded", said, _LOOK_AT)
    if elsewhere := list(found["elsewhere"]):
        said = f"from elsewhere: {', '.join(elsewhere)}"
        raise CheckFailedError("CUDA's libraries from where they were installed", said, _LOOK_AT)
    return [f"{name} ({lacks})" for name, lacks in sorted(missing.items())]


def _check_nvcc(subject: Subject, cuda: Cuda, deadline: Deadline) -> str:
    """The compiler's version, when it is the plan's."""
    asked = f"nvcc of CUDA {cuda.version}"
    with asking(asked, "PATH and CUDA_HOME of the image"):
        code, text = subject.inside.execute(
            ("nvcc", "--version"), user=subject.plan.user.name, timeout=deadline.timeout()
        )
    found = re.search(r"release ([0-9.]+)", text)
    if code != 0 or not found or not within(found.group(1), cuda.version):
        got = f"exit code {code} and {text[-300:]!r}"
        raise CheckFailedError(asked, got, "PATH and CUDA_HOME of the image")
    return found.group(1)
