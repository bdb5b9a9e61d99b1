"""What the browser's check does where it cannot ask; the rest needs a real one (tests/docker)."""

import sys
from contextlib import nullcontext
from typing import Any

import pytest
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, ProtocolError, ReadTimeoutError

from imagekit.checks import browser, chromium
from imagekit.checks.browser import check_browser
from imagekit.checks.check import AnswerError, CheckFailedError, CheckSkippedError
from imagekit.checks.chromium import Canvas, DesktopPage, driving
from imagekit.checks.windows import Look, Window
from imagekit.wait import Deadline


@pytest.fixture
def ask(subject: Any) -> Any:
    return lambda: check_browser(subject(web_at=("127.0.0.1", 9)), Deadline.after(1))


def test_without_selenium_it_says_what_to_install(ask: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "selenium", None)
    with pytest.raises(CheckSkippedError, match=r"pip install imagekit-lab\[browser\]"):
        ask()


@pytest.mark.parametrize(
    ("there", "lacking"), [("", "Chromium"), ("chromium", "chromedriver"), ("chromedriver", "Chr")]
)
def test_without_a_browser_it_says_what_is_missing(
    ask: Any, monkeypatch: Any, there: str, lacking: str
) -> None:
    monkeypatch.setattr(chromium.shutil, "which", lambda name: name if name == there else None)
    with pytest.raises(CheckSkippedError, match=f"there is no {lacking}.* on this machine"):
        ask()


