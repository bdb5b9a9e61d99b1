"""One session at a time is another one than the rest, and the check says which and how."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks.check import CheckFailedError
from imagekit.checks.environment import PRIVATE, SHARED, VARIABLES, check_environment
from imagekit.checks.subject import Foreign
from imagekit.plan.model import Python
from imagekit.wait import Deadline

PYTHON = Python("3.11", "os", "/opt/venv", "", (), (), (), "", ("jupyterlab",), (), ())
PATH = "/opt/venv/bin:/usr/bin"
GOOD = {
    "PATH": PATH,
    "LANG": "zh_CN.UTF-8",
    "TZ": "Asia/Shanghai",
    "COURSE": "ml",
    SHARED: VARIABLES[SHARED],
}
WAYS = {
    "exec": "in docker exec",
    "command": "in a command over ssh",
    "login": "in a login shell over ssh",
    "tty": "in a terminal over ssh",
    "session": "in the desktop session",
    "shell": "in a terminal of the desktop",
    "kernel": "in a Jupyter kernel",
    "terminal": "in a Jupyter terminal",
}


def said(
    python: str = "/opt/venv/bin/python", prefix: str = "/opt/venv", **changes: str | None
) -> str:
    """What the probe prints, between a shell's own words; None takes a variable away."""
    variables = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return f"Welcome!\r\nprobe-begin {json.dumps([variables, python, prefix])} probe-end\r\n$ "


class Inside:
    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def execute(self, argv: Sequence[str], user: str = "", timeout: float = 1) -> tuple[int, str]:
        assert (user, timeout > 0) == ("lab", True)
        return 0, self.texts[argv[3] if len(argv) > 3 else "exec"]

    def logs(self) -> str:
        return ""


@pytest.fixture
def ask(ssh_server: Any, jupyter_server: Any, subject: Any, plan: Any) -> Callable[..., Any]:
    """Ask, with what the probe prints in the sessions that are named; good in all others."""

    def run(
        the_plan: Any = None, seconds: float = 5, foreign: Foreign | None = None, **texts: str
    ) -> Any:
        texts = {**dict.fromkeys(WAYS, said()), "exec": said(**{PRIVATE: "x"}), **texts}

        def answer(_script: str, env: dict[str, str]) -> tuple[int, str]:
            way = "tty" if "TERMINAL" in env else "login" if "SHELL" in env else "command"
            return 0, texts[way]

        own = replace(plan, jupyter=True, python=PYTHON, env=(("COURSE", "ml"),))
        made = subject(
            ssh_at=ssh_server(run=answer).address,
            jupyter_at=jupyter_server(text=texts["kernel"], terminal=texts["terminal"]),
            inside=Inside(texts),
            the_plan=the_plan or own,
        )
        return check_environment(replace(made, foreign=foreign), Deadline.after(seconds))

    return run


def test_passes(ask: Any) -> None:
    data = ask()
    compared = data.pop("compared")
    assert data == {"sessions": 8, "path": PATH, "python": "/opt/venv/bin/python"}
    assert compared["PATH"] == dict.fromkeys(WAYS.values(), PATH)
    assert list(compared) == ["PATH", "LANG", "TZ", SHARED, "COURSE", "python"]


def test_what_each_session_had_is_there_when_one_differs(ask: Any) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(tty=said(TZ=None, LC_ALL="C", HINT="nobody's business"))
    compared = failed.value.data["compared"]
    assert compared["TZ"] == {**dict.fromkeys(WAYS.values(), GOOD["TZ"]), WAYS["tty"]: None}
    assert compared["LC_ALL"] == {**dict.fromkeys(WAYS.values()), WAYS["tty"]: "C"}
    assert "HINT" not in compared
    assert PRIVATE not in compared


def test_the_folder_of_conda_s_function_is_no_difference(ask: Any) -> None:
    assert ask(tty=said(PATH=f"/opt/conda/condabin:{PATH}"))["path"] == PATH


