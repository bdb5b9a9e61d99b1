"""The plan: what an image is, with every decision made.

A plan travels as a frozen value; as JSON it is what the plan digest hashes and
what the image carries in a label, so that an image can be tested wherever it was
built.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

FORMAT = 3
"""Version of the plan's JSON form."""

VENV = "/opt/venv"
CONDA = "/opt/conda"

BROWSER = "browser"
"""The group of applications that is Firefox."""

APPLICATIONS = "applications"
"""The apt layer of the desktop's programs, whose translations come with the language."""

MOZILLA = "mozilla"
"""The apt layer, and the kind of mirror, of Mozilla's own package source."""


@dataclass(frozen=True, slots=True)
class Os:
    """The operating system release under everything.

    Attributes:
        id: the catalogue's name, such as ``debian12``.
        image: the reference of the base image in a registry.
        suite: the archive's codename, such as ``bookworm``.
    """

    id: str
    image: str
    suite: str


@dataclass(frozen=True, slots=True)
class User:
    """The person's account in the image; ``shell`` is ``bash``, ``zsh`` or ``fish``."""

    name: str
    uid: int
    gid: int
    groups: tuple[str, ...]
    shell: str
    sudo: bool


@dataclass(frozen=True, slots=True)
class Sshd:
    """The ssh service.

    Attributes:
        password: whether the user may log in with a password; keys are always accepted.
        root: whether and how root may log in: ``refused``, ``keys`` or ``password``.
    """

    password: bool
    root: str = "refused"


@dataclass(frozen=True, slots=True)
class Desktop:
    """The desktop in the browser.

    Attributes:
        session: the desktop environment, for instance ``xfce``.
        geometry: the size at first, ``WIDTHxHEIGHT`` pixels.
        depth: bits a pixel, 16 or 24.
        applications: groups of programs, sorted.
        vnc: what native VNC viewers get on a port of their own: ``off``, ``tls`` (TLS with
            the account's name and password) or ``password`` (plain VNC, 8 characters).
    """

    session: str
    geometry: str
    depth: int
    applications: tuple[str, ...]
    vnc: str = "off"


@dataclass(frozen=True, slots=True)
class Locale:
    """Language and time of every session.

    Attributes:
        lang: the value of ``LANG``, for instance ``zh_CN.UTF-8``.
        timezone: an IANA time zone name.
        generate: all locales that are generated, ``lang`` among them, without C.UTF-8.
        fonts: apt packages of the fonts that the language needs or the profile wants.
        input_method: for instance ``pinyin``, or empty.
    """

    lang: str
    timezone: str
    generate: tuple[str, ...]
    fonts: tuple[str, ...]
    input_method: str


@dataclass(frozen=True, slots=True)
class Cuda:
    """CUDA, and the hardware that it runs on.

    Attributes:
        version: for instance ``12.2``.
        cudnn: its version, or empty without cuDNN.
        flavour: ``runtime``, or ``devel`` with nvcc and headers.
        source: ``wheels``, ``image``, ``conda`` or ``recipe``.
        driver_min: oldest NVIDIA driver that runs it.
        cc_min: lowest compute capability.
        cc_max: highest one, or empty when none is known.
        repository: apt source of a recipe, or empty.
        key: URL of that source's signing key, or empty.
        files: pairs of URL and SHA-256 of a recipe's packages outside of that source.
    """

    version: str
    cudnn: str
    flavour: str
    source: str
    driver_min: str
    cc_min: str
    cc_max: str
    repository: str = ""
    key: str = ""
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Framework:
    """The deep learning framework: ``tensorflow``, ``pytorch`` or ``jax``, and its release."""

    name: str
    release: str


@dataclass(frozen=True, slots=True)
class Python:
    """The Python environment that every session has on its PATH.

    Attributes:
        version: for instance ``3.11``.
        source: ``os`` for a venv of the release's interpreter, ``conda`` for one of a channel.
        prefix: the folder that it lies in.
        channel: the conda channel, or empty.
        specs: what conda installs: match specs, Python's among them.
        cuda: pip requirements of CUDA without a framework.
        framework: pip requirements of the framework.
        index: PyTorch's wheel index that has it, for instance ``cu126``; empty for PyPI.
        jupyter: pip requirements of Jupyter Lab.
        pip: the profile's own requirements, a layer of its own.
        npm: the profile's own npm packages.
    """

    version: str
    source: str
    prefix: str
    channel: str
    specs: tuple[str, ...]
    cuda: tuple[str, ...]
    framework: tuple[str, ...]
    index: str
    jupyter: tuple[str, ...]
    pip: tuple[str, ...]
    npm: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file of the profile's own.

    Attributes:
        path: where it lies in the image, absolute.
        mode: permissions in octal, for instance ``0644``.
        sha256: of its content, 64 lowercase hex digits.
        data: its content; not part of the plan's JSON, where the checksum stands for it.
    """

    path: str
    mode: str
    sha256: str
    data: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Health:
    """How the engine asks for the image's health; times with their unit, ``60s``."""

    interval: str
    timeout: str
    start_period: str
    retries: int
    command: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about one image.

    Attributes:
        profile: the profile's name.
        description: one line for people.
        os: the base.
        user: the account that sessions belong to.
        sshd: the ssh service, or None for an image without one.
        desktop: the desktop, or None for an image without one.
        jupyter: whether Jupyter Lab is a service.
        conda: whether people have the conda command.
        locale: language and time zone.
        cuda: None for an image without CUDA.
        framework: None for an image without one.
        python: the environment, or None where the system's Python is all there is.
        mirrors: what the image keeps for its users: pairs of kind and address.
        apt: the packages of every layer of the apt trunk, in order: pairs of the
            feature that needs them and the sorted package names.
        env: variables of every session, sorted by name.
        labels: the profile's own labels, sorted by name.
        files: the profile's own files, sorted by path.
        health: None for an image without a health check.
    """

    profile: str
    description: str
    os: Os
    user: User
    sshd: Sshd | None
    desktop: Desktop | None
    jupyter: bool
    conda: bool
    locale: Locale
    cuda: Cuda | None
    framework: Framework | None
    python: Python | None
    mirrors: tuple[tuple[str, str], ...]
    apt: tuple[tuple[str, tuple[str, ...]], ...]
    env: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    files: tuple[File, ...]
    health: Health | None

    def to_dict(self) -> dict[str, Any]:
        """The plan for JSON, without the files' contents."""
        data = asdict(self)
        for item in data["files"]:
            del item["data"]
        return {"format": FORMAT, **data}

    def to_json(self) -> str:
        """The plan as canonical JSON: sorted keys, no spaces, ASCII."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 lowercase hex digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def from_json(text: str) -> Plan:
    """The plan that ``Plan.to_json`` wrote, with empty files.

    Raises:
        ValueError: the text is not a plan of this format.
    """
    try:
        data: dict[str, Any] = json.loads(text)
        if data.pop("format") != FORMAT:
            raise ValueError("a plan of another format")
        plan: Plan = _value(Plan, data)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a plan: {error}") from error
    return plan


def _value(kind: Any, data: Any) -> Any:
    """JSON as a value of a type of this module."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _value(hints[name], item) for name, item in data.items()})
    parts = get_args(kind)
    if NoneType in parts:
        return None if data is None else _value(parts[0], data)
    if len(parts) == 2 and parts[1] is Ellipsis:
        return tuple(_value(parts[0], item) for item in data)
    if parts:
        return tuple(_value(part, item) for part, item in zip(parts, data, strict=True))
    if not isinstance(data, kind):
        raise TypeError(f"{data!r} is no {kind.__name__}")
    return data


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
