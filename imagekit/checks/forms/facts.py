"""What the page says of the image, of the engine, and of the versions that were seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

from imagekit.checks.forms.text import shown
from imagekit.checks.report import Report, Result
from imagekit.names import LABEL_PREFIX

_FRACTION = re.compile(r"\.\d+")

# The labels that say no version.
_OTHER_LABELS = frozenset({f"{LABEL_PREFIX}profile", f"{LABEL_PREFIX}plan"})

# Check and key of its data to what has that version.
_VERSIONS: Mapping[tuple[str, str], str] = {
    ("sshd", "banner"): "ssh server",
    ("web", "rfb"): "VNC protocol",
    ("opengl", "version"): "OpenGL",
    ("opengl", "renderer"): "OpenGL renderer",
    ("jupyter", "jupyter_server"): "Jupyter Server",
    ("jupyter", "kernel"): "Jupyter kernel",
    ("framework", "cuda"): "framework's CUDA",
    ("cuda", "nvcc"): "nvcc",
    ("conda", "conda"): "conda",
    ("browser", "browser"): "browser of the check",
}


def versions(report: Report) -> Iterator[tuple[str, str, str]]:
    """What, its version, and who says so: the image's labels, then the checks."""
    for name, value in report.labels.items():
        if name.startswith(LABEL_PREFIX) and name not in _OTHER_LABELS:
            yield shown(name.removeprefix(LABEL_PREFIX)), shown(value), "label"
    for result in report.results:
        for key, seen in result.data.items():
            what = _what(result, key)
            if what and isinstance(seen, (str, int, float)) and seen != "":
                yield shown(what), shown(str(seen)), f"check {shown(result.name)}"
        for driver in _drivers(result):
            yield "NVIDIA driver", shown(driver), f"check {shown(result.name)}"


def _drivers(result: Result) -> list[str]:
    """The drivers of the GPUs that a check lists, each once."""
    gpus = result.data.get("gpus")
    rows = [gpu for gpu in gpus if isinstance(gpu, Mapping)] if isinstance(gpus, list) else []
    return sorted({str(gpu["driver"]) for gpu in rows if gpu.get("driver")})


def _what(result: Result, key: str) -> str:
    """What a value of a check's data is the version of; empty when it is no version."""
    if known := _VERSIONS.get((result.name, key)):
        return known
    if key == "version":
        return str(result.data.get(result.name) or result.name)
    return key.removesuffix("_version") if key.endswith("_version") else ""


def facts(report: Report) -> Iterator[tuple[str, str]]:
    """What is known of the image and of where it was asked; what is not known is left out."""
    for name, value in _facts(report):
        if value:
            yield name, shown(value)


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    yield "image", report.image
    yield "id", report.image_id
    yield "profile", report.profile
    yield "plan", report.plan
    if report.facts is not None:
        yield "size", _size(report.facts.size, report.store)
        yield "created", moment(report.facts.created)
        yield "platform", f"{report.facts.os}/{report.facts.architecture}"
        yield "names", ", ".join(report.facts.tags)
        yield "base", report.labels.get("org.opencontainers.image.base.name", "")
    yield "engine", report.engine
    yield "image store", report.store


def _size(count: int, store: str) -> str:
    """A size; the containerd store counts what is packed for a registry."""
    how = "packed" if store == "containerd" else "unpacked"
    return f"{count / 1e9:.2f} GB {how}" if count >= 1e9 else f"{count / 1e6:.0f} MB {how}"


def moment(text: str) -> str:
    """A moment of RFC 3339 to the second, in UTC; any other text as it is."""
    # Engines give nanoseconds, of which datetime reads microseconds (and Python 3.10 no Z).
    whole = _FRACTION.sub("", text).removesuffix("Z")
    try:
        read = datetime.fromisoformat(whole)
    except ValueError:
        return text
    read = read.astimezone(timezone.utc) if read.tzinfo else read
    return f"{read:%Y-%m-%d %H:%M:%S} UTC"
