import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.jupyter import check_jupyter
from imagekit.plan.model import Framework, Python
from imagekit.wait import Deadline

TOKEN = "x7Kq2mV9"
PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), (), "", ("jupyterlab",), (), ())


@pytest.fixture
def ask(subject: Any, plan: Any, jupyter_server: Any) -> Callable[..., Any]:
    """Ask a server on both ports, or another one behind the front."""

    def run(front: dict[str, Any] | None = None, **behaviour: Any) -> Any:
        at = jupyter_server(**behaviour)
        web_at = at if front is None else jupyter_server(**front)
        the_plan = replace(plan, jupyter=True, python=PYTHON)
        made = subject(the_plan=the_plan, jupyter_at=at, web_at=web_at)
        return check_jupyter(made, Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    assert ask(starting=2) == {
        "jupyter_server": "2.21.1",
        "kernel": "2|/opt/venv|zh_CN.UTF-8",
        "ports": [8888, 80],
        "wrong_token": "refused",
    }


def test_passes_without_a_desktop(subject: Any, plan: Any, jupyter_server: Any) -> None:
    the_plan = replace(plan, jupyter=True, python=PYTHON, desktop=None)
    made = subject(the_plan=the_plan, jupyter_at=jupyter_server())
    assert check_jupyter(made, Deadline.after(5))["ports"] == [8888]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"open_to_all": True}, "a refusal of a wrong token on port 8888; got status 200"),
        ({"token": "another"}, "page with the token on port 8888; got status 403"),
        ({"page": 500}, "page with the token on port 8888; got status 500"),
        ({"scripts": 404}, "the scripts of Jupyter Lab's page on port 8888; got status 404 for"),
        ({"markup": "<p>hello</p>"}, "the scripts of Jupyter Lab's page on port 8888; got a page"),
        ({"text": "2|/usr|zh_CN.UTF-8\n"}, "got '2|/usr"),
        ({"made": b"<html>Log in"}, "a new one at /jupyter/api/kernels: b'<html>Log in'"),
        ({"made": b"[]"}, "a new one at /jupyter/api/kernels: b'[]'"),
        ({"made": b"{}"}, "a new one at /jupyter/api/kernels: b'{}'"),
        ({"error": "x is not defined", "ends": True}, "NameError: x is not defined"),
        ({"ends": True}, "a kernel's answer on port 8888; got nobody listens"),
        ({"error": "x is not defined"}, "NameError: x is not defined"),
        ({"root": ""}, "the way from / to /jupyter/ on port 8888; got status 404"),
        ({"root": "/login"}, "the way from / to /jupyter/ on port 8888; got status 302 /login"),
        ({"front": {"elsewhere": True}}, "page on port 80; got status 404"),
        ({"front": {"open_to_all": True}}, "a refusal of a wrong token on port 80"),
    ],
)
def test_fails(ask: Any, behaviour: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(**behaviour)
    assert message in str(failed.value)
    assert TOKEN not in str(failed.value)


FRAMEWORK = Framework("pytorch", "2.10.0")


def test_a_kernel_computes_with_the_framework(subject: Any, plan: Any, jupyter_server: Any) -> None:
    the_plan = replace(plan, jupyter=True, python=PYTHON, desktop=None, framework=FRAMEWORK)

    def ask(said: str) -> Any:
        at = jupyter_server(framework=said)
        return check_jupyter(subject(the_plan=the_plan, jupyter_at=at), Deadline.after(5))

    assert ask("a warning\n2.10.0|512.0\n")["framework"] == "pytorch 2.10.0"
    for wrong in ("2.9.1|512.0\n", "2.10.0|nan\n", ""):
        with pytest.raises(CheckFailedError, match=r"pytorch 2.10.0 and a product of matrices"):
            ask(wrong)


def test_nothing_is_printed_beside_the_report(ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="websockets.client")
    ask()
    assert [record for record in caplog.records if record.name.startswith("websockets")] == []


def test_a_server_that_does_not_come_up_fails(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="Jupyter's page on port 8888; got not in time"):
        ask(starting=10_000)


def test_skipped_without_jupyter(subject: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no Jupyter"):
        check_jupyter(subject(), Deadline.after(5))