def test_a_browser_that_does_not_start_is_this_machines_fault(ask: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(chromium.shutil, "which", lambda _name: "/bin/false")
    with pytest.raises(CheckSkippedError, match="/bin/false does not start here"):
        ask()


def test_what_selenium_says_of_the_page_is_an_answer() -> None:
    from selenium.common.exceptions import NoSuchElementException  # noqa: PLC0415

    with pytest.raises(AnswerError, match=r"^no such element$"), driving():
        raise NoSuchElementException("no such element\nStacktrace: #0")


# As a driver that was killed, hangs, or is killed while it answers, is told of.
DEAD = (
    MaxRetryError(HTTPConnectionPool("localhost", 9), "/session", ConnectionRefusedError()),
    ReadTimeoutError(HTTPConnectionPool("localhost", 9), "/session", "Read timed out."),
    ProtocolError("Connection aborted."),
)


@pytest.mark.parametrize("error", DEAD)
def test_a_browser_that_ended_is_an_answer(error: Exception) -> None:
    with pytest.raises(AnswerError, match=r"retries|timed out|aborted"), driving():
        raise error


@pytest.mark.parametrize("error", DEAD)
def test_a_driver_that_does_not_answer_is_this_machines_fault(
    ask: Any, monkeypatch: Any, error: Exception
) -> None:
    from selenium import webdriver  # noqa: PLC0415

    def dead(**_options: Any) -> None:
        raise error

    monkeypatch.setattr(chromium.shutil, "which", lambda _name: "/bin/false")
    monkeypatch.setattr(webdriver, "Chrome", dead)
    with pytest.raises(CheckSkippedError, match="/bin/false does not start here"):
        ask()


@pytest.mark.parametrize("dies_at", ["open", "await_desktop", "png", "complaints"])
def test_a_browser_that_dies_on_the_way_fails(ask: Any, monkeypatch: Any, dies_at: str) -> None:
    class Page:
        version = "chrome 1"

        def __getattr__(self, name: str) -> Any:
            def did(*_: Any) -> Any:
                if name == dies_at:
                    raise DEAD[0]
                return Canvas(1280, 800, 300, 0, 0, True)

            return did

    monkeypatch.setattr(browser, "chromium", lambda _deadline: nullcontext(Page()))
    monkeypatch.setattr(browser, "_open_menu", lambda *_: window(9, "", 200, 300))
    monkeypatch.setattr(browser, "put_back", lambda *_: None)
    with pytest.raises(CheckFailedError, match="Max retries exceeded"):
        ask()


class Driver:
    """As much of selenium's as a page needs."""

    def __init__(self, *canvases: list[float] | None) -> None:
        self.canvases = list(canvases)

    def execute_script(self, _script: str) -> Any:
        return self.canvases.pop(0) if len(self.canvases) > 1 else self.canvases[0]

    def find_element(self, _by: str, _name: str) -> Any:
        return self

    text = "密码不正确"

    def is_displayed(self) -> bool:
        return True


DRAWN = [1280, 800, 300, 0, 0, True]


def page(*canvases: Any, seconds: float = 1.5) -> DesktopPage:
    driver: Any = Driver(*canvases)
    return DesktopPage(driver, Deadline.after(seconds))


def test_the_desktop_is_awaited() -> None:
    few, small = [1280, 800, 2, 0, 0, True], [1600, 900, 300, 0, 0, False]
    assert page(None, few, small, DRAWN).await_desktop(64) == Canvas(1280, 800, 300, 0, 0, True)


@pytest.mark.parametrize(
    ("canvas", "message"),
    [
        (None, "no desktop; the page says '密码不正确'"),
        ([1280, 800, 1, 0, 0, True], "a canvas of 1 colour"),
        ([1600, 900, 300, 0, 0, False], "a canvas of 1600x900, which is not the window's size"),
    ],
)
def test_what_the_page_shows_instead_is_told(canvas: Any, message: str) -> None:
    with pytest.raises(TimeoutError, match=message):
        page(canvas, seconds=0.4).await_desktop(64)


def window(number: int, kind: str, width: int, height: int) -> Window:
    return Window(number, (kind,), False, "a A", "", True, 0, 0, width, height)


class Clicks:
    def __init__(self) -> None:
        self.at: list[tuple[float, float]] = []

    def click(self, left: float, top: float) -> None:
        self.at.append((left, top))


@pytest.mark.parametrize(
    ("popup", "found"),
    [
        (window(9, "POPUP_MENU", 200, 300), True),
        (window(9, "TOOLTIP", 200, 300), False),
        (window(9, "", 200, 20), False),
        (window(3, "", 200, 300), False),  # was there before
    ],
)
def test_a_menu_is_what_a_click_opens(
    subject: Any, monkeypatch: Any, popup: Window, found: bool
) -> None:
    monkeypatch.setattr(browser, "_CLICK_SECONDS", 0.4)
    clicks: Any = Clicks()
    old, panel = window(3, "", 200, 300), window(1, "DOCK", 1280, 28)

    def look(_subject: Any, _deadline: Any) -> Look:
        return Look(7, (), (panel,), (old, popup) if clicks.at else (old,), 9.0)

    monkeypatch.setattr(browser, "look", look)
    canvas = Canvas(1280, 800, 300, 5, 10, True)
    arguments = (subject(), clicks, canvas, Deadline.after(1.5))
    if found:
        assert browser._open_menu(*arguments) is popup
        assert clicks.at == [(19, 24)]
    else:
        with pytest.raises(TimeoutError, match="no window after a click at 14, 0 on"):
            browser._open_menu(*arguments)


@pytest.mark.parametrize("error", [None, *DEAD])
def test_what_the_page_had_to_say_outlives_a_last_load_cut_short(
    monkeypatch: Any, error: Exception | None
) -> None:
    from selenium.common.exceptions import WebDriverException  # noqa: PLC0415

    class Page(Driver):
        loads = 0

        def set_page_load_timeout(self, _seconds: float) -> None:
            self.loads += 1

        def get(self, _url: str) -> None:
            if self.loads > 1:
                raise error or WebDriverException("timeout: Timed out receiving message: 0.1")

        def find_elements(self, _by: str, _name: str) -> list[Any]:
            return []

        def get_log(self, _kind: str) -> list[dict[str, str]]:
            return [{"level": "SEVERE", "message": "Error: the page is broken"}]

    monkeypatch.setattr(chromium, "_SCRIPT_SECONDS", 0.1)
    driver: Any = Page()
    with pytest.raises(TimeoutError, match="the browser's console says Error: the page is broken"):
        DesktopPage(driver, Deadline.after(0.6)).open("http://localhost")
    assert driver.loads > 1
