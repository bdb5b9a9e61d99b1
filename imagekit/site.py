"""The site file: what is true of a place. It never changes what an image is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from imagekit import document, home, pem, validation
from imagekit.catalogue import Mirror, os_releases, table
from imagekit.document import Entry, Mapping, Mark, Problem, Scalar, quote
from imagekit.errors import InputError

MIRRORS = ("apt", "pypi", "npm", "conda", "pytorch", "nvidia", "mozilla")
"""Kinds of mirrors that builds use."""

_DEFAULT_BIND = "127.0.0.1"
# The tutorial's scheme: blocks of ten, the first student's at 6010.
_DEFAULT_PORTS = 6010
_DEFAULT_POLICY = "any"
_DEFAULT_COMPRESSION = "zstd"

# Kinds whose address is the root of several repositories; paths are put behind it.
_ROOTS = frozenset({"apt", "conda", "pytorch", "nvidia", "mozilla"})
_CLOSED = "closed"
_DOCKER_HUB = "docker.io"
_OTHER_NAMES_OF_IT = frozenset({"index.docker.io", "registry-1.docker.io", "hub.docker.com"})


@dataclass(frozen=True, slots=True)
class Archive:
    """A root file system in a tar archive, which a base image can be made of.

    Attributes:
        release: the catalogue's id of the operating system in it.
        place: a path or an address.
        sha256: of the file as it is, compressed or not; 64 hex digits.
    """

    release: str
    place: str
    sha256: str

    @property
    def remote(self) -> bool:
        """Whether ``place`` is an address."""
        return self.place.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class Site:
    """How to get there from here.

    Attributes:
        apt: root of an apt mirror, empty for the base image's own.
        pypi: a PyPI index, empty for pip's own default.
        npm: an npm registry, empty for npm's own default.
        ca_certificates: PEM of all extra CA certificates, empty for none.
        ca_sources: where these certificates came from, for people.
        bind: address that containers publish their ports on.
        ports: first port of the first block of ten.
        host: the name that people reach this host by, or empty.
        tls_certificate: file of the certificate of people's desktops, or empty.
        tls_key: file of its private key, or empty.
        conda: root of a conda mirror, empty for conda's own default.
        pytorch: root of a mirror of PyTorch's wheel indexes, or empty.
        nvidia: root of a mirror of NVIDIA's package repositories, or empty.
        mozilla: what stands for https://packages.mozilla.org/apt, or empty.
        http_proxy: proxy of builds for http, or empty.
        https_proxy: the same for https.
        no_proxy: what is reached without a proxy, with commas between.
        registry: registry and namespace that images are tagged for, or empty.
        registries: pairs of a registry's host and the prefix that stands in for it.
        base_policy: ``any``, ``pull``, ``archive``, ``bootstrap`` or ``local``.
        archives: root archives to make bases of, at most one a release.
        cache_from: images that builds may take steps from.
        cache_inline: whether images say which steps made them.
        compression: of layers, where the engine keeps them compressed: ``zstd`` or ``gzip``.
        file: the site file, empty for none.
        values: the file's values with those of its preset, each with its place.
    """

    apt: str = ""
    pypi: str = ""
    npm: str = ""
    ca_certificates: bytes = b""
    ca_sources: tuple[str, ...] = ()
    bind: str = _DEFAULT_BIND
    ports: int = _DEFAULT_PORTS
    host: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    conda: str = ""
    pytorch: str = ""
    nvidia: str = ""
    mozilla: str = ""
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    registry: str = ""
    registries: tuple[tuple[str, str], ...] = ()
    base_policy: str = _DEFAULT_POLICY
    archives: tuple[Archive, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_inline: bool = False
    compression: str = _DEFAULT_COMPRESSION
    file: str = field(default="", compare=False)
    values: Mapping = field(default=Mapping((), Mark("")), compare=False, repr=False)

    def where(self, *path: str | int) -> Mark:
        """Where the value at ``path`` was written, or the nearest thing around it."""
        return validation.place(self.values, path)

    def with_profile_mirrors(self, urls: tuple[tuple[str, str], ...]) -> Site:
        """The same place, with a profile's mirrors where it names none itself.

        Args:
            urls: pairs of kind and address; kinds that builds do not use are left out.
        """
        named = {kind: _root(kind, url) for kind, url in urls if kind in MIRRORS}
        missing: dict[str, Any] = {
            kind: url for kind, url in named.items() if not getattr(self, kind)
        }
        return replace(self, **missing)

    def build_secrets(self) -> dict[str, bytes]:
        """What a build is told of the place, as BuildKit secrets: ids to contents.

        ``ca`` is a PEM bundle, ``mirrors`` a list of ``name=URL`` lines that
        ``templates/build/base/env.sh`` reads: the kinds of mirrors, ``http_proxy``,
        ``https_proxy`` and ``no_proxy``.
        """
        names = (*MIRRORS, "http_proxy", "https_proxy", "no_proxy")
        values = {name: str(getattr(self, name)) for name in names}
        lines = "".join(f"{name}={value}\n" for name, value in values.items() if value)
        secrets = {"ca": self.ca_certificates, "mirrors": lines.encode()}
        return {name: data for name, data in secrets.items() if data}


def load(path: str = "") -> Site:
    """Read the site file and the host's own extra CA certificates.

    Args:
        path: a site file. When empty, the first that exists of ``site.yaml`` in the working
            folder, in the user's configuration folder and in ``/etc/imagekit``; without
            any, everything has its default.

    Raises:
        InputError: the file, or a certificate that it or the host names, is missing or
            wrong; with everything that is, in file order.
    """
    host = pem.host_certificates()
    file = Path(path) if path else _find()
    if file is None:
        return Site(
            ca_certificates=b"".join(map(pem.certificates, host)), ca_sources=tuple(map(str, host))
        )
    loaded = document.load(file, "site: 1")
    checked = validation.validate(loaded.root, "site")
    problems = [*loaded.problems, *document.beyond(loaded.problems, checked.problems)]
    sound = validation.prune(loaded.root, checked.bad)
    mirrors = _mirrors(sound, problems)
    _check_registries(sound, problems)
    _check_archives(sound, problems)
    named, texts = _certificates(sound, file.parent, problems)
    if problems:
        raise document.refusal(problems)
    site = _typed(checked.values, mirrors, file.parent)
    return replace(
        site,
        ca_certificates=b"".join((*map(pem.certificates, host), *texts)),
        ca_sources=(*map(str, host), *named),
        file=str(file),
        values=_effective(sound, mirrors),
    )


def _find() -> Path | None:
    candidates = (
        Path("site.yaml"),
        home.config() / "site.yaml",
        Path("/etc/imagekit/site.yaml"),
    )
    return next((file for file in candidates if file.is_file()), None)


def _typed(values: dict[str, Any], mirrors: dict[str, Any], folder: Path) -> Site:
    """A valid site without its certificates."""
    proxy, cache, run = (values.get(key, {}) for key in ("proxy", "cache", "run"))
    tls = run.get("tls", {})
    base = values.get("base", {})
    return Site(
        bind=run.get("bind", _DEFAULT_BIND),
        ports=run.get("ports", _DEFAULT_PORTS),
        host=run.get("host", ""),
        tls_certificate=str(folder / tls["certificate"]) if tls else "",
        tls_key=str(folder / tls["key"]) if tls else "",
        http_proxy=proxy.get("http", ""),
        https_proxy=proxy.get("https", ""),
        no_proxy=",".join(proxy.get("no_proxy", ())),
        registry=values.get("registry", ""),
        registries=tuple(values.get("registries", {}).items()),
        base_policy=base.get("policy", _DEFAULT_POLICY),
        archives=tuple(
            Archive(release, one.get("url") or str(folder / one["file"]), one["sha256"])
            for release, one in base.get("archives", {}).items()
        ),
        cache_from=tuple(cache.get("from", ())),
        cache_inline=cache.get("inline", False),
        compression=values.get("compression", _DEFAULT_COMPRESSION),
        **mirrors,
    )


# ---- mirrors, registries and bases


def _mirrors(root: Mapping, problems: list[Problem]) -> dict[str, Any]:
    """Addresses by kind: a preset's, and over them those that the file names itself."""
    written = root.get("mirrors")
    if isinstance(written, Scalar):
        return _preset(written, ("mirrors",), problems)
    found: dict[str, str] = {}
    for entry in written.entries if isinstance(written, Mapping) else ():
        if isinstance(entry.value, Scalar):
            if entry.key == "preset":
                found = {**_preset(entry.value, ("mirrors", "preset"), problems), **found}
            else:
                found[entry.key] = _root(entry.key, entry.value.text)
    return found


