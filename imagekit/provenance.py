"""Where an image comes from, for machines: an in-toto statement with SLSA provenance.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md around
https://slsa.dev/spec/v1.0/provenance. It is not signed: whoever publishes it signs it with
whatever they trust. It names no host, no address of a mirror and no secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from imagekit.context import Context
from imagekit.plan.model import Plan

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILDER = "https://imagekit.dev/builder/v1"
BUILD_TYPE = "https://imagekit.dev/build/v1"
"""What ``externalParameters`` mean: a plan as ``imagekit.plan.model`` writes it."""

_TOOL = "imagekit-lab"


@dataclass(frozen=True, slots=True)
class Material:
    """Something that went into a build.

    Attributes:
        name: what it is called.
        digest: pairs of an algorithm and hexadecimal digits; none where nothing is known.
        uri: its package URL or address, or empty.
    """

    name: str
    digest: tuple[tuple[str, str], ...]
    uri: str = ""


def statement(
    plan: Plan,
    subjects: Mapping[str, str],
    materials: Iterable[Material],
    *,
    engine_version: str,
) -> str:
    """Say how an image was made, as indented JSON with a line end.

    Args:
        plan: what was built.
        subjects: names of the result to ``sha256:…``: the image's id, and the manifest's
            digest once a registry has it.
        materials: the base, the context, and the lock file where there is one.
        engine_version: of the Docker Engine that built it.
    """
    said: dict[str, Any] = {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": _digest(digest)} for name, digest in sorted(subjects.items())
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"profile": plan.profile, "plan": plan.to_dict()},
                "internalParameters": {"planDigest": plan.digest},
                "resolvedDependencies": [_described(material) for material in materials],
            },
            "runDetails": {
                "builder": {
                    "id": BUILDER,
                    "version": {"imagekit": version(_TOOL), "docker-engine": engine_version},
                },
            },
        },
    }
    return f"{json.dumps(said, indent=2)}\n"


def context_material(context: Context) -> Material:
    """What was sent to the engine, by the digest of the archive."""
    digits = hashlib.sha256(context.tar()).hexdigest()
    return Material("context", (("sha256", digits),))


def _described(material: Material) -> dict[str, Any]:
    """A resource descriptor.

    https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md
    """
    said: dict[str, Any] = {"name": material.name}
    if material.uri:
        said["uri"] = material.uri
    if material.digest:
        said["digest"] = dict(material.digest)
    return said


def _digest(text: str) -> dict[str, str]:
    algorithm, _, digits = text.partition(":")
    return {algorithm: digits}
