"""What stands on what: operating system, CUDA, framework and Python that fit together.

``stacks`` reads the catalogue's tables and yields every combination that can be built;
what a profile asks for picks among them (``imagekit.plan.wanted``), and what it leaves
open is decided by their order (``rank``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from imagekit import catalogue
from imagekit.catalogue import (
    BaseImage,
    CondaPython,
    CudaConda,
    CudaRecipe,
    CudaVersion,
    CudaWheels,
    FrameworkBuild,
    OsRelease,
    table,
)
from imagekit.catalogue.versions import at_least, key, within

RUNTIME, DEVEL = "runtime", "devel"
WHEELS, CONDA, IMAGE, RECIPE = "wheels", "conda", "image", "recipe"
SOURCES = (WHEELS, CONDA, IMAGE, RECIPE)
"""Ways to get CUDA into an image, the preferred one first."""

CUDA_IMAGE = "nvidia/cuda"
COMMUNITY_CHANNEL = "conda-forge"
_LONGEST = 6  # parts that a version has
_PYTHON_SOURCES = ("os", CONDA, IMAGE)
_THERE = frozenset({"present", "seen"})

# The desktop, ssh and editors on top of old frameworks have to be today's.
_MODERN = frozenset({"debian12", "debian13"})


@dataclass(frozen=True, slots=True)
class CudaSupply:
    """One way of getting one CUDA version onto one release.

    Attributes:
        version: the CUDA version, empty for no CUDA at all.
        source: one of ``SOURCES``, or empty.
        flavour: ``runtime`` or ``devel``, or empty.
        cudnn: version of cuDNN that comes with it, empty for none of its own.
        row: what it is made by.
    """

    version: str = ""
    source: str = ""
    flavour: str = ""
    cudnn: str = ""
    row: CudaWheels | CudaConda | CudaRecipe | BaseImage | None = None


NO_CUDA = CudaSupply()


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python and where it comes from.

    Attributes:
        version: for instance ``3.11``.
        source: ``os`` for one of the release's own, ``conda`` for a channel's, ``image`` for
            the one that a framework's own image has it in.
    """

    version: str
    source: str


@dataclass(frozen=True, slots=True)
class Stack:
    """One combination that works."""

    os: OsRelease
    python: Interpreter
    cuda: CudaSupply
    build: FrameworkBuild | None
    release: str

    @property
    def image(self) -> str:
        """Reference of the base image that CUDA comes with, or empty."""
        row = self.cuda.row
        return f"{row.image}:{row.tag}" if isinstance(row, BaseImage) else ""

    @property
    def cudnn(self) -> str:
        """The cuDNN that the framework will load, or that comes with CUDA."""
        if self.cuda.source in {CONDA, RECIPE} or self.build is None:
            return self.cuda.cudnn
        brought = WHEELS in self.build.sources
        return self.build.cudnn if brought else self.cuda.cudnn


@cache
def stacks(framework: str, *, gpu: bool, version: str = "") -> tuple[Stack, ...]:
    """Every combination for a framework, in no particular order.

    Args:
        framework: ``tensorflow``, ``pytorch``, ``jax``, or empty for none.
        gpu: whether CUDA is part of it.
        version: only those of this version of the framework; all when empty.
    """
    return tuple(_stacks(framework, gpu, version))


def is_of(build: FrameworkBuild, number: str, version: str) -> bool:
    """Whether a release of a line is what a profile's ``framework.version`` says."""
    return within(number, version) or within(build.version, version)


def _stacks(framework: str, gpu: bool, version: str) -> Iterator[Stack]:
    for release in catalogue.os_releases().values():
        if not release.packages:
            continue
        if framework:
            builds = [
                (build, number, pythons)
                for build in table(FrameworkBuild)
                if build.name == framework and bool(build.cuda) == gpu
                for number, pythons in releases(build)
                if is_of(build, number, version)
            ]
            yield from _made(builds, release)
            yield from _ready(builds, release)
        else:
            for supply in _bare_supplies(release) if gpu else (NO_CUDA,):
                for python in interpreters(release):
                    if _python_suits(python, supply):
                        yield Stack(release, python, supply, None, "")


def rank(stack: Stack) -> tuple[object, ...]:
    """What to sort by, the best first: newest, then modern and simple."""
    build = stack.build
    order = list(catalogue.os_releases())
    newest: tuple[object, ...] = ()
    if build is not None:
        newest = (
            # What its makers install by default is no experiment, whatever they call it.
            build.experimental and not build.preferred,
            _descending(build.version),
            _descending(stack.release),
            not build.preferred,
        )
    return (
        *newest,
        _descending(stack.cuda.version),
        stack.os.id not in _MODERN,
        _PYTHON_SOURCES.index(stack.python.source),
        order.index(stack.os.id),
        SOURCES.index(stack.cuda.source) if stack.cuda.source else -1,
        stack.cuda.flavour == DEVEL,
        # A runtime with cuDNN serves more people than one without.
        not stack.cuda.cudnn,
        _image_order(stack.cuda),
        # Anaconda asks larger organisations to pay for its own channels.
        isinstance(stack.cuda.row, CudaConda) and stack.cuda.row.channel != COMMUNITY_CHANNEL,
        stack.python.version != stack.os.python,
        _descending(stack.python.version),
    )


def _image_order(supply: CudaSupply) -> tuple[int, ...]:
    """The newest of several images with the same CUDA."""
    row = supply.row
    return _descending(row.tag.partition("-")[0]) if isinstance(row, BaseImage) else ()


@cache
def cuda_version(version: str) -> CudaVersion:
    """The catalogue's row of a CUDA version that another row names."""
    return next(row for row in table(CudaVersion) if row.version == version)


