"""What of a plan goes where in the Dockerfile: all names that templates may use.

The templates decide nothing, so what they ask (``if NAME``, ``for … in NAME``) is
answered here, and a plan that they could not write truthfully is refused here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from imagekit.errors import InputError, Message
from imagekit.names import labels, ports
from imagekit.plan.model import APPLICATIONS, BROWSER, CONDA, MOZILLA, Cuda, File, Plan, Python

# @novnc/novnc 1.7.0, dist.integrity of the npm registry in hexadecimal (looked up 2026-11-23).
_NOVNC_SHA512 = (
    "b9c1093b1e13d9abc844295ea1d93b6286d98f93b619ad8078b7d0ebd03fca31"
    "bd1c76dadbe3c38304a437716db6b986fbbd191b1db5b0494d168b8ad77473c8"
)

# The conda command, where the environment has not taken conda's usual place.
_CONDA_BESIDE = "/opt/conda-command"

# Where NVIDIA's packages and images have their compiler; wheels' are linked to there.
_TOOLKIT = "/usr/local/cuda"

_SHELLS = {"bash": "/bin/bash", "zsh": "/usr/bin/zsh", "fish": "/usr/bin/fish"}

# What of the driver containers get: https://docs.nvidia.com/datacenter/cloud-native/
# container-toolkit/latest/docker-specialized.html#driver-capabilities
_CAPABILITIES = "compute,utility"
_CAPABILITIES_OF_A_DESKTOP = f"{_CAPABILITIES},graphics,video,display"

# Folders of templates/build that only some images need; the others go with every image.
_BUILD_FOLDERS = ("python", "desktop", "cuda", "mirrors")


@dataclass(frozen=True, slots=True)
class Layout:
    """What is written and copied.

    Attributes:
        values: names for the templates.
        rootfs: features whose files are copied into the image, in order.
        left_out: folders of ``templates/build`` that no step of this image needs.
    """

    values: dict[str, Any]
    rootfs: tuple[str, ...]
    left_out: frozenset[str]


def layout(plan: Plan) -> Layout:
    """Lay a plan out.

    Raises:
        InputError: the plan asks for what no Dockerfile of ours could do.
    """
    check(plan)
    apt = dict(plan.apt)
    python, cuda = plan.python, plan.cuda
    rootfs = _rootfs(plan)
    values = {
        "plan": plan,
        "digest": plan.digest,
        "apt": {feature: apt.get(feature, ()) for feature in _APT_FEATURES},
        "apt_cache": f"imagekit-{plan.os.id}-apt",
        "interpreter": sorted({*apt.get("python", ())} - {*apt.get("base", ())}),
        "stale_sources": cuda is not None and cuda.source == "image",
        "stages": _stages(plan),
        "trunk": _trunk(plan),
        "late": _late(plan),
        "own": _own(plan, apt),
        "last": _last(plan),
        "rootfs": rootfs,
        "desktop": plan.desktop is not None,
        "jupyter": plan.jupyter,
        "sudo": plan.user.sudo,
        "groups": ",".join(plan.user.groups),
        "shell": _SHELLS[plan.user.shell],
        # Images of Ubuntu since 23.04 come with an account of uid 1000.
        "other_account": plan.os.id.startswith("ubuntu"),
        "sshd": plan.sshd is not None,
        "path": _path(plan),
        "environment": (
            ("LANG", plan.locale.lang),
            ("TZ", plan.locale.timezone),
            *_gpu_environment(plan),
            *plan.env,
        ),
        "labels": labels(plan),
        "ports": ports(plan),
        "health": plan.health,
        "no_health": plan.health is None,
        "health_command": plan.health is not None and bool(plan.health.command),
        "mirrors": [f"{kind}={url}" for kind, url in plan.mirrors],
        "files": plan.files,
        "conda_prefix": _conda_prefix(plan),
        "novnc_sha512": _NOVNC_SHA512,
        **_python_values(python, cuda),
    }
    early = (MOZILLA,) if _has_mozilla(plan) else ()
    return Layout(values, (*rootfs, *early), _left_out(plan))


_APT_FEATURES = (
    *("base", "cuda", "sshd", "desktop", APPLICATIONS, "locale", MOZILLA),
    *("user", "packages"),
)


def check(plan: Plan) -> None:
    """Refuse what would otherwise be ignored or fail late.

    Raises:
        InputError: with everything that does not go together.
    """
    python, cuda = plan.python, plan.cuda
    source = cuda.source if cuda else ""
    old = plan.os.id == "ubuntu18.04"
    rules = (
        (plan.jupyter and not (python and python.jupyter), "Jupyter needs an environment"),
        (
            plan.framework is not None and python is None and source != "image",
            "a framework needs an environment, or a base image that has it",
        ),
        (
            python is not None and bool(python.framework) and plan.framework is None,
            "there are requirements of a framework, and no framework",
        ),
        (source in {"wheels", "conda"} and python is None, "CUDA's libraries need an environment"),
        (
            source == "conda" and python is not None and python.source != "conda",
            "CUDA from a conda channel needs a Python from there",
        ),
        (
            old and (plan.conda or (python is not None and python.source == "conda")),
            "what installs conda packages needs Python 3.8, and Ubuntu 18.04 has 3.6",
        ),
    )
    problems = [what for broken, what in rules if broken]
    problems += [f"the content of {file.path} is missing" for file in plan.files if _lacks(file)]
    if problems:
        hint = "this plan was not made by imagekit, or by another version of it"
        raise InputError(Message(plan.profile, what, hint) for what in problems)


def _lacks(file: File) -> bool:
    """Whether a file's content is not what its checksum says: a plan read from a label."""
    return hashlib.sha256(file.data).hexdigest() != file.sha256