def _preset(written: Scalar, path: validation.Path, problems: list[Problem]) -> dict[str, str]:
    """What a mirror site of the catalogue has for builds."""
    name = written.text
    live = [row for row in table(Mirror) if row.kind in MIRRORS and row.status != _CLOSED]
    found = {row.kind: _root(row.kind, row.url) for row in live if row.site == name}
    if found:
        return found
    what, hint = _unusable(name, sorted({row.site for row in live}))
    problems.append(Problem(written.mark, f"{validation.dotted(path)}: {what}", hint))
    return {}


def _unusable(name: str, known: list[str]) -> tuple[str, str]:
    """Why a preset has nothing for builds, and what to write instead."""
    rows = [row for row in table(Mirror) if row.site == name]
    listed = f"known: {', '.join(known)}"
    if not rows:
        return f"{quote(name)} is not in the catalogue", validation.suggestion(name, known)
    if any(row.status == _CLOSED for row in rows):
        why = next((f": {row.note}" for row in rows if row.note), "")
        return f"{quote(name)} no longer works{why}", listed
    prefix = next((row.url for row in rows if row.kind == "registry"), "")
    instead = f"write registries: {{{_DOCKER_HUB}: {prefix}}}"
    return f"{quote(name)} has no packages for builds", instead if prefix else listed


