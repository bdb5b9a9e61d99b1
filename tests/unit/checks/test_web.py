from typing import Any

import pytest

from imagekit.checks.check import AnswerError
from imagekit.checks.web import Browser, Page, is_listing
from imagekit.wait import Deadline

PAGE = (200, "text/html", "")


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


def test_names_of_modules_may_be_written_as_people_do(
    desktop_server: Any, fake_desktop: Any
) -> None:
    pages = {"/%E6%A1%8C.js?a=b%20c": (200, "text/javascript", "export const x = 1;")}
    browser = Browser(desktop_server(fake_desktop(pages=pages)), Deadline.after(5))
    assert set(browser.load_modules("/", frozenset({"./桌.js?a=b c"}))) == {"/桌.js?a=b c"}


def test_headers_are_read_as_utf_8(desktop_server: Any, fake_desktop: Any) -> None:
    raw = "/桌".encode().decode("latin-1")
    fake = fake_desktop(headers={"Location": raw, "X-Other": "\xff"}, pages={"/": PAGE})
    answer = Browser(desktop_server(fake), Deadline.after(5)).get("/")
    assert answer.headers["location"] == "/桌"
    assert answer.headers["x-other"] == "\N{REPLACEMENT CHARACTER}"


def test_what_is_no_address_is_refused() -> None:
    browser = Browser(("127.0.0.1", 9), Deadline.after(1))
    with pytest.raises(AnswerError, match=r"//\[x, which is no address"):
        browser.load_modules("/", frozenset({"//[x"}))


def test_what_the_parser_cannot_read_is_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    # What many releases of CPython make of it.
    def cannot(_page: Page, _text: str) -> None:
        raise AssertionError("unknown status keyword 'foo' in marked section")

    monkeypatch.setattr(Page, "feed", cannot)
    with pytest.raises(AnswerError, match="no HTML: unknown status keyword 'foo'"):
        Page("<![foo[")


def test_modules_of_another_server_are_refused() -> None:
    with pytest.raises(AnswerError, match="another server"):
        Browser(("127.0.0.1", 9), Deadline.after(1)).load_modules(
            "/", frozenset({"//cdn.example/rfb.js"})
        )


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_that_is_broken_off_is_made_again(
    desktop_server: Any, fake_desktop: Any, tls: bool
) -> None:
    js = "text/javascript"
    pages = {"/a.js": (200, js, 'import "./b.js";'), "/b.js": (200, js, "")}
    address = desktop_server(fake_desktop(pages=pages, every_other=True))
    browser = Browser(address, Deadline.after(5), tls=tls)
    assert set(browser.load_modules("/", frozenset({"./a.js"}))) == {"/a.js", "/b.js"}
    assert browser.certificate().subject.rfc4514_string() == "CN=fake"
    with pytest.raises(ConnectionError):
        browser.get("/a.js")
    assert browser.await_answer("/a.js").status == 200


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
