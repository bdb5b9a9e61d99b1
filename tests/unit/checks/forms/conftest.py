"""A report with something of everything, hostile text among it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest

from imagekit.checks.check import Attachment, CheckFailedError
from imagekit.checks.report import Report, Result, failed
from imagekit.engine.images import ImageFacts

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror='a()'>\"&\x00\x1b[31mred\x1b[0m\udc80"
)
"""Whatever a container may say."""

SEEN = "</script><script>alert(1)</script><img src=x onerror='a()'>\"&␀red\N{REPLACEMENT CHARACTER}"
"""What is to be read of it."""

LABELS = {
    "dev.imagekit.profile": "demo",
    "dev.imagekit.framework": "pytorch 2.10.0",
    "dev.imagekit.resolved": "{…}",
    "org.opencontainers.image.base.name": "debian:12-slim",
}
COMPARED = {
    "PATH": {"in docker exec": "/opt/venv/bin:/bin", "over ssh": "/bin"},
    "TZ": {"in docker exec": "UTC", "over ssh": "UTC"},
    "LC_ALL": {"in docker exec": None, "over ssh": HOSTILE},
}


def png() -> bytes:
    """The smallest picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = chunk(b"IHDR", bytes((0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0)))
    pixel = chunk(b"IDAT", zlib.compress(b"\0\xff"))
    return b"\x89PNG\r\n\x1a\n" + header + pixel + chunk(b"IEND", b"")


PICTURE = Attachment("desktop.png", "image/png", png())
DRAWING = Attachment("drawing.svg", "image/svg+xml", b"<svg onload='alert(1)'/>")


def results() -> tuple[Result, ...]:
    error = CheckFailedError(HOSTILE, HOSTILE, HOSTILE, {"said": HOSTILE})
    environment = CheckFailedError("one environment", "two", "", {"compared": COMPARED})
    again = [
        Result("sshd", "passed", "", 1.0).as_dict(),
        failed("vnc", error, 2.0).as_dict(),
        Result("gpu", "skipped", HOSTILE).as_dict(),
    ]
    return (
        Result("sshd", "passed", "", 1.25, {"banner": "SSH-2.0-OpenSSH_9.2"}, started=0.5),
        failed("vnc", error, 12.5),
        Result("desktop", "passed", "", 3.0, {"screen": PICTURE, "drawing": DRAWING}),
        Result(
            "gpu",
            "passed",
            "",
            0.5,
            {"simulated": f"a stub {HOSTILE}", "gpus": [{"driver": "535.54"}, {"n": 1}]},
        ),
        Result("jupyter", "skipped", HOSTILE),
        failed("environment", environment, 2.0),
        Result("gone", "failed", "the container ended"),
        failed("restart", error, 7.5, {"checks": again, "checks_after_kill": again[:1]}),
    )


@pytest.fixture
def report() -> Callable[..., Report]:
    """Make reports; whatever is named takes the place of what is there by default."""

    def make(**changes: Any) -> Report:
        values: dict[str, Any] = {
            "image": "imagekit/demo:latest",
            "image_id": "sha256:" + "ab" * 32,
            "profile": "demo",
            "plan": "cd" * 32,
            "engine": "Docker Engine 27.0",
            "seconds": 21.25,
            "results": results(),
            "log": f"begin\n{HOSTILE}\r\nthe end\n",
            "store": "overlay2",
            "tested": "2026-11-25T12:00:00+00:00",
            "facts": ImageFacts(
                id="sha256:" + "ab" * 32,
                labels=LABELS,
                size=2_412_345_678,
                created="2026-11-24T01:02:03.123456789Z",
                tags=("imagekit/demo:latest",),
                os="linux",
                architecture="amd64",
            ),
        }
        return Report(**{**values, **changes})

    return make


@pytest.fixture
def hostile() -> tuple[str, str]:
    """What a container says, and what is to be read of it."""
    return HOSTILE, SEEN
