"""Jupyter Lab: opens with the token and no other; kernels compute, also with the framework."""

from __future__ import annotations

import html
import re

from imagekit.checks.cell import on_cpu
from imagekit.checks.check import CheckFailedError, CheckSkippedError, Data, asking
from imagekit.checks.notebook import BASE, Notebook
from imagekit.checks.subject import Subject
from imagekit.names import JUPYTER_PORT, WEB_PORT
from imagekit.wait import Deadline

_LOG = "the container's log, lines of ServerApp"
_FRONT = "/etc/imagekit/front.d/jupyter.conf, and the container's log"
_WRONG = "imagekit-wrong-token"

_SCRIPT = re.compile(rb"<script[^>]*\ssrc=\"([^\"]+)\"")

_CODE = "import os, sys; print(1 + 1, sys.prefix, os.environ.get('LANG'), sep='|')"


def check_jupyter(subject: Subject, deadline: Deadline) -> Data:
    """The page opens, a wrong token does not, and a kernel of the environment adds 1 and 1.

    All of it on Jupyter's own port, whose ``/`` leads to the page, and through the
    desktop's port where the plan has a desktop. Where the plan has a framework, a kernel
    imports it and multiplies matrices.
    """
    plan = subject.plan
    if not plan.jupyter or plan.python is None:
        raise CheckSkippedError("the plan has no Jupyter")
    expected = f"2|{plan.python.prefix}|{plan.locale.lang}"
    version = _ask(subject, JUPYTER_PORT, expected, _LOG, deadline)
    _check_root(subject, deadline)
    if plan.desktop is not None:
        _ask(subject, WEB_PORT, expected, _FRONT, deadline)
    return {
        "jupyter_server": version,
        "kernel": expected,
        **_check_framework(subject, deadline),
        "ports": [JUPYTER_PORT, *([WEB_PORT] if plan.desktop else [])],
        "wrong_token": "refused",
    }


def _ask(subject: Subject, port: int, expected: str, look_at: str, deadline: Deadline) -> str:
    """Everything through one port of the container; the server's version."""
    where = f"on port {port}"
    with asking(f"Jupyter's page {where}", look_at):
        server = Notebook(subject.address(port), subject.secrets.jupyter_token, deadline)
        version = server.await_version()
        refused = server.request("GET", f"{BASE}/api/kernels", token=_WRONG).status
        page = server.request("GET", f"{BASE}/lab")
    if refused not in {401, 403}:
        raise CheckFailedError(f"a refusal of a wrong token {where}", f"status {refused}", look_at)
    if page.status != 200:
        raise CheckFailedError(
            f"Jupyter Lab's page with the token {where}", f"status {page.status}", look_at
        )
    _check_scripts(server, page.body, where, look_at)
    with asking(f"a kernel's answer {where}", look_at):
        said = server.compute(_CODE).strip()
    if said != expected:
        raise CheckFailedError(f"{expected!r} from a kernel {where}", repr(said[-500:]), look_at)
    return version


def _check_scripts(server: Notebook, page: bytes, where: str, look_at: str) -> None:
    """The page is nothing without them: it stays blank."""
    asked = f"the scripts of Jupyter Lab's page {where}"
    scripts = [html.unescape(found.decode()) for found in _SCRIPT.findall(page)]
    if not scripts:
        raise CheckFailedError(asked, "a page that names none", look_at)
    with asking(asked, look_at):
        for script in scripts:
            if (status := server.request("GET", script).status) != 200:
                raise CheckFailedError(asked, f"status {status} for {script}", look_at)


def _check_framework(subject: Subject, deadline: Deadline) -> Data:
    """A cell with the plan's framework; nothing where there is none."""
    framework = subject.plan.framework
    if framework is None:
        return {}
    asked = f"{framework.name} {framework.release} and a product of matrices from a kernel"
    look_at = f"{_LOG}; the kernel's environment, which the check `environment` compares"
    with asking(asked, look_at):
        server = Notebook(subject.address(JUPYTER_PORT), subject.secrets.jupyter_token, deadline)
        said = server.compute(on_cpu(framework))
    lines = said.strip().splitlines()
    if lines[-1:] != [f"{framework.release}|512.0"]:
        raise CheckFailedError(asked, repr(said[-500:]), look_at)
    return {"framework": f"{framework.name} {framework.release}"}


def _check_root(subject: Subject, deadline: Deadline) -> None:
    """Without the base path, as people type the address, with a token or without."""
    asked = f"the way from / to {BASE}/ on port {JUPYTER_PORT}"
    with asking(asked, _LOG):
        server = Notebook(subject.address(JUPYTER_PORT), "", deadline)
        answer = server.request("GET", "/?token=x")
    if answer.status not in {301, 302} or answer.location != f"{BASE}/?token=x":
        got = f"status {answer.status} {answer.location}".strip()
        raise CheckFailedError(asked, got, "the server extension imagekit_root")
