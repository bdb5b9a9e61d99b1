"""What the stack means for the image: CUDA, the framework, and the Python environment."""

from __future__ import annotations

from imagekit.catalogue import BaseImage, CudaConda, CudaRecipe, CudaWheels
from imagekit.plan.model import CONDA as CONDA_PREFIX
from imagekit.plan.model import VENV, Cuda, Framework, Python
from imagekit.plan.stack import (
    COMMUNITY_CHANNEL,
    CONDA,
    DEVEL,
    IMAGE,
    RUNTIME,
    WHEELS,
    Stack,
    cuda_version,
)
from imagekit.profile import Profile

_JUPYTER = ("jupyterlab", "jupyter-server-proxy")


def cuda(stack: Stack) -> Cuda | None:
    """CUDA and the hardware that it and the framework run on; None without CUDA."""
    supply, build = stack.cuda, stack.build
    if not supply.version:
        return None
    row = cuda_version(supply.version)
    recipe = supply.row if isinstance(supply.row, CudaRecipe) else None
    return Cuda(
        version=supply.version,
        cudnn=stack.cudnn,
        flavour=supply.flavour or RUNTIME,
        source=supply.source,
        driver_min=row.driver_min,
        cc_min=(build.cc_min if build else "") or row.cc_min,
        cc_max=(build.cc_max if build else "") or row.cc_max,
        repository=recipe.repository if recipe else "",
        key=recipe.key if recipe else "",
        files=recipe.files if recipe else (),
    )


def framework(stack: Stack) -> Framework | None:
    """The framework's name and release; None without one."""
    return None if stack.build is None else Framework(stack.build.name, stack.release)


def python(profile: Profile, stack: Stack) -> Python | None:
    """The environment, or None where nothing needs one."""
    own = profile.jupyter or profile.pip or profile.npm or profile.python
    libraries = stack.cuda.source in {WHEELS, CONDA}
    if stack.python.source == IMAGE or not (stack.build or own or libraries):
        return None
    from_channel = stack.python.source == CONDA
    build = stack.build
    return Python(
        version=stack.python.version,
        source=stack.python.source,
        prefix=CONDA_PREFIX if from_channel else VENV,
        channel=_channel(stack) if from_channel else "",
        specs=_specs(stack) if from_channel else (),
        cuda=_cuda_requirements(stack),
        framework=tuple(item.format(release=stack.release) for item in build.requirements)
        if build
        else (),
        index=build.index if build else "",
        jupyter=_JUPYTER if profile.jupyter else (),
        pip=profile.pip,
        npm=profile.npm,
    )


def base_image(stack: Stack, given: str) -> str:
    """What stands in FROM: the image given, the one CUDA comes with, or the release's."""
    row = stack.cuda.row
    if given:
        return given
    return f"{row.image}:{row.tag}" if isinstance(row, BaseImage) else stack.os.image


def _channel(stack: Stack) -> str:
    row = stack.cuda.row
    return row.channel if isinstance(row, CudaConda) else COMMUNITY_CHANNEL


def _specs(stack: Stack) -> tuple[str, ...]:
    """What conda installs: Python, pip, and CUDA where it comes from there."""
    row = stack.cuda.row
    libraries = (*row.packages, *row.cudnn_packages) if isinstance(row, CudaConda) else ()
    return (f"python={stack.python.version}", "pip", *libraries)


def _cuda_requirements(stack: Stack) -> tuple[str, ...]:
    """Pip requirements of CUDA itself; a framework's own wheels bring the libraries."""
    row = stack.cuda.row
    if not isinstance(row, CudaWheels):
        return ()
    compiler = row.devel if stack.cuda.flavour == DEVEL else ()
    return compiler if stack.build else (*row.runtime, *row.cudnn, *compiler)
