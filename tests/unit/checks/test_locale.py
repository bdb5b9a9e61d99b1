import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imagekit.checks import locale
from imagekit.checks.check import CheckFailedError, CheckSkippedError
from imagekit.checks.locale import TEXT, check_locale, font_language
from imagekit.wait import Deadline

GOOD = {
    "LANG": "zh_CN.UTF-8",
    "charmap": "UTF-8",
    "date": "1700000000 CST +0800",
    "text": TEXT,
    "characters": str(len(TEXT)),
}


def output(before: str = "", **changes: str) -> str:
    lines = [f"{name}={value}" for name, value in {**GOOD, **changes}.items()]
    return "\n".join([f"{before}begin", *lines, "end", ""])


@pytest.fixture
def ask(ssh_server: Any, subject: Any, plan: Any, fake_inside: Any) -> Callable[..., Any]:
    """Ask with what a command, a login shell, a foreign client and fc-match give."""

    def run(
        command: str = output(),
        login: str = output(),
        foreign: str = output(),
        font: str = "WenQuanYi Micro Hei\nen|zh-cn|zh-tw",
        messages: tuple[int, str] = (0, "/usr/share/locale/zh_CN/LC_MESSAGES/xfce4-panel.mo\n"),
        **changes: Any,
    ) -> Any:
        def shell(text: str, env: dict[str, str]) -> tuple[int, str]:
            if text.startswith("fc-match"):
                return 0, font
            answers = {"SHELL": login, "LANG": foreign}
            return 0, next((answers[name] for name in env if name in answers), command)

        fake = ssh_server(run=shell)
        the_plan = replace(plan, **changes)
        inside = fake_inside({"/usr/bin/python3": messages})
        the_subject = subject(ssh_at=fake.address, the_plan=the_plan, inside=inside)
        return check_locale(the_subject, Deadline.after(5))

    return run


def test_passes(ask: Any) -> None:
    assert ask() == {
        "lang": "zh_CN.UTF-8",
        "timezone": "Asia/Shanghai",
        "date": "CST +0800",
        "font": "WenQuanYi Micro Hei",
        "messages": "/usr/share/locale/zh_CN/LC_MESSAGES/xfce4-panel.mo",
    }


def test_passes_without_a_desktop_and_its_fonts(ask: Any) -> None:
    assert "font" not in ask(desktop=None, font="DejaVu Sans\nen")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"command": output(LANG="")}, "LANG=zh_CN.UTF-8 in an ssh command; got ''"),
        ({"login": output(LANG="C")}, "in an ssh login shell; got 'C'"),
        ({"command": output(charmap="ANSI_X3.4-1968")}, "UTF-8 in an ssh command; got 'ANSI"),
        ({"foreign": output(charmap="ANSI_X3.4-1968")}, "client offers LANG=de_DE.UTF-8"),
        ({"command": output(text="????")}, "characters back from an ssh command"),
        ({"login": output(characters="55")}, "of 55 characters"),
        ({"command": output(date="1700000000 UTC +0000")}, "Asia/Shanghai .CST .0800.*got 'UTC"),
        ({"command": output(date="yesterday")}, "a date in an ssh command"),
        (
            {"login": output("bash: warning: setlocale: LC_ALL: cannot change locale (xx)\n")},
            "without a complaint.*cannot change locale",
        ),
        (
            {"command": output("locale: Cannot set LC_CTYPE to default locale: No such file\n")},
            "without a complaint",
        ),
        ({"command": "bash: locale: command not found\n"}, "values in an ssh command; got exit"),
        ({"font": "DejaVu Sans\nen|fr"}, "a font for zh-cn; got .*DejaVu"),
        ({"messages": (0, "\n")}, "the desktop's messages in zh_CN.UTF-8; got exit code 0"),
    ],
)
def test_fails(ask: Any, answers: dict[str, str], message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(**answers)


def test_messages_are_due_only_where_they_are_kept(ask: Any, plan: Any) -> None:
    for changes in (
        {"desktop": None},
        {"desktop": replace(plan.desktop, session="lxde")},
        {"locale": replace(plan.locale, lang="C.UTF-8")},
        {"locale": replace(plan.locale, lang="it_IT.UTF-8")},
    ):
        lang = changes.get("locale", plan.locale).lang
        said = output(LANG=lang)
        data = ask(said, said, font="Sans\nen|it|zh-cn", messages=(0, ""), **changes)
        assert "messages" not in data


def test_a_desktop_without_an_ssh_server_is_asked_for_its_messages(ask: Any) -> None:
    seen = {
        "lang": "zh_CN.UTF-8",
        "messages": "/usr/share/locale/zh_CN/LC_MESSAGES/xfce4-panel.mo",
    }
    assert ask(sshd=None) == seen
    with pytest.raises(CheckFailedError, match=r"the desktop's messages in zh_CN\.UTF-8"):
        ask(sshd=None, messages=(0, "\n"))
    with pytest.raises(CheckSkippedError, match="ssh"):
        ask(sshd=None, desktop=None)


def test_skipped_where_the_time_zone_is_unknown(ask: Any, plan: Any) -> None:
    with pytest.raises(CheckSkippedError, match="Mars/Olympus"):
        ask(locale=replace(plan.locale, timezone="Mars/Olympus"))


@pytest.mark.parametrize(
    ("lang", "language"),
    [("zh_CN.UTF-8", "zh-cn"), ("en_US.UTF-8", "en"), ("C.UTF-8", "en"), ("sr_RS@latin", "sr")],
)
def test_font_language(lang: str, language: str) -> None:
    assert font_language(lang) == language


@pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("locale")), reason="needs bash and locale"
)
def test_the_script_says_what_is_read() -> None:
    done = subprocess.run(
        ["bash"],
        input=locale._SCRIPT,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    values = locale._check_text("here", locale.Output(0, done.stdout + done.stderr))
    assert values["LANG"] == "C.UTF-8"
