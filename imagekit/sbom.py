"""A bill of materials of an image: CycloneDX 1.6 as JSON (ECMA-424).

https://cyclonedx.org/docs/1.6/json/; packages are named by package URLs
(https://github.com/package-url/purl-spec). Equal images give equal bytes: the document's
time is the image's, and its serial number follows from the image's id.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from types import MappingProxyType

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from imagekit import names
from imagekit.contents import Conda, Contents, Deb, Dist

# Made once with uuid.uuid4(); serial numbers are UUIDs of version 5 below it (RFC 9562).
_NAMESPACE = uuid.UUID("6d0a2a0c-5d0f-4d6a-9a3e-0f5ac0f8f6d1")
_TOOL = "imagekit-lab"
_FOLDER = "dev.imagekit:folder"


@dataclass(frozen=True, slots=True)
class Described:
    """The image that is described.

    Attributes:
        profile: the profile's name.
        plan: the plan digest.
        image_id: ``sha256:…`` as the engine names it.
        created: when the image was made, by its own configuration.
    """

    profile: str
    plan: str
    image_id: str
    created: datetime


def document(
    image: Described, contents: Contents, sums: Mapping[Deb | Dist, str] = MappingProxyType({})
) -> str:
    """The bill of materials as indented JSON with a line end.

    Args:
        image: what is described.
        contents: what is in it.
        sums: SHA-256 of the files that packages came from, where that is known.
    """
    whole = _image(image)
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, image.image_id),
        metadata=BomMetaData(
            timestamp=image.created, tools=ToolRepository(components=[_tool()]), component=whole
        ),
        components=[_system(contents), *_packages(contents, sums)],
    )
    # Which package needs which is not what all three package managers record.
    bom.register_dependency(whole, bom.components)
    return f"{JsonV1Dot6(bom).output_as_string(indent=2)}\n"


def deb_url(deb: Deb, contents: Contents) -> PackageURL:
    """The package URL of one of dpkg's packages.

    https://github.com/package-url/purl-spec/blob/main/types/deb-definition.json
    """
    qualifiers = {"arch": deb.architecture, "distro": f"{contents.system}-{contents.release}"}
    return PackageURL("deb", contents.system, deb.name, deb.version, qualifiers)


def dist_url(dist: Dist) -> PackageURL:
    """The package URL of a Python distribution."""
    return PackageURL("pypi", None, dist.name, dist.version)


def conda_url(conda: Conda) -> PackageURL:
    """The package URL of a conda package.

    https://github.com/package-url/purl-spec/blob/main/types/conda-definition.json
    """
    said = {"build": conda.build, "channel": conda.channel, "subdir": conda.subdir}
    qualifiers = {name: value for name, value in said.items() if value}
    return PackageURL("conda", None, conda.name, conda.version, qualifiers)


def image_url(image: str, digest: str) -> str:
    """The package URL of an image in a registry.

    https://github.com/package-url/purl-spec/blob/main/types/docker-definition.json

    Args:
        image: a reference as people write it, with or without a tag and a digest.
        digest: ``sha256:…`` of its manifest.
    """
    repository, tag, _ = names.split(image)
    path, _, name = repository.rpartition("/")
    qualifiers = {"tag": tag} if tag else {}
    return str(PackageURL("docker", path or None, name, digest, qualifiers))


def _tool() -> Component:
    return Component(type=ComponentType.APPLICATION, name=_TOOL, version=version(_TOOL))


def _image(image: Described) -> Component:
    return Component(
        type=ComponentType.CONTAINER,
        name=image.profile,
        version=image.plan[:12],
        bom_ref="image",
        hashes=[_sha256(image.image_id.removeprefix("sha256:"))],
        properties=[Property(name="dev.imagekit:plan", value=image.plan)],
    )


def _system(contents: Contents) -> Component:
    return Component(
        type=ComponentType.OPERATING_SYSTEM,
        name=contents.system,
        version=contents.release,
        bom_ref="system",
    )


def _packages(contents: Contents, sums: Mapping[Deb | Dist, str]) -> Iterable[Component]:
    """A component for each package; one that lies in several folders is one component."""
    found: dict[str, Component] = {}
    for deb in contents.debs:
        _add(found, deb_url(deb, contents), sha256=sums.get(deb, ""))
    for dist in contents.dists:
        _add(found, dist_url(dist), dist.folder, dist.license, sums.get(dist, ""))
    for conda in contents.condas:
        _add(found, conda_url(conda), conda.prefix, sha256=conda.sha256)
    return found.values()


def _add(
    found: dict[str, Component],
    url: PackageURL,
    folder: str = "",
    license_: str = "",
    sha256: str = "",
) -> None:
    component = found.setdefault(
        str(url),
        Component(
            type=ComponentType.LIBRARY,
            name=url.name,
            version=url.version,
            purl=url,
            bom_ref=str(url),
            licenses=[LicenseExpression(license_)] if license_ else [],
            hashes=[_sha256(sha256)] if sha256 else [],
        ),
    )
    if folder:
        component.properties.add(Property(name=_FOLDER, value=folder))


def _sha256(digits: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digits)
