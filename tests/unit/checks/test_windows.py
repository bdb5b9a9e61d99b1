"""What is asked about the desktop's windows, against what a container may answer."""

import io
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from PIL import Image

from imagekit import catalogue
from imagekit.checks import desktop, windows
from imagekit.checks.check import Attachment, CheckFailedError, CheckSkippedError
from imagekit.checks.desktop import PROGRAMS, check_desktop
from imagekit.checks.picture import png
from imagekit.checks.rfb import Frame
from imagekit.checks.session import check_session
from imagekit.checks.windows import Window, check_no_question
from imagekit.wait import Deadline


def window(number: int, kind: str, name: str, title: str, **changes: Any) -> dict[str, Any]:
    there = {"mapped": True, "free": False, "left": 0, "top": 0, "width": 300, "height": 200}
    kinds = [kind] if kind else []
    told = {"id": number, "kinds": kinds, "transient": False, "name": name, "title": title}
    return {**told, **there, **changes}


PANEL = window(1, "DOCK", "xfce4-panel Xfce4-panel", "xfce4-panel", height=28)
DIALOG = window(8, "DIALOG", "lxpolkit Lxpolkit", "Error")


@dataclass
class Session:
    """A container's Python: windows, and programs that open some."""

    panel: dict[str, Any] | None = field(default_factory=lambda: PANEL)
    opens: bool = True
    crashes: bool = False  # the session, with the first program
    greets: list[dict[str, Any]] = field(default_factory=list)  # what opens beside a program
    managers: list[int] = field(default_factory=lambda: [77])
    programs: tuple[str, ...] = ("xfce4-panel", "xfwm4")
    ages: list[float] = field(default_factory=lambda: [9.0])
    open: list[dict[str, Any]] = field(default_factory=list)
    started: list[tuple[str, ...]] = field(default_factory=list)
    closed: list[tuple[str, ...]] = field(default_factory=list)

    def execute(
        self, argv: Sequence[str], user: str = "", timeout: float = 20.0
    ) -> tuple[int, str]:
        assert user == "lab"
        assert timeout > 0
        if self.crashes and self.started:
            return 1, "imagekit: no xfce4-panel in a session; programs none\n"
        script = next(part for part in argv if windows.PRELUDE in part)
        arguments = tuple(argv[list(argv).index(script) + 1 :])
        if script.endswith(windows._LOOK):
            return 0, "imagekit:" + json.dumps(self.look())
        if script.endswith(windows._OPEN):
            return 0, "imagekit:" + json.dumps(self.start(*arguments))
        assert script.endswith(windows._CLOSE)
        self.closed.append(arguments)
        self.open = []
        return 0, "imagekit:[]"

    def look(self) -> dict[str, Any]:
        first = self.managers.pop(0) if len(self.managers) > 1 else self.managers[0]
        age = self.ages.pop(0) if len(self.ages) > 1 else self.ages[0]
        seen = [self.panel] if self.panel else []
        return {
            "manager": first,
            "programs": list(self.programs),
            "windows": [*seen, *self.open],
            "popups": [],
            "age": age,
        }

    def start(self, _mark: str, _seconds: str, *command: str) -> dict[str, Any]:
        self.started.append(command)
        number = 10 + len(self.started)
        new = [window(number, "NORMAL", command[-1], f"lab@box: {command[-1]}")]
        came = [*(new if self.opens else []), *self.greets]
        self.open += came
        return {"window": new[0] if self.opens else None, "others": came, "said": "hm\n"}

    def logs(self) -> str:
        return ""


@pytest.fixture
def ask(desktop_server: Any, fake_desktop: Any, subject: Any, plan: Any, monkeypatch: Any) -> Any:
    monkeypatch.setattr(desktop, "_DRAWN_SECONDS", 0.3)
    monkeypatch.setattr(desktop, "_DRAWN_PAUSE", 0.1)

    def run(check: Any, session: Session, name: str = "xfce", seconds: float = 2.0) -> Any:
        the_plan = replace(plan, desktop=replace(plan.desktop, session=name))
        address = desktop_server(fake_desktop())
        asked = subject(web_at=address, inside=session, the_plan=the_plan)
        return check(asked, Deadline.after(seconds))

    return run


def test_programs_open_and_are_pictured_and_closed(ask: Any) -> None:
    session = Session()
    data = ask(check_desktop, session)
    picture = data.pop("screenshot")
    assert data == {
        "panel": "xfce4-panel Xfce4-panel",
        "terminal": "TerminalEmulator",
        "manager": "FileManager",
    }
    assert isinstance(picture, Attachment)
    assert (picture.name, picture.media_type) == ("desktop.png", "image/png")
    image = Image.open(io.BytesIO(picture.content))
    assert image.size == (64, 32)
    assert image.getpixel((3, 5)) == (0, 3, 5)
    assert session.started == [program.command for program in PROGRAMS["xfce"]]
    assert [numbers for _mark, *numbers in session.closed] == [["11", "12"]]


