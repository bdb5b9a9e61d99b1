"""Whether binaries with a list of architectures run on a GPU."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagekit.catalogue.versions import at_least, key

# `sm_90` is machine code, `compute_90` is PTX that a driver translates for newer GPUs, too. A
# letter behind says for which others: `a` none, `f` those of the same family (CUDA C++
# Programming Guide, "Feature Availability"; nvcc's documentation, "GPU Feature List").
_ARCHITECTURE = re.compile(r"(sm|compute|lto)_(\d+)(\d)([af]?)\Z")


def covers(architectures: Sequence[str], cc: str) -> bool:
    """Whether code for one of them runs on a GPU.

    "cubin objects are binary-compatible within a major revision, to a higher minor revision"
    (CUDA C++ Programming Guide, "Binary Compatibility").

    Args:
        architectures: as nvcc calls them, for instance ``sm_80`` and ``compute_90``.
        cc: a compute capability, for instance ``8.6``.
    """
    return any(_runs(name, cc) for name in architectures)


def _runs(name: str, cc: str) -> bool:
    match = _ARCHITECTURE.match(name)
    if match is None:
        return False
    kind, major, minor, only = match.groups()
    built_for = f"{major}.{minor}"
    if only == "a":
        return built_for == cc
    if kind == "compute" and not only:
        return at_least(cc, built_for)
    return key(built_for)[0] == key(cc)[0] and at_least(cc, built_for)


def lowest(architectures: Sequence[str]) -> str:
    """The lowest compute capability among them; empty without any."""
    found = [match for match in map(_ARCHITECTURE.match, architectures) if match]
    return min((f"{match[2]}.{match[3]}" for match in found), key=key, default="")