def _root(kind: str, url: str) -> str:
    return url.rstrip("/") if kind in _ROOTS else url


def _check_registries(root: Mapping, problems: list[Problem]) -> None:
    """Refuse names of Docker Hub that no image is called by."""
    written = root.get("registries")
    for entry in written.entries if isinstance(written, Mapping) else ():
        if entry.key in _OTHER_NAMES_OF_IT:
            what = f"registries.{entry.key}: images of Docker Hub are not called so"
            problems.append(Problem(entry.mark, what, f'did you mean "{_DOCKER_HUB}"?'))


def _check_archives(root: Mapping, problems: list[Problem]) -> None:
    """Refuse archives of releases that the catalogue does not know."""
    base = root.get("base")
    written = base.get("archives") if isinstance(base, Mapping) else None
    known = list(os_releases())
    for entry in written.entries if isinstance(written, Mapping) else ():
        if entry.key not in known:
            what = f"base.archives.{entry.key}: {quote(entry.key)} is not in the catalogue"
            problems.append(Problem(entry.mark, what, validation.suggestion(entry.key, known)))


def _effective(root: Mapping, mirrors: dict[str, Any]) -> Mapping:
    """The file's values, and each of its preset's addresses at the place of the preset."""
    written = root.get("mirrors")
    if written is None:
        return root
    if isinstance(written, Mapping):
        entries, preset = written.entries, written.entry("preset")
        mark = preset.value.mark if preset else written.mark
    else:
        mark = written.mark
        entries = (Entry("preset", mark, written),)
    said = {entry.key for entry in entries}
    added = [
        Entry(kind, mark, Scalar(url, mark)) for kind, url in mirrors.items() if kind not in said
    ]
    whole = Mapping((*entries, *added), written.mark)
    return Mapping(
        tuple(
            Entry(entry.key, entry.mark, whole if entry.key == "mirrors" else entry.value)
            for entry in root.entries
        ),
        root.mark,
    )


# ---- certificates


def _certificates(
    root: Mapping, folder: Path, problems: list[Problem]
) -> tuple[list[str], list[bytes]]:
    """Paths and contents of the certificates that a site file names."""
    written = root.get("ca_certificates")
    paths: list[str] = []
    contents: list[bytes] = []
    items = written.items if isinstance(written, document.Sequence) else ()
    for index, item in enumerate(items):
        if not isinstance(item, Scalar):
            continue
        path = folder / item.text
        try:
            contents.append(pem.certificates(path))
            paths.append(str(path))
        except InputError as error:
            key = validation.named(root, ("ca_certificates", index))
            for message in error.messages:
                what = f"{key}: {message.where}: {message.what}"
                problems.append(Problem(item.mark, what, message.hint))
    return paths, contents
