"""`imagekit test` of images that imagekit did not build."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit import names
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.engine import buildkit
from imagekit.engine.connection import Engine
from tests.docker.support import PROFILE, Cli

# What the tutorial's reader does by hand (tests/bench/tutorial), to an image that has the
# packages already and forgets who built it.
BY_HAND = """\
FROM {repository}/{profile}:latest
LABEL {label}=""
HEALTHCHECK NONE
RUN printf 'PermitRootLogin yes\\nUsePAM yes\\nSubsystem sftp /usr/lib/openssh/sftp-server\\n' \\
        > /etc/ssh/sshd_config \\
    && ssh-keygen -A && echo 'root:root' | chpasswd && mkdir -p /run/sshd
ENTRYPOINT []
CMD ["/usr/sbin/sshd", "-D"]
"""
ELSEWHERE = """\
RUN id lab || useradd --create-home --shell /bin/bash lab; echo Port 2222 >> /etc/ssh/sshd_config
"""
REFUSES_ROOT = "RUN sed -i 's/^PermitRootLogin yes/PermitRootLogin no/' /etc/ssh/sshd_config\n"
ENDS = 'CMD ["sh"]\n'
NO_TIMEOUT = "RUN rm /usr/bin/timeout\n"

Try = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture(scope="module")
def made(engine: Engine, image: str) -> Iterator[Callable[[str], str]]:
    """Images made by hand: the names of those whose Dockerfile ends with some lines."""
    tags: dict[str, str] = {}

    def make(lines: str = "") -> str:
        if lines not in tags:
            tags[lines] = f"ik-test/foreign:{len(tags)}"
            text = BY_HAND.format(
                repository=names.REPOSITORY, profile=PROFILE, label=names.RESOLVED_LABEL
            )
            text += lines
            context = Context((ContextFile(DOCKERFILE, text.encode()),))
            buildkit.build(engine, context, tags=[tags[lines]])
        return tags[lines]

    yield make
    for tag in tags.values():
        engine.client.images.remove(tag)


@pytest.fixture
def tried(cli: Cli) -> Try:
    """Run `imagekit test`: exit code, the checks by name, and what it said beside them."""

    def call(*arguments: str) -> tuple[int, dict[str, Any], str]:
        done = cli("test", *arguments, "--json", check=False)
        checks = json.loads(done.stdout)["checks"] if done.stdout else []
        return done.returncode, {check["name"]: check for check in checks}, done.stderr

    return call


@pytest.fixture
def password(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.write_text("root\n")
    return f"password-file={file}"


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def test_the_image_made_by_hand(
    engine: Engine, made: Callable[..., str], tried: Try, password: str
) -> None:
    asked = ("sshd", "sshd-password", "sshd-root")
    code, checks, said = tried("--image", made(), *only(*asked), "--with", password)
    assert (code, {check["status"] for check in checks.values()}) == (0, {"passed"}), (checks, said)
    assert checks["sshd"]["data"]["user"] == "root"
    left = engine.client.containers.list(all=True, filters={"label": "dev.imagekit.run"})
    assert left == []


def test_a_profile_says_what_to_expect(made: Callable[..., str], tried: Try) -> None:
    code, checks, _ = tried(
        *(PROFILE, "--set", "desktop=false", "--set", "sshd.root=keys"),
        *("--set", "locale.timezone=Asia/Tokyo"),
        *("--image", made(ELSEWHERE), "--with", "port.sshd=2222"),
        *only("sshd", "sshd-password", "sshd-root", "locale", "vnc"),
    )
    assert code == 1
    status = {name: check["status"] for name, check in checks.items()}
    # The image has another time, and nobody told the password.
    assert status == {
        "sshd": "passed",
        "sshd-password": "skipped",
        "sshd-root": "passed",
        "locale": "failed",
        "vnc": "skipped",
    }, checks
    assert "Asia/Tokyo" in checks["locale"]["reason"]
    assert "password-file" in checks["sshd-password"]["reason"]


@pytest.mark.parametrize(
    ("lines", "check", "message"),
    [
        (REFUSES_ROOT, "sshd", "asked for a login of root with the key in authorized_keys; got a"),
        (ENDS, "sshd", "the container ended with exit code 0"),
        (NO_TIMEOUT, "environment", "which has to be there: OCI runtime exec failed"),
    ],
)
def test_a_broken_one_is_caught(
    made: Callable[..., str], tried: Try, lines: str, check: str, message: str
) -> None:
    code, checks, _ = tried("--image", made(lines), *only(check))
    assert code == 1
    assert message in checks[check]["reason"]


def test_a_containers_end_is_seen_on_the_terminal(made: Callable[..., str], cli: Cli) -> None:
    done = cli("test", "--image", made(ENDS), *only("sshd"), check=False)
    assert done.returncode == 1
    assert "the container ended with exit code 0" in " ".join(done.stdout.split())


def test_a_command_of_ones_own(made: Callable[..., str], tried: Try) -> None:
    command = "command=/usr/sbin/sshd -D"
    code, checks, said = tried("--image", made(ENDS), *only("sshd"), "--with", command)
    assert code == 0, (checks, said)


def test_nothing_says_what_to_expect(tiny_base: str, tried: Try) -> None:
    code, checks, said = tried("--image", tiny_base)
    assert (code, checks) == (2, {})
    assert f"{tiny_base}: imagekit did not build this image, and nothing says what" in said
    assert "hint: name a PROFILE that says it, or checks: --only sshd" in said


def test_a_profile_wins_over_the_label(image: str, tried: Try) -> None:
    code, checks, _ = tried(PROFILE, "--set", "user.name=li", "--image", image, *only("sshd"))
    assert code == 1
    assert "li" in checks["sshd"]["reason"]
    code, _, said = tried("--image", image, "--with", "user=root", *only("sshd"))
    assert code == 2
    assert "imagekit built this image" in said
