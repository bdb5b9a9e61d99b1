"""`imagekit test`: passes on the image as it is, and catches images that are broken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from imagekit import names
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.engine import buildkit
from imagekit.engine.connection import Engine
from imagekit.plan.model import Plan
from tests.docker.support import PROFILE, REQUIRED, Cli

START = "/usr/lib/imagekit/start.d"
FRONT = "/etc/imagekit/front"

# What is broken, how, and the check that has to notice.
MUTANTS = {
    "sshd_config with a typo": (f"RUN sed -i 's/^UsePAM /UsePAMM /' {START}/30-sshd", "sshd"),
    "root may log in": (
        (
            "RUN sed -i -e 's/^PermitRootLogin .*/PermitRootLogin yes/' "
            f"-e 's#authorized_keys.d/%u#authorized_keys.d/lab#' {START}/30-sshd"
        ),
        "sshd-root",
    ),
    "any password opens the page": (
        f"RUN sed -i 's/auth_basic $login_realm/auth_basic off/' {FRONT}/locations.conf",
        "vnc",
    ),
    "the X server asks for no password": (
        f"RUN sed -i 's/-SecurityTypes VncAuth/-SecurityTypes None/' {START}/50-desktop",
        "vnc",
    ),
    "the X server listens for native viewers": (
        f"RUN sed -i 's/^port=-1/port=5900/' {START}/50-desktop",
        "vnc",
    ),
    "the WebSocket opens for everyone": (
        f"RUN sed -i 's/if ($stranger)/if ($foreign)/; 1i set $foreign 0;' {FRONT}/locations.conf",
        "web",
    ),
    "other sites' pages get a WebSocket": (
        f'RUN sed -i \'s/map "$own_origin$ticket"/map "1$ticket"/\' {FRONT}/nginx.conf',
        "web",
    ),
    "the certificate names another container": (
        f"RUN sed -i 's/\"$(hostname)\" localhost/other/' {START}/55-front",
        "web",
    ),
    "the page may be framed by anyone": (
        f"RUN sed -i \"s/; frame-ancestors 'self'//\" {FRONT}/headers.conf",
        "web",
    ),
    "the session does not come up": (
        (
            "RUN sed -i 's/exec dbus-run-session.*/exec sleep infinity/' "
            "/usr/lib/imagekit/desktop-session"
        ),
        "vnc",
    ),
    "the locale is not there": ("RUN rm /usr/lib/locale/locale-archive", "locale"),
    "noVNC is missing": ("RUN rm -r /opt/imagekit/web/htdocs/novnc/core", "web"),
    "folders are listed": (
        f"RUN sed -i 's/try_files $uri =404/autoindex on/' {FRONT}/locations.conf",
        "web",
    ),
    "login shells have a PATH of their own": ("RUN rm /etc/profile.d/imagekit.sh", "environment"),
    "secrets reach the sessions": (
        "RUN sed -i 's/and not secret and/and/' /usr/lib/imagekit/write-environment",
        "environment",
    ),
}


@pytest.fixture(scope="module")
def report(cli: Cli, image: str) -> dict[str, object]:
    done = cli("test", PROFILE, "--full", "--json", check=False)
    loaded: dict[str, object] = json.loads(done.stdout)
    assert done.returncode == (0 if loaded["ok"] else 1)
    return loaded


def test_every_check_passes_or_says_why_not(report: dict[str, object], plan: Plan) -> None:
    checks = {check["name"]: check for check in report["checks"]}  # type: ignore[attr-defined]
    failed = {
        name: check["reason"] for name, check in checks.items() if check["status"] == "failed"
    }
    assert failed == {}
    skipped = {name for name, check in checks.items() if check["status"] == "skipped"}
    # What the profile does not have, and what the machine may not have.
    if "browser" in skipped:
        assert "browser" not in REQUIRED
    assert skipped - {"browser"} == {
        "framework",
        "framework-gpu",
        "cuda",
        "jupyter",
        "conda",
        "mirrors",
        "gpu",
    }
    assert all(checks[name]["reason"] for name in skipped)
    asked = {"sshd", "sshd-password", "vnc", "web", "locale", "environment", "restart", "browser"}
    assert asked <= set(checks)
    assert report["profile"] == PROFILE
    assert report["plan"] == plan.digest


def test_nothing_is_left_behind(engine: Engine, report: dict[str, object]) -> None:
    left = engine.client.containers.list(all=True, filters={"label": "dev.imagekit.run"})
    assert left == []


@pytest.fixture
def mutant(request: pytest.FixtureRequest, engine: Engine, image: str) -> Iterator[str]:
    tag = f"ik-test/mutant:{abs(hash(request.param)) % 10**8}"
    text = f"FROM {names.REPOSITORY}/{PROFILE}:latest\n{request.param}\n"
    buildkit.build(engine, Context((ContextFile(DOCKERFILE, text.encode()),)), tags=[tag])
    yield tag
    engine.client.images.remove(tag)


@pytest.mark.parametrize(
    ("mutant", "check"), MUTANTS.values(), ids=MUTANTS.keys(), indirect=["mutant"]
)
def test_a_broken_image_is_caught(cli: Cli, mutant: str, check: str) -> None:
    done = cli("test", "--image", mutant, "--json", "--only", check, check=False)
    assert done.returncode == 1, done.stdout
    results = json.loads(done.stdout)["checks"]
    assert [(result["name"], result["status"]) for result in results] == [(check, "failed")]
    assert results[0]["reason"]