def test_every_session_has_its_programs(ask: Any) -> None:
    for release in catalogue.os_releases().values():
        assert set(catalogue.desktop_sessions(release)) <= set(PROGRAMS)
    assert "manager" not in ask(check_desktop, Session(), "minimal")


@pytest.mark.parametrize(
    ("session", "message"),
    [
        (Session(panel=None), "a panel .* got .*: no window at all; programs xfce4-panel, xfwm4"),
        (Session(panel={**PANEL, "mapped": False}), "a panel .* 'xfce4-panel' of xfce4-panel"),
        (
            Session(opens=False),
            r"a terminal \(exo-open --launch TerminalEmulator\) .* no window .* said 'hm'",
        ),
        (Session(opens=False, greets=[DIALOG]), "'Error' of lxpolkit Lxpolkit within"),
        (Session(managers=[0]), "a panel .* no window manager that lives; programs xfce4-panel"),
        (Session(managers=[5, 6]), "a window manager that stays; got 2 one after"),
        (Session(greets=[DIALOG]), "without a dialog; got 'Error' of lxpolkit"),
    ],
)
def test_a_desktop_fails(ask: Any, session: Session, message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(check_desktop, session)
    assert not session.open, "what was opened is closed"


def test_what_failed_is_told_where_nothing_can_be_closed_any_more(
    ask: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(desktop, "_CLOSE_SECONDS", 0.5)
    session = Session(opens=False, crashes=True)
    with pytest.raises(CheckFailedError, match=r"a terminal \(exo-open .* no window"):
        ask(check_desktop, session)


def test_a_session_passes_and_is_described(ask: Any) -> None:
    seen = ask(check_session, Session(ages=[1.0, 9.0]))
    assert seen == {"programs": ["xfce4-panel", "xfwm4"], "windows": 1}


@pytest.mark.parametrize(
    ("session", "message"),
    [
        (Session(open=[DIALOG]), "without a dialog; got 'Error' of lxpolkit Lxpolkit"),
        (Session(panel={**PANEL, "transient": True}), "without a dialog"),
        (Session(programs=("light-locker",)), "without lockers .*; got light-locker"),
        (Session(programs=("polkit-gnome-authentication-agent-1",)), "got polkit-gnome"),
        (Session(programs=("xfwm4", "xfce4-screensaver")), "got xfce4-screensaver"),
        (Session(managers=[0]), "a window manager; got none that lives; programs xfce4-panel"),
        (
            Session(managers=[5, 6], ages=[4.0, 9.0]),
            "a window manager that stays; got 2 one after another; programs xfce4-panel",
        ),
        (Session(ages=[0.0]), "has settled; got not in time: a session of 0 s"),
    ],
)
def test_a_session_fails(ask: Any, session: Session, message: str) -> None:
    with pytest.raises(CheckFailedError, match=message):
        ask(check_session, session)


def shown(title: str) -> Window:
    return Window(1, ("NORMAL",), False, "a A", title, True, 0, 0, 9, 9)


@pytest.mark.parametrize(
    "title",
    [
        "Error", "Fatal error", "Authentication Required", "Unlock Keyring", "Could not connect",
        "Failed to start", "xfce4-panel has crashed", "Enter password", "错误", "無法開啟",
        "需要认证", "解锁登录密钥环", "身份验证", "解鎖螢幕", "操作失败", "要求輸入密碼",
    ],
)  # fmt: skip
def test_windows_that_nobody_wants_are_known_by_their_titles(subject: Any, title: str) -> None:
    with pytest.raises(CheckFailedError, match="without a window about"):
        check_no_question([shown(title)], subject())


@pytest.mark.parametrize(
    "title",
    ["lab@box: ~", "终端 - lab@terrorbox: ~", "lab - 文件管理器", "主文件夹", "", "xfce4-panel"],
)
def test_windows_of_every_day_are_no_alarm(subject: Any, title: str) -> None:
    check_no_question([shown(title)], subject())


def test_an_account_may_be_called_as_it_likes(subject: Any, plan: Any) -> None:
    the_plan = replace(plan, user=replace(plan.user, name="error"))
    check_no_question([shown("error@box: ~")], subject(the_plan=the_plan))


@pytest.mark.parametrize("check", [check_desktop, check_session])
def test_without_a_desktop_there_is_nothing_to_ask(subject: Any, plan: Any, check: Any) -> None:
    with pytest.raises(CheckSkippedError, match="no desktop"):
        check(subject(the_plan=replace(plan, desktop=None)), Deadline.after(1))


def test_a_picture_has_the_colours_of_the_screen() -> None:
    pixels = struct.pack("<2I", 0x00FF8001, 0x00000203)
    image = Image.open(io.BytesIO(png(Frame(2, 1, pixels))))
    assert [image.getpixel((x, 0)) for x in range(2)] == [(0xFF, 0x80, 1), (0, 2, 3)]
