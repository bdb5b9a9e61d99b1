"""A person's way in: a real browser opens the page, gives the password, and clicks."""

from __future__ import annotations

from contextlib import suppress

from imagekit.checks.check import Attachment, CheckFailedError, Data, asking
from imagekit.checks.chromium import Canvas, DesktopPage, chromium, driving
from imagekit.checks.desktop import panel_of
from imagekit.checks.entry import WEB_LOG, wanted
from imagekit.checks.resize import put_back
from imagekit.checks.screen import LOG
from imagekit.checks.subject import Subject
from imagekit.checks.windows import Window, look
from imagekit.names import WEB_PORT
from imagekit.wait import Deadline, NotYetError, until

SCREENSHOT = "browser.png"

_FEWEST_COLOURS = 64
"""A panel with icons and text has hundreds."""

_MENU_SIDE = 60
"""Pixels; a menu is broader and higher, what is shown for a pointer that rests is not."""

_BUTTON = 14
"""How far from the panel's left end the menu's button is in any case, in pixels."""

_CLICK_SECONDS = 5.0
_BACK_SECONDS = 10.0


def check_browser(subject: Subject, deadline: Deadline) -> Data:
    """Chromium shows the desktop, and a click on the panel's menu opens it."""
    wanted(subject)
    host, port = subject.address(WEB_PORT)
    # An address of version 6 stands in brackets in a URL (RFC 3986, section 3.2.2).
    url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    look_at = f"{WEB_LOG}; the browser's console at {url}"
    with chromium(deadline) as page:
        try:
            with asking("the desktop's page in Chromium", look_at), driving():
                page.open(url)
                page.enter(subject.secrets.desktop_password)
            with asking("the desktop, drawn in Chromium after the password", look_at), driving():
                canvas = page.await_desktop(_FEWEST_COLOURS)
            with asking("a menu by a click on the panel", LOG), driving():
                menu = _open_menu(subject, page, canvas, deadline)
                picture = page.png()
                complaints = page.complaints()
                page.click(canvas.left + canvas.width / 2, canvas.top + canvas.height / 2)
        except BaseException:
            # What is wrong with the page says more than what the desktop refuses after it.
            with suppress(CheckFailedError):
                put_back(subject, Deadline.after(_BACK_SECONDS))
            raise
        # The page gave the desktop the size of its window.
        put_back(subject, deadline)
        return {
            "browser": page.version,
            "size": f"{canvas.width}x{canvas.height}",
            "colours": canvas.colours,
            "menu": menu.name,
            "console": complaints,
            "screenshot": Attachment(SCREENSHOT, "image/png", picture),
        }


def _open_menu(subject: Subject, page: DesktopPage, canvas: Canvas, deadline: Deadline) -> Window:
    panel = _settled_panel(subject, canvas, deadline)
    before = {window.id for window in look(subject, deadline).popups}
    left = canvas.left + panel.left + _BUTTON
    top = canvas.top + panel.top + panel.height / 2

    def opened() -> Window:
        for window in look(subject, deadline).popups:
            large = window.width >= _MENU_SIDE and window.height >= _MENU_SIDE
            if large and window.id not in before and "TOOLTIP" not in window.kinds:
                return window
        raise NotYetError("no menu")

    def attempt() -> Window:
        page.click(left, top)
        try:
            return until(opened, Deadline.after(deadline.timeout(_CLICK_SECONDS)), pause=0.3)
        except TimeoutError as error:
            raise NotYetError(
                f"no window after a click at {panel.left + _BUTTON}, {panel.top} on {panel}"
            ) from error

    return until(attempt, deadline)


def _settled_panel(subject: Subject, canvas: Canvas, deadline: Deadline) -> Window:
    """The panel, when it has found its place on the desktop of the new size."""
    last: Window | None = None

    def attempt() -> Window:
        nonlocal last
        before, last = last, panel_of(look(subject, deadline))
        if last is None:
            raise NotYetError("no panel")
        if last != before or last.top + last.height > canvas.height:
            raise NotYetError(f"a panel that moves, at {last.left}, {last.top}")
        return last

    try:
        return until(attempt, deadline, pause=0.3)
    except TimeoutError as error:
        raise CheckFailedError("a panel to click on", str(error), LOG) from error
