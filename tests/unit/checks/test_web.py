from typing import Any

import pytest

from imagekit.checks.check import AnswerError
from imagekit.checks.web import Browser, Page, is_listing
from imagekit.wait import Deadline


def test_page_knows_its_title_and_modules() -> None:
    page = Page(
        "<title>A &amp; B</title><script>import('./classic.js')</script>"
        '<script type="module" src="./main.js"></script>'
        "<script type=module>import RFB from '/novnc/core/rfb.js'; import './x.js';"
        "const y = await import('./y.js'); import fs from 'bare';</script>"
    )
    assert page.title == "A & B"
    assert page.modules == {"./main.js", "/novnc/core/rfb.js", "./x.js", "./y.js"}


def test_modules_are_followed_from_where_they_are(desktop_server: Any, fake_desktop: Any) -> None:
    js = "text/javascript"
    pages = {
        "/a/main.js": (200, js, 'export { x } from "../b/x.js?v=1"; import "./main.js";'),
        "/b/x.js?v=1": (200, js, "export const x = 1;"),
    }
    address = desktop_server(fake_desktop(pages=pages))
    modules = Browser(address, Deadline.after(5)).load_modules("/a/", frozenset({"./main.js"}))
    assert set(modules) == {"/a/main.js", "/b/x.js?v=1"}


def test_modules_of_another_server_are_refused() -> None:
    with pytest.raises(AnswerError, match="another server"):
        Browser(("127.0.0.1", 9), Deadline.after(1)).load_modules(
            "/", frozenset({"//cdn.example/rfb.js"})
        )


def test_browser_waits_for_the_server() -> None:
    with pytest.raises(TimeoutError, match="nobody listens"):
        Browser(("127.0.0.1", 9), Deadline.after(0.1)).await_answer("/")


@pytest.mark.parametrize(
    ("text", "listing"),
    [
        ("<title>Directory listing for /</title>", True),
        ("<title>Index of /novnc</title>", True),
        ("<title>The desktop</title>", False),
    ],
)
def test_is_listing(text: str, listing: bool) -> None:
    assert is_listing(text) is listing
