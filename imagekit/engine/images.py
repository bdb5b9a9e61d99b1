"""Images in an engine: look, name, fetch, import."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import docker.errors
import docker.utils

from imagekit.engine import logins
from imagekit.engine.connection import Engine
from imagekit.engine.faults import disk_full, in_words, shorten
from imagekit.engine.stream import RefusedError, post
from imagekit.errors import EngineError, InputError, Message, NetworkError
from imagekit.events import Emit, StepProgress, ignore, step

_IDLE = 300.0  # seconds; while an image is fetched or unpacked the engine says something


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the engine knows about an image.

    Attributes:
        id: ``sha256:…``.
        labels: its labels.
        size: bytes with all layers: unpacked, or as compressed for a registry on an
            engine with the containerd image store.
        created: RFC 3339 text as the engine gives it; empty when the image has none.
        tags: its names in this engine.
        os: for instance ``linux``.
        architecture: Go's name for it, for instance ``amd64``.
        repo_digests: what registries call it or will, ``repository@sha256:…``; empty before
            a push or pull on an engine without the containerd image store.
        layers: digests of its unpacked layers, the lowest first; the same in every engine.
    """

    id: str
    labels: Mapping[str, str]
    size: int
    created: str
    tags: tuple[str, ...]
    os: str
    architecture: str
    repo_digests: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    @property
    def digests(self) -> tuple[str, ...]:
        """The manifests' digests alone, ``sha256:…``, each once."""
        return tuple(dict.fromkeys(name.partition("@")[2] for name in self.repo_digests))


def find(engine: Engine, ref: str) -> ImageFacts | None:
    """The image that ``ref`` (a name or an id) names in the engine; None when none does.

    Raises:
        EngineError: the engine did not answer.
    """
    raw = _inspect(engine, ref)
    return None if raw is None else _facts(raw)


def demand(engine: Engine, ref: str) -> ImageFacts:
    """The image that ``ref`` names, which has to be there.

    Raises:
        EngineError: it is not, or the engine did not answer.
    """
    found = find(engine, ref)
    if found is None:
        raise EngineError(Message(engine.where, f"there is no image {ref}"))
    return found


def tag(engine: Engine, image_id: str, refs: Iterable[str]) -> None:
    """Give an image names, taking them from whatever had them.

    Raises:
        EngineError: the engine refused, or does not show the name afterwards.
    """
    for ref in refs:
        repository, name = _split(ref)
        with in_words(engine.where):
            engine.client.api.tag(image_id, repository, name, force=True)
        found = find(engine, ref)
        if found is None or found.id != image_id:
            raise EngineError(Message(engine.where, f"{image_id} could not be named {ref}"))


def remove(engine: Engine, ref: str) -> None:
    """Take a name away, and the image when it was the last one.

    Raises:
        EngineError: there is no such image, or the engine refused.
    """
    with in_words(engine.where):
        engine.client.api.remove_image(ref)


def pull(engine: Engine, ref: str, on_event: Emit = ignore) -> ImageFacts:
    """Fetch an image from its registry, with the login that docker stored.

    An image of that name that is in the engine already is never taken for the result.

    Args:
        engine: the engine.
        ref: the image; ``latest`` when it has neither tag nor digest.
        on_event: told of the transfer as one step.

    Raises:
        NetworkError: the registry refused, has no such image, or cannot be reached.
        EngineError: the connection to the engine broke.
    """
    repository, name = _split(ref)
    with step(f"pull {ref}", on_event):
        digest = _receive(engine, ref, repository, name, on_event)
        return _facts(_pulled(engine, ref, digest))


def has_content(engine: Engine, repository: str, digest: str, image_id: str) -> bool:
    """Whether a registry's manifest is that of an image which the engine has.

    An engine with the containerd store names images by this digest, so there is nothing to
    ask. The classic store knows it of images that it pulled or pushed; of others it fetches
    the manifest, with the layers that it lacks, and what turns out to be another image is
    removed again.

    Raises:
        NetworkError: the registry does not give it.
        EngineError: the engine did not answer.
    """
    known = find(engine, image_id)
    if known is None:
        return False
    if digest in known.digests or engine.store == "containerd":
        return digest in known.digests
    ref = f"{repository}@{digest}"
    there = find(engine, ref)
    if there is not None:
        return there.id == image_id
    pulled = pull(engine, ref)
    if pulled.id != image_id:
        _remove_new(engine, ref, None)
    return pulled.id == image_id


def import_root(
    engine: Engine,
    chunks: Iterable[bytes],
    ref: str,
    *,
    labels: Mapping[str, str] = {},
    changes: Sequence[str] = (),
) -> ImageFacts:
    """Make an image of one layer from a tar archive of a root folder.

    Args:
        engine: the engine.
        chunks: the archive in pieces; sent as they come, never held whole. What this
            raises ends the import without an image.
        ref: the image's name.
        labels: its labels, values on one line each.
        changes: Dockerfile instructions such as ``CMD ["bash"]``.

    Raises:
        EngineError: the engine refused, or does not show the image afterwards.
        InputError: a label has a line end, which the engine's API cannot carry.
    """
    repository, name = _split(ref)
    params = [("fromSrc", "-"), ("repo", repository), ("tag", name)]
    params += [("changes", change) for change in (*map(_label, labels.items()), *changes)]
    before = find(engine, ref)
    try:
        return _send(engine, ref, params, chunks)
    except BaseException:
        # Engine 28 with the containerd store names the image before it unpacks it, and
        # leaves the name when that fails.
        with suppress(EngineError):
            _remove_new(engine, ref, before)
        raise


