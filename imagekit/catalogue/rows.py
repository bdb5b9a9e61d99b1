"""The kinds of rows that the catalogue has. Every row says its source and its date.

Versions are text (``"3.10"`` is not ``"3.1"``); ``imagekit.catalogue.versions`` compares
them. An empty text means that the source does not say, or that there is no such thing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every row has.

    Attributes:
        source: where the row's facts come from: URLs, or a repository's file and commit.
        date: the day the source was read or the fact seen, ISO 8601 (``2026-11-23``).
        note: what else is worth knowing, for people.
    """

    source: str
    date: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OsRelease(Row):
    """An operating system release that images can be built on.

    Attributes:
        id: the name that profiles use, for instance ``debian12``.
        family: ``debian`` or ``ubuntu``.
        release: its number, for instance ``12`` or ``18.04``.
        suite: the archive's codename.
        image: reference of the base image in a registry.
        python: version of ``python3``, for instance ``3.11``.
        pythons: all versions of Python in its archive, ``python`` among them.
        glibc: version of the C library, which wheels and editors ask for.
        sources: form of its apt sources, ``one-line`` or ``deb822``.
        archive: ``live``; ``uncertain`` when it answered some and not others; ``moved`` when
            the usual mirrors no longer have it.
        end_of_life: the day the distribution's own support ends.
        end_of_support: the day that long-term or paid support ends, or empty.
        mozilla: whether its own ``firefox`` is a stub for the snap, and Mozilla's apt repository
            has the package instead.
        built: whether this project's tests build and check images on it.
        packages: apt packages by feature, for instance ``packages["sshd"]``; empty when
            images cannot be built on the release.
    """

    id: str
    family: str
    release: str
    suite: str
    image: str
    python: str
    pythons: tuple[str, ...]
    glibc: str
    sources: str
    archive: str
    end_of_life: str
    end_of_support: str
    mozilla: bool
    built: bool
    packages: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Language(Row):
    """A locale that images can speak.

    Attributes:
        lang: the value of ``LANG``.
        fonts: apt packages of fonts that its script needs.
    """

    lang: str
    fonts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaVersion(Row):
    """A CUDA toolkit.

    Attributes:
        version: for instance ``12.2``.
        driver: NVIDIA driver for Linux that the toolkit was released with.
        driver_min: oldest driver that runs it: with minor version compatibility that is one
            floor for each major version from CUDA 11 on, before that the toolkit's own.
        cc_min: lowest compute capability it generates code for.
        cc_max: highest one, or empty when it is the newest.
    """

    version: str
    driver: str
    driver_min: str
    cc_min: str
    cc_max: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaWheels(Row):
    """CUDA libraries from a Python package index, without a framework.

    Attributes:
        version: the CUDA version.
        runtime: requirements of the runtime libraries.
        devel: requirements of what compiling needs beside them (nvcc, headers), empty when
            the index does not have it.
        cudnn: the requirement of cuDNN, empty when there is none.
        python_min: oldest Python that can install them.
    """

    version: str
    runtime: tuple[str, ...]
    devel: tuple[str, ...]
    cudnn: tuple[str, ...]
    python_min: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaConda(Row):
    """CUDA libraries from a conda channel.

    Attributes:
        version: the CUDA version.
        channel: the channel's name, for instance ``pkgs/main`` or ``conda-forge``.
        packages: match specs without cuDNN, for instance ``cudatoolkit=10.0.130``.
        cudnn: version of cuDNN there.
        cudnn_packages: its match specs.
    """

    version: str
    channel: str
    packages: tuple[str, ...]
    cudnn: str
    cudnn_packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaPython(Row):
    """A Python that conda channels have. ``version`` is for instance ``3.7``."""

    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaRecipe(Row):
    """CUDA from NVIDIA's apt repository, package by package, each by its checksum.

    Attributes:
        version: the CUDA version.
        os: id of the only release it is for.
        cudnn: version of cuDNN.
        files: pairs of URL and SHA-256 of the packages that no repository index vouches for.
        repository: one-line apt source.
        key: URL of the repository's signing key.
        packages: apt packages with their versions.
    """

    version: str
    os: str
    cudnn: str
    files: tuple[tuple[str, str], ...]
    repository: str
    key: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkBuild(Row):
    """One framework release line as it was built for one CUDA version, or for none.

    Attributes:
        name: ``tensorflow``, ``pytorch`` or ``jax``.
        version: the release line that profiles name, for instance ``2.15``.
        release: its newest release, for instance ``2.15.1``.
        cuda: CUDA version it was built for; empty for a build without GPUs.
        cudnn: cuDNN version it was built for.
        pythons: versions of Python that have a wheel of ``release``.
        releases: pairs of older releases of the line and their Pythons, space-separated, for
            profiles that name one exactly.
        requirements: what pip installs, with ``{release}`` in place of the release, for
            instance ``tensorflow[and-cuda]=={release}``.
        index: the index that has the wheels: a name below PyTorch's own index (``cu126``,
            ``cpu``), or empty for PyPI.
        sources: ways its CUDA libraries can come: of ``wheels``, ``conda``, ``image``,
            ``recipe``; empty for a build without GPUs.
        glibc: oldest C library that its wheels run on (PEP 600), empty for one that every
            release of the catalogue has.
        cc_min: lowest compute capability that it runs on, or empty when its CUDA version's is
            meant.
        cc_max: highest one, or empty when its CUDA version's is meant.
        preferred: whether this is the build that the framework's makers install by default.
        experimental: whether its makers call it so.
    """

    name: str
    version: str
    release: str
    cuda: str
    cudnn: str
    pythons: tuple[str, ...]
    releases: tuple[tuple[str, str], ...]
    requirements: tuple[str, ...]
    index: str
    sources: tuple[str, ...]
    glibc: str
    cc_min: str
    cc_max: str
    preferred: bool
    experimental: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage(Row):
    """A base image, or a pattern of them, and whether it is still there.

    Attributes:
        image: the repository, for instance ``nvidia/cuda``.
        tag: the tag; ``*`` stands for any text.
        status: ``present``, ``seen`` (pulled or listed by somebody at ``date``), ``named``
            (in a thread or file, never checked), ``deleted``, ``missing``, ``broken`` or
            ``refused`` (a moving tag).
        os: id of the operating system release inside, or empty.
        cuda: CUDA version inside, or empty.
        cudnn: cuDNN version inside, or empty.
        python: version of Python inside that its framework uses, or empty.
        flavour: ``base``, ``runtime`` or ``devel``, or empty.
        framework: what is installed, for instance ``tensorflow 1.15.5``, or empty.
        instead: what to write instead of one that is gone.
    """

    image: str
    tag: str
    status: str
    os: str
    cuda: str
    cudnn: str
    python: str
    flavour: str
    framework: str
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture(Row):
    """A generation of GPUs.

    Attributes:
        name: for instance ``Turing``.
        capabilities: its compute capabilities.
        first_cuda: first CUDA version that knows it.
        last_cuda: last one, ``11.x`` for the whole major version, or empty while supported.
        last_driver: last driver branch, for instance ``R580``, or empty while supported.
    """

    name: str
    capabilities: tuple[str, ...]
    first_cuda: str
    last_cuda: str
    last_driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu(Row):
    """A GPU model. ``name`` is NVIDIA's without the brand, ``cc`` its compute capability."""

    name: str
    cc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverBranch(Row):
    """A branch of NVIDIA's driver. ``kind`` is for instance ``LTS`` or ``production``."""

    branch: str
    kind: str
    end_of_life: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror(Row):
    """One thing that a mirror site has.

    Attributes:
        site: the preset's name in profiles and site files, for instance ``tuna``.
        kind: ``apt`` (root with debian/, debian-security/ and ubuntu/ below), ``pypi``,
            ``conda`` (root with pkgs/ and cloud/ below), ``npm``, ``pytorch`` (root of the
            wheel indexes), ``nvidia`` (NVIDIA's package repositories), ``mozilla``
            (Mozilla's), ``registry`` (a prefix in front of Docker Hub's names) or
            ``models`` (a model hub).
        url: its address; for ``registry`` a host with an optional path.
        status: ``live`` when seen to answer or documented by the site itself, ``listed`` when
            only others list it, ``closed`` when it no longer works.
    """

    site: str
    kind: str
    url: str
    status: str