def _rootfs(plan: Plan) -> list[str]:
    """Features with files of their own in the image."""
    present = (
        ("base", True),
        ("sshd", plan.sshd is not None),
        ("desktop", plan.desktop is not None),
        (BROWSER, plan.desktop is not None and BROWSER in plan.desktop.applications),
        ("graphics", plan.desktop is not None and plan.cuda is not None),
        ("jupyter", plan.jupyter),
        ("conda", plan.conda),
        ("healthcheck", plan.health is not None and bool(plan.health.command)),
    )
    return [feature for feature, there in present if there]


def _has_mozilla(plan: Plan) -> bool:
    """Whether Firefox comes from Mozilla's package source, whose files the step itself needs."""
    return MOZILLA in dict(plan.apt)


def _stages(plan: Plan) -> list[str]:
    """Parts of the stages beside the apt trunk."""
    python = plan.python
    parts: list[str] = []
    if python is not None:
        parts.append("python")
        if python.cuda:
            parts.append("cuda.wheels")
        if python.framework:
            parts.append("framework")
        if python.jupyter:
            parts.append("jupyter")
    return [*parts, "conda"] if plan.conda else parts


def _trunk(plan: Plan) -> list[str]:
    """Parts before the environment, all of them apt's, what most profiles share first."""
    recipe = plan.cuda is not None and plan.cuda.source == "recipe"
    parts = (
        ("cuda.recipe", recipe),
        ("sshd", plan.sshd is not None),
        ("desktop", plan.desktop is not None),
        ("desktop.applications", APPLICATIONS in dict(plan.apt)),
        ("locale", True),
        ("desktop.mozilla", _has_mozilla(plan)),
    )
    return [part for part, there in parts if there]


def _late(plan: Plan) -> list[str]:
    """Parts on top of the environment that need it."""
    parts = (
        ("cuda", plan.cuda is not None and bool(_cuda_commands(plan.cuda, plan.python))),
        ("conda.shells", plan.conda),
    )
    return [part for part, there in parts if there]


def _own(plan: Plan, apt: dict[str, tuple[str, ...]]) -> list[str]:
    """Parts of the profile's own packages, then what takes a moment."""
    python = plan.python
    parts = (
        ("packages", "packages" in apt),
        ("python.packages", python is not None and bool(python.pip)),
        ("python.npm", python is not None and bool(python.npm)),
        ("locale.settings", True),
    )
    return [part for part, there in parts if there]


def _last(plan: Plan) -> list[str]:
    """Parts after all configuration."""
    return [part for part, there in (("mirrors", plan.mirrors), ("files", plan.files)) if there]


def _python_values(python: Python | None, cuda: Cuda | None) -> dict[str, Any]:
    """Names for the parts of the environment, which are left out without one."""
    if python is None:
        return {"python": False}
    indexed = (python.index,) if python.index else ()
    return {
        "python": True,
        "venv": python.source == "os",
        "python_command": f"python{python.version}",
        "channel": python.channel,
        "virtual_cuda": cuda.version if cuda else "",
        "framework_install": "environment_torch" if indexed else "environment_pip",
        "framework_arguments": (*indexed, *python.framework),
        "held": (*python.cuda, *python.framework),
        "cuda_commands": _cuda_commands(cuda, python) if cuda else (),
    }


def _cuda_commands(cuda: Cuda, python: Python | None) -> tuple[str, ...]:
    """Functions of build/cuda/cuda.sh that make an environment's libraries known."""
    if python is None or cuda.source not in {"wheels", "conda"}:
        return ()
    libraries = f"cuda_{cuda.source}"
    if cuda.source == "wheels" and cuda.flavour == "devel":
        return (libraries, "cuda_toolkit")
    return (libraries,)


def _conda_prefix(plan: Plan) -> str:
    taken = plan.python is not None and plan.python.prefix == CONDA
    return _CONDA_BESIDE if taken else CONDA


def _path(plan: Plan) -> str:
    """Folders in front of the base image's PATH."""
    folders = [f"{plan.python.prefix}/bin"] if plan.python else []
    if _has_toolkit(plan):
        folders.append(f"{_TOOLKIT}/bin")
    return ":".join(folders)


def _has_toolkit(plan: Plan) -> bool:
    """Whether there is a compiler in /usr/local/cuda."""
    cuda = plan.cuda
    return cuda is not None and cuda.flavour == "devel" and cuda.source != "conda"


def _gpu_environment(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Variables for NVIDIA's container runtime and for what looks for a toolkit.

    Which GPUs a container gets is said when it is made (``--gpus``), never by the image:
    NVIDIA's own images ask for all of them wherever their runtime is the default.
    """
    if plan.cuda is None:
        return ()
    capabilities = _CAPABILITIES_OF_A_DESKTOP if plan.desktop else _CAPABILITIES
    pairs = [("NVIDIA_DRIVER_CAPABILITIES", capabilities)]
    if plan.cuda.source == "image":
        pairs.append(("NVIDIA_VISIBLE_DEVICES", "void"))
    if _has_toolkit(plan):
        pairs.append(("CUDA_HOME", _TOOLKIT))
    return tuple(pairs)


def _left_out(plan: Plan) -> frozenset[str]:
    needed = {
        "python": plan.python is not None or plan.conda or plan.desktop is not None,
        "desktop": plan.desktop is not None,
        "cuda": plan.cuda is not None and plan.cuda.source != "image",
        "mirrors": bool(plan.mirrors),
    }
    return frozenset(f"build/{folder}" for folder in _BUILD_FOLDERS if not needed[folder])