def _send(
    engine: Engine, ref: str, params: Sequence[tuple[str, str]], chunks: Iterable[bytes]
) -> ImageFacts:
    """Send an archive to be imported as ``ref``; what became of it."""
    image_id = ""
    stream = post(
        engine,
        "/images/create",
        params=params,
        idle_timeout=_IDLE,
        headers={"Content-Type": "application/x-tar"},
        body=iter(chunks),
    )
    with closing(stream):
        for message in stream:
            if "error" in message:
                text = str(message["error"])
                raise EngineError(Message(engine.where, shorten(text), disk_full(text)))
            image_id = str(message.get("status") or image_id)
    found = find(engine, ref)
    if found is None or found.id != image_id:
        raise EngineError(Message(engine.where, f"the import of {ref} left no image"))
    return found


def _remove_new(engine: Engine, ref: str, before: ImageFacts | None) -> None:
    """Remove what ``ref`` names, unless it named it before."""
    found = find(engine, ref)
    if found is not None and (before is None or found.id != before.id):
        with in_words(engine.where):
            engine.client.api.remove_image(ref, force=True)


def _receive(engine: Engine, ref: str, repository: str, name: str, on_event: Emit) -> str:
    """Read a pull's answer to its end; the digest that it names."""
    params = [("fromImage", repository), ("tag", name)]
    headers = logins.header(repository)
    digest, ended = "", False
    stream = post(engine, "/images/create", params=params, idle_timeout=_IDLE, headers=headers)
    try:
        with closing(stream):
            for message in stream:
                if "error" in message:
                    raise _not_pulled(ref, str(message["error"]))
                status = str(message.get("status") or "")
                digest = status.removeprefix("Digest: ") if "Digest: " in status else digest
                ended = ended or status.startswith("Status: ")
                tell_progress(f"pull {ref}", message, on_event)
    except RefusedError as error:
        raise _not_pulled(ref, error.text) from error
    if not ended:
        raise EngineError(Message(engine.where, f"the engine stopped pulling {ref} half-way"))
    return digest


def _not_pulled(ref: str, text: str) -> NetworkError | EngineError:
    if full := disk_full(text):
        return EngineError(Message(ref, shorten(text), full))
    hint = "check the name, docker login, and the engine's way to the registry"
    return NetworkError(Message(ref, shorten(text), hint))


def tell_progress(step: str, message: Mapping[str, Any], on_event: Emit) -> None:
    """Tell of the bytes that one line of a pull or a push counts, if it counts any."""
    detail = message.get("progressDetail")
    if isinstance(detail, dict) and detail.get("current"):
        item = f"{message.get('id', '')} {message.get('status', '')}"
        total = int(detail.get("total") or 0)
        on_event(StepProgress(step, item, int(detail["current"]), total))


def _inspect(engine: Engine, ref: str) -> dict[str, Any] | None:
    with in_words(engine.where):
        try:
            raw = engine.client.api.inspect_image(ref)  # type: ignore[no-untyped-call]
        except docker.errors.NotFound:
            return None
    if not isinstance(raw, dict) or not raw.get("Id"):
        raise EngineError(Message(engine.where, f"the engine describes {ref} as {raw!r:.80}"))
    return raw


def _facts(raw: Mapping[str, Any]) -> ImageFacts:
    config = raw.get("Config") or {}
    created = str(raw.get("Created") or "")
    return ImageFacts(
        id=str(raw["Id"]),
        labels=dict(config.get("Labels") or {}),
        size=int(raw.get("Size") or 0),
        created="" if created.startswith("0001-") else created,
        tags=tuple(raw.get("RepoTags") or ()),
        os=str(raw.get("Os") or ""),
        architecture=str(raw.get("Architecture") or ""),
        repo_digests=tuple(raw.get("RepoDigests") or ()),
        layers=tuple((raw.get("RootFS") or {}).get("Layers") or ()),
    )


def _pulled(engine: Engine, ref: str, digest: str) -> dict[str, Any]:
    """The image that ``ref`` names, when it is the one that came with ``digest``."""
    raw = _inspect(engine, ref)
    known = _facts(raw) if raw else None
    if raw is None or known is None or (digest and digest not in (*known.digests, known.id)):
        what = f"the engine says it pulled {ref}, but does not have it"
        raise EngineError(Message(engine.where, what))
    return raw


def _split(ref: str) -> tuple[str, str]:
    """Repository, and tag or digest."""
    repository, name = docker.utils.parse_repository_tag(ref)
    return repository, name or "latest"


def _label(pair: tuple[str, str]) -> str:
    """A LABEL instruction; quoting as in Dockerfiles, where ``$`` would be a variable."""
    if any("\n" in text or "\r" in text for text in pair):
        raise InputError(Message(f"label {pair[0]}", "has a line end, which cannot be imported"))
    key, value = (json.dumps(text, ensure_ascii=False).replace("$", "\\$") for text in pair)
    return f"LABEL {key}={value}"