def interpreters(release: OsRelease) -> tuple[Interpreter, ...]:
    """All Pythons that an environment on a release can have."""
    own = tuple(Interpreter(version, "os") for version in release.pythons)
    if not has_channels(release):
        return own
    return (*own, *(Interpreter(row.version, CONDA) for row in table(CondaPython)))


def has_channels(release: OsRelease) -> bool:
    """Whether conda channels can be installed from: rattler's wheels want Python 3.8.

    https://github.com/conda/rattler py-rattler/pyproject.toml, ``requires-python``.
    """
    return at_least(release.python, "3.8")


_Builds = list[tuple[FrameworkBuild, str, tuple[str, ...]]]


def _made(builds: _Builds, release: OsRelease) -> Iterator[Stack]:
    """Those where the framework is installed into an environment."""
    for build, number, pythons in builds:
        if build.glibc and not at_least(release.glibc, build.glibc):
            continue
        supplies = supplies_of(build, release) if build.cuda else (NO_CUDA,)
        for python in interpreters(release):
            if python.version in pythons:
                for supply in supplies:
                    if _python_suits(python, supply):
                        yield Stack(release, python, supply, build, number)


def _ready(builds: _Builds, release: OsRelease) -> Iterator[Stack]:
    """Those on a framework's own images, where it lies in the image's own Python."""
    for image in table(BaseImage):
        if not (image.framework and image.os == release.id and image.python):
            continue
        if image.status not in _THERE:
            continue
        supply = CudaSupply(image.cuda, IMAGE, RUNTIME, image.cudnn, image)
        for build, number, _ in builds:
            if image.framework == f"{build.name} {number}" and image.cuda == build.cuda:
                python = Interpreter(image.python, IMAGE)
                yield Stack(release, python, supply if image.cuda else NO_CUDA, build, number)


def releases(build: FrameworkBuild) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """All releases of a line with the Pythons that have a wheel, the newest first."""
    older = [(number, tuple(pythons.split())) for number, pythons in build.releases]
    every = {build.release: build.pythons, **dict(older)}
    return tuple(sorted(every.items(), key=lambda item: key(item[0]), reverse=True))


def supplies_of(build: FrameworkBuild, release: OsRelease) -> tuple[CudaSupply, ...]:
    """The ways to get the CUDA that a framework was built for onto a release."""
    found: list[CudaSupply] = []
    for supply in _bare_supplies(release):
        if supply.version != build.cuda:
            continue
        brings_all = WHEELS in build.sources
        if supply.source == WHEELS:
            continue  # the framework's own wheels are meant, below
        if supply.source == IMAGE and brings_all:
            found.append(supply)  # its toolkit stands beside what the wheels bring
        elif supply.source in build.sources and cudnn_suits(supply.cudnn, build.cudnn):
            found.append(supply)
    if WHEELS in build.sources:
        found.append(CudaSupply(build.cuda, WHEELS, RUNTIME, build.cudnn))
        compilers = [row for row in table(CudaWheels) if row.version == build.cuda and row.devel]
        found.extend(CudaSupply(build.cuda, WHEELS, DEVEL, build.cudnn, row) for row in compilers)
    return tuple(found)


def cudnn_suits(there: str, wanted: str) -> bool:
    """Whether a cuDNN serves what was built with another one.

    The same major version, and not older: TensorFlow checks just that at run time
    (tensorflow/compiler/xla/stream_executor/cuda/cuda_dnn.cc, "needs to have matching
    major version and equal or higher minor version").
    """
    if not wanted:
        return True
    if not there:
        return False
    short = ".".join(wanted.split(".")[:2])
    return key(there)[0] == key(wanted)[0] and at_least(there, short)


def _bare_supplies(release: OsRelease) -> tuple[CudaSupply, ...]:
    return _supplies_on(release.id)


@cache
def _supplies_on(os: str) -> tuple[CudaSupply, ...]:
    """All ways to get any CUDA onto a release."""
    found: list[CudaSupply] = []
    for wheels in table(CudaWheels):
        cudnn = wheels.cudnn[0].partition("==")[2].removesuffix(".*") if wheels.cudnn else ""
        found.append(CudaSupply(wheels.version, WHEELS, RUNTIME, cudnn, wheels))
        if wheels.devel:
            found.append(CudaSupply(wheels.version, WHEELS, DEVEL, cudnn, wheels))
    for conda in table(CudaConda):
        found.append(CudaSupply(conda.version, CONDA, RUNTIME, conda.cudnn, conda))
    for recipe in table(CudaRecipe):
        if recipe.os == os:
            found.append(CudaSupply(recipe.version, RECIPE, RUNTIME, recipe.cudnn, recipe))
    for image in table(BaseImage):
        usable = image.image == CUDA_IMAGE and image.status in _THERE and "*" not in image.tag
        if usable and image.os == os and image.flavour in {RUNTIME, DEVEL}:
            found.append(CudaSupply(image.cuda, IMAGE, image.flavour, image.cudnn, image))
    return tuple(found)


def _python_suits(python: Interpreter, supply: CudaSupply) -> bool:
    """Whether an environment can have both: a channel's CUDA needs the channel's Python."""
    if supply.source == CONDA:
        return python.source == "conda"
    if isinstance(supply.row, CudaWheels):
        return at_least(python.version, supply.row.python_min or "3.0")
    return True


def _descending(version: str) -> tuple[int, ...]:
    """What to sort by, the highest first; nothing comes last."""
    parts = key(version)
    if not parts:
        return (1,)
    return tuple(-part for part in (*parts, *(0,) * (_LONGEST - len(parts))))