def test_images_of_others_have_only_to_be_the_same_everywhere(ask: Any) -> None:
    theirs = said(**{SHARED: None, "LANG": "C.UTF-8", "JUPYTER_TOKEN": "x7Kq2mV9"})
    texts = dict.fromkeys(WAYS, theirs)
    foreign = Foreign("/home/lab", {}, "/jupyter")
    assert ask(foreign=foreign, **texts)["sessions"] == 8
    with pytest.raises(CheckFailedError, match="PATH in a login shell over ssh lacks /opt/venv"):
        ask(foreign=foreign, **{**texts, "login": said(**{SHARED: None, "PATH": "/usr/bin"})})


def test_asks_only_for_the_sessions_of_the_plan(ask: Any, plan: Any) -> None:
    bare = replace(plan, sshd=None, desktop=None)
    assert ask(the_plan=bare)["sessions"] == 1


@pytest.mark.parametrize("way", [way for way in WAYS if way != "exec"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"PATH": "/usr/bin"}, "PATH {} lacks /opt/venv/bin"),
        ({"PATH": f"{PATH}:/usr/games"}, "PATH {} is '/opt/venv/bin:/usr/bin:/usr/games' and not"),
        ({"LANG": None}, "LANG {} is not set and not 'zh_CN.UTF-8'"),
        ({"LC_ALL": "C"}, "LC_ALL {} is 'C' and not not set"),
        ({SHARED: '你好 "x" $y '}, f"{SHARED} {{}} is '你好 \"x\" $y ' and not"),
        ({PRIVATE: "x"}, f"{PRIVATE}, which looks like a secret, is there {{}}"),
        ({"HINT": "it is x7Kq2mV9"}, "HINT {} holds the secret jupyter_token"),
        ({"python": "/usr/bin/python", "prefix": "/usr"}, "python {} is '/usr/bin/python' of"),
    ],
)
def test_a_session_that_differs_fails(
    ask: Any, way: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(**{way: said(**changes)})
    assert message.format(WAYS[way]) in failed.value.got
    assert "; " not in failed.value.got
    assert "x7Kq2mV9" not in str(failed.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"LANG": "C"}, "LANG in docker exec is 'C' and not 'zh_CN.UTF-8'"),
        ({"TZ": None}, "TZ in docker exec is not set"),
        ({"COURSE": "x"}, "COURSE in docker exec is 'x' and not 'ml'"),
        ({SHARED: "x"}, f"{SHARED} in docker exec is 'x'"),
        ({"LD_LIBRARY_PATH": "/usr/lib"}, "LD_LIBRARY_PATH in docker exec is set"),
        ({"prefix": "/usr"}, "python in docker exec is of '/usr' and not of '/opt/venv'"),
    ],
)
def test_what_is_wrong_everywhere_fails(ask: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(**dict.fromkeys(WAYS, said(**changes)))
    assert message in failed.value.got


def test_all_that_differs_is_said_at_once(ask: Any) -> None:
    with pytest.raises(CheckFailedError) as failed:
        ask(command=said(PATH="/usr/bin"), kernel=said(TZ=None), login="no shell", seconds=5)
    lines = failed.value.got.split("; ")
    assert [line.split(" is ")[0] for line in lines] == [
        "no answer in a login shell over ssh: 'no shell' instead of an answer",
        "PATH in a command over ssh lacks /opt/venv/bin",
        "TZ in a Jupyter kernel",
    ]


def test_an_answer_with_something_else_in_between_is_none(ask: Any) -> None:
    broken = "probe-begin [{}, bash: a warning\n 1] probe-end"
    with pytest.raises(CheckFailedError) as failed:
        ask(exec=broken, command=broken)
    assert f"no answer in docker exec: {broken!r} instead of an answer" in failed.value.got
    assert "no answer in a command over ssh" in failed.value.got


def test_a_desktop_that_does_not_come_up_fails(ask: Any) -> None:
    with pytest.raises(CheckFailedError, match="no answer in the desktop session: not in time"):
        ask(session="no desktop session\n", seconds=1)
