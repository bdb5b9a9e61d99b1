"""Platforms: what an image is to run on, in the form ``os/architecture[/variant]``.

The names are Go's and the image specification's
(https://github.com/opencontainers/image-spec/blob/main/config.md#properties).
"""

from __future__ import annotations

import re

from imagekit.errors import InputError, Message

# What `uname -m` says; containerd's platforms.Parse takes these for the same machines.
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}

_FORM = re.compile(r"linux/(?P<architecture>[a-z0-9_]+)(?P<variant>/v[0-9]+)?")


def normalize(platform: str) -> str:
    """``platform`` with Go's name for the architecture.

    Raises:
        InputError: it is not of the form ``linux/architecture[/variant]``.
    """
    found = _FORM.fullmatch(platform)
    if found is None:
        raise InputError(
            Message(
                "platform",
                f"{platform!r} is not of the form linux/architecture",
                "for instance linux/amd64 or linux/arm64",
            )
        )
    architecture = _MACHINES.get(found["architecture"], found["architecture"])
    return f"linux/{architecture}{found['variant'] or ''}"


def architecture(platform: str) -> str:
    """The architecture in a normalized platform."""
    return platform.split("/")[1]
