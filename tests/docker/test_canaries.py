"""Twenty secrets in fourteen places: none is found; and what is put there is found.

The second half is what makes the first worth something: the same search, on a container of
an image that leaks on purpose, finds its canary in every place.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit import bases, site
from imagekit.checks import candidate, runner
from imagekit.checks.redact import Redactor
from imagekit.container import Secrets
from imagekit.context import DOCKERFILE, Context, ContextFile
from imagekit.engine import buildkit
from imagekit.engine.connection import Engine
from imagekit.events import Event, ignore
from imagekit.plan.model import Plan
from imagekit.render import render
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.box import Box, read_plan, started
from tests.docker.leaks import MARK, PLACES, Scene, canary, found

pytestmark = pytest.mark.image


def certificate() -> tuple[str, str]:
    """A self-signed certificate and its key, in PEM; text before it is a comment there."""
    with tempfile.TemporaryDirectory() as folder:
        files = ("-keyout", f"{folder}/key", "-out", f"{folder}/certificate")
        options = ("-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=canary", *files)
        subprocess.run(["openssl", "req", *options], check=True, capture_output=True)
        return (Path(folder, "certificate").read_text(), Path(folder, "key").read_text())


CERTIFICATE, KEY = certificate()
CANARIES = Secrets(
    password=canary(),
    desktop_password=canary(),
    jupyter_token=canary(),
    vnc_password=canary(8),
    root_password=canary(),
    tls_certificate=CERTIFICATE,
    tls_key=f"{canary()}\n{KEY}",
)
# As people spell them.
VARIABLES = {
    name: canary()
    for name in (
        "API_TOKEN",
        "WANDB_API_KEY",
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "MYSQL_PASSWORD",
        "db_passwd",
        "SMTP_PWORD",
        "GIT_CREDENTIALS",
        "REGISTRY_AUTH",
        "OPENAI_APIKEY",
        "Client_Secret",
        "SSH_KEY",
    )
}
BUILD_SECRETS = {"ca": canary(), "mirrors": canary()}
OF_SECRETS = tuple(re.findall(rf"{MARK}[a-zA-Z0-9]+", str(CANARIES.files())))
ALL = (*OF_SECRETS, *VARIABLES.values(), *BUILD_SECRETS.values())

# Whoever may ask the engine is told what `docker run -e` was told: a person's own choice,
# which docs/hardening.md warns of. Secrets belong into files below /run/secrets.
INHERENT = {"docker inspect of the container": frozenset(VARIABLES.values())}

PLANTED = canary()
LEAK = f"""\
LABEL leak={PLANTED}
ENV LEAK={PLANTED}
RUN echo {PLANTED} | tee /etc/leak && rm /usr/lib/locale/locale-archive
RUN printf '#!/bin/sh\\necho {PLANTED}\\necho {PLANTED} > /run/leak\\nexec %s leak user "%s"\\n' \
    /usr/lib/imagekit/add-service "sh -c 'while sleep 600; do :; done' {PLANTED}" \
    > /usr/lib/imagekit/start.d/90-leak && chmod 0755 /usr/lib/imagekit/start.d/90-leak && \
    printf '#!/bin/sh\\necho {PLANTED}\\n' > /usr/lib/imagekit/health.d/leak && \
    chmod 0755 /usr/lib/imagekit/health.d/leak
"""


def test_there_are_twenty_secrets_and_fourteen_places() -> None:
    assert len(set(ALL)) == 20
    assert len(PLACES) == 14


def test_checks_never_repeat_a_secret() -> None:
    text = Redactor(CANARIES).text(" ".join(OF_SECRETS))
    assert found([text.encode()], OF_SECRETS) == set()


def build_with_secrets(engine: Engine, plan: Plan) -> tuple[str, str]:
    """The plan's image with one step more, which uses the secrets; and what the build said."""
    place = site.load()
    base = bases.obtain(engine, plan.os, place, fresh=False, on_event=ignore)
    context = render(plan)
    step = re.search(
        r"^RUN --mount.*?env\.sh && \\\n", context.dockerfile, re.DOTALL | re.MULTILINE
    )
    assert step
    text = f"{context.dockerfile}\n{step[0]}    apt_lists && : {uuid.uuid4().hex}\n"
    files = (*(file for file in context.files if file.path != DOCKERFILE),)
    secrets = place.build_secrets()
    log: list[Event] = []
    built = buildkit.build(
        engine,
        Context((ContextFile(DOCKERFILE, text.encode()), *files)),
        secrets={
            "ca": secrets.get("ca", b"") + f"# {BUILD_SECRETS['ca']}\n".encode(),
            "mirrors": secrets.get("mirrors", b"")
            + f"no_proxy={BUILD_SECRETS['mirrors']}.example\n".encode(),
        },
        build_args={"BASE": base.reference},
        on_event=log.append,
    )
    return built.image_id, repr(log)


def everything_said(engine: Engine, image: str, *only: str) -> str:
    """Of the checks: the report, with the log of a failure in it, and all that was told."""
    told: list[Event] = []
    report = runner.run_checks(engine, image, runner.Options(only=only), on_event=told.append)
    return report.to_json() + repr(told) + repr(report)


def ready(box: Box, build: str, said: str) -> Scene:
    """The scene once the engine has asked for the container's health."""

    def asked() -> None:
        box.container.reload()
        if not box.container.attrs["State"]["Health"]["Log"]:
            raise NotYetError("the engine did not ask yet")

    box.await_health()
    until(asked, Deadline.after(120))
    return Scene(box, build, said)


@pytest.fixture(scope="module")
def scene(engine: Engine, image: str) -> Iterator[Scene]:
    """A container of an image that was built with secrets, started with all the others."""
    built, log = build_with_secrets(engine, read_plan(engine, image))
    plain = replace(CANARIES, tls_certificate="", tls_key="")
    with (
        pytest.MonkeyPatch.context() as patch,
        started(engine, built, secrets=CANARIES, environment=VARIABLES) as box,
    ):
        patch.setattr(
            candidate, "generate_secrets", lambda line: replace(plain, authorized_keys=line)
        )
        yield ready(box, log, everything_said(engine, built))


@pytest.fixture(scope="module")
def leaky(engine: Engine, image: str) -> Iterator[Scene]:
    log: list[Event] = []
    tag = engine.client.images.get(image).tags[0]
    text = f"FROM {tag}\n{LEAK}"
    context = Context((ContextFile(DOCKERFILE, text.encode()),))
    built = buildkit.build(engine, context, on_event=log.append).image_id
    with started(engine, built) as box:
        yield ready(box, repr(log), everything_said(engine, built, "locale"))


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_found(scene: Scene, place: str) -> None:
    seen = found(PLACES[place](scene), ALL)
    assert seen == INHERENT.get(place, frozenset()), [name_of(text) for text in seen]


@pytest.mark.parametrize("place", PLACES)
def test_what_leaks_is_found(leaky: Scene, place: str) -> None:
    assert found(PLACES[place](leaky), [PLANTED]) == {PLANTED}


def name_of(text: str) -> str:
    named = {**VARIABLES, **BUILD_SECRETS, **{n: d.decode() for n, d in CANARIES.files().items()}}
    return next(name for name, value in named.items() if text in value)
