"""A real Chromium without a window, for the desktop's page.

Driven by selenium over chromedriver. What stands in ``templates/rootfs/desktop/opt/imagekit/
web/htdocs/index.html`` is known here by its ids.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError

from imagekit.checks.check import AnswerError, CheckSkippedError
from imagekit.wait import Deadline, NotYetError, until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_DRIVERS = ("chromedriver", "chromium.chromedriver")
_ARGUMENTS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",  # as all checks: what is asked is the container, not the way to it
    "--window-size=1280,800",
)
_LOAD_SECONDS = 15.0
_SCRIPT_SECONDS = 5.0

_CANVAS = """
const canvas = document.querySelector('#screen canvas');
if (!canvas || !canvas.width || !canvas.height) { return null; }
const all = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
const colours = new Set();
for (let i = 0; i < all.length; i += 4) {
    colours.add((all[i] << 16) | (all[i + 1] << 8) | all[i + 2]);
}
const at = canvas.getBoundingClientRect();
return [canvas.width, canvas.height, colours.size, at.left, at.top,
        canvas.width === innerWidth && canvas.height === innerHeight];
"""


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the page draws the desktop on.

    Attributes:
        width: pixels.
        height: pixels.
        colours: how many distinct ones it shows.
        left: where it begins in the page.
        top: likewise.
        fits: whether it has the size of the browser's window.
    """

    width: int
    height: int
    colours: int
    left: float
    top: float
    fits: bool


class DesktopPage:
    """The desktop's page in the browser; all methods raise ``OSError`` when time is over."""

    def __init__(self, driver: Chrome, deadline: Deadline) -> None:
        self._driver = driver
        self._deadline = deadline
        self._complaints: list[str] = []

    @property
    def version(self) -> str:
        """The browser's name and version."""
        known = self._driver.capabilities
        return f"{known.get('browserName', 'browser')} {known.get('browserVersion', '')}".strip()

    def open(self, url: str) -> None:
        """Load the page until its own script has run, again where a load was cut off.

        A container that starts or stops is a change of the host's network, upon which
        Chromium ends every load that is under way (net::ERR_NETWORK_CHANGED).
        """
        from selenium.common.exceptions import WebDriverException  # noqa: PLC0415

        complaint = ""

        def attempt() -> None:
            nonlocal complaint
            try:
                self._driver.set_page_load_timeout(self._deadline.timeout(_LOAD_SECONDS))
                self._driver.get(url)
            except (WebDriverException, HTTPError) as error:
                # What a page that came had to say counts more than a last load cut short.
                raise NotYetError(complaint or _first_line(error)) from error
            soon = Deadline.after(self._deadline.timeout(_SCRIPT_SECONDS))
            try:
                until(self._await_script, soon)
            except TimeoutError as error:
                said = "; ".join(self.complaints()) or "nothing"
                complaint = f"{error}; the browser's console says {said}"
                raise NotYetError(complaint) from error

        until(attempt, self._deadline)

    def enter(self, password: str) -> None:
        """Type the password and send it."""
        field = self._element("password")

        def ready() -> None:
            if not field.is_enabled():
                raise NotYetError(f"a password that cannot be typed; the page says {self.says()}")

        until(ready, self._deadline)
        field.send_keys(password)
        self._element("enter").click()

    def await_desktop(self, colours: int) -> Canvas:
        """The canvas, once it has the window's size and so many colours at least."""

        def attempt() -> Canvas:
            canvas = self.canvas()
            if canvas is None or not self._element("bar").is_displayed():
                raise NotYetError(f"no desktop; the page says {self.says()}")
            if canvas.colours < colours:
                raise NotYetError(f"a canvas of {canvas.colours} colour(s)")
            if not canvas.fits:
                size = f"{canvas.width}x{canvas.height}"
                raise NotYetError(f"a canvas of {size}, which is not the window's size")
            return canvas

        return until(attempt, self._deadline, pause=0.3)

    def canvas(self) -> Canvas | None:
        """What the desktop is drawn on; None when there is nothing yet."""
        found = self._driver.execute_script(_CANVAS)
        return Canvas(*found) if found else None

    def click(self, left: float, top: float) -> None:
        """Click at a place of the page."""
        from selenium.webdriver.common.actions.action_builder import (  # noqa: PLC0415
            ActionBuilder,
        )

        actions: Any = ActionBuilder(self._driver)
        actions.pointer_action.move_to_location(round(left), round(top)).click()
        actions.perform()

    def says(self) -> str:
        """The message under the login, quoted."""
        return repr(self._element("message").text)

    def complaints(self) -> list[str]:
        """What the browser's console has said of errors so far."""
        driver: Any = self._driver
        entries = driver.get_log("browser")  # which forgets them
        self._complaints += [str(each["message"]) for each in entries if each["level"] == "SEVERE"]
        return list(dict.fromkeys(self._complaints))

    def png(self) -> bytes:
        """A picture of the page."""
        picture: bytes = self._driver.get_screenshot_as_png()
        return picture

    def _await_script(self) -> None:
        if not any(button.text for button in self._driver.find_elements("id", "enter")):
            raise NotYetError("a page without a login")

    def _element(self, name: str) -> Any:
        return self._driver.find_element("id", name)


@contextmanager
def chromium(deadline: Deadline) -> Iterator[DesktopPage]:
    """A browser with nothing open, ended with all that belongs to it.

    Raises:
        CheckSkippedError: this machine has none, or nothing to drive it with.
    """
    driver = _start()
    # The end of the program ends checks in the middle; the browser is to go with it.
    end = driver.service.stop
    atexit.register(end)
    try:
        yield DesktopPage(driver, deadline)
    finally:
        driver.quit()
        atexit.unregister(end)


@contextmanager
def driving() -> Iterator[None]:
    """Turn what selenium says of a page that is not as it should be into an ``AnswerError``.

    A driver that ended, or does not answer, is told by urllib3, through which it is asked.

    Raises:
        AnswerError: an element is not there, a script did not run, or the browser ended.
    """
    from selenium.common.exceptions import WebDriverException  # noqa: PLC0415

    try:
        yield
    except (WebDriverException, HTTPError) as error:
        raise AnswerError(_first_line(error)) from error


def _start() -> Chrome:
    try:
        from selenium import webdriver  # noqa: PLC0415 (optional, and slow)
        from selenium.common.exceptions import WebDriverException  # noqa: PLC0415
    except ImportError as error:
        raise CheckSkippedError(
            "selenium is not installed here; pip install imagekit-lab[browser]"
        ) from error
    browser, service = _found(_BROWSERS), _found(_DRIVERS)
    if not browser or not service:
        lacking = "Chromium" if not browser else "chromedriver"
        raise CheckSkippedError(
            f"there is no {lacking} on this machine (Debian: chromium, chromium-driver)"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # which refuses root
    try:
        quiet = webdriver.ChromeService(service, log_output=subprocess.DEVNULL)
        return webdriver.Chrome(options=options, service=quiet)
    except (WebDriverException, HTTPError) as error:
        raise CheckSkippedError(f"{browser} does not start here: {_first_line(error)}") from error


def _found(names: tuple[str, ...]) -> str:
    return next(filter(None, map(shutil.which, names)), "")


def _first_line(error: Exception) -> str:
    """Selenium's messages go on with a trace of its driver's."""
    text = str(getattr(error, "msg", "") or error).strip()
    return text.splitlines()[0] if text else type(error).__name__
