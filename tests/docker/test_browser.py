"""A person's way in: a real Chromium opens the address, gives the password, sees the desktop."""

from __future__ import annotations

import io
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from docker.models.containers import Container
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from imagekit.engine.connection import Engine
from tests.docker.support import await_health
from tests.required import missing

pytestmark = pytest.mark.image

PASSWORD = "a longer password: 密码 ñ 😀"
COPIED = "中文剪贴板 测试 ñ é 😀"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # tests run as root, which Chromium's sandbox refuses
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",  # the image's own certificate is self-signed
    "--window-size=1280,800",
)
# GTK's clipboard in the desktop session, through what the image has: Python and GTK 3.
GTK = """
import ctypes, sys
gtk = ctypes.CDLL("libgtk-3.so.0")
gtk.gdk_atom_intern.restype = gtk.gtk_clipboard_get.restype = ctypes.c_void_p
gtk.gtk_clipboard_get.argtypes = [ctypes.c_void_p]
gtk.gtk_clipboard_set_text.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
gtk.gtk_clipboard_wait_for_text.argtypes = [ctypes.c_void_p]
gtk.gtk_clipboard_wait_for_text.restype = ctypes.c_char_p
gtk.gtk_init_check(None, None)
clipboard = gtk.gtk_clipboard_get(gtk.gdk_atom_intern(b"CLIPBOARD", 0))
if len(sys.argv) > 1:
    gtk.gtk_clipboard_set_text(clipboard, sys.argv[1].encode(), -1)
    gtk.gtk_main()
else:
    sys.stdout.buffer.write(gtk.gtk_clipboard_wait_for_text(clipboard) or b"")
"""


@dataclass(frozen=True)
class Desktop:
    """A container with a desktop, and where its page is."""

    container: Container
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def clipboard(self, *text: str, detach: bool = False) -> str:
        """What is copied in the session; with a text, copy that and stay (X has no store)."""
        done = self.container.exec_run(
            ["python3", "-c", GTK, *text],
            user="lab",
            detach=detach,
            environment={"DISPLAY": ":1", "XAUTHORITY": "/run/imagekit/desktop/xauthority"},
        )
        return "" if detach else done.output.decode().splitlines()[-1:][0]


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    driver = shutil.which("chromedriver")
    chromium = shutil.which("chromium")
    if driver is None or chromium is None:
        missing("browser", "no chromium and chromedriver (Debian: chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    options.add_experimental_option("prefs", {"intl.accept_languages": "zh-CN"})
    for argument in ARGUMENTS:
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def desktop(engine: Engine, image: str) -> Iterator[Desktop]:
    """On a port of the host's that stays the same over restarts."""
    container = engine.client.containers.run(
        image,
        detach=True,
        ports={"80/tcp": ("127.0.0.1", free_port())},
        environment={"VNC_PASSWORD": PASSWORD},
    )
    try:
        await_health(container)
        container.reload()
        yield Desktop(container, int(container.ports["80/tcp"][0]["HostPort"]))
    finally:
        container.remove(force=True, v=True)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def visit(browser: webdriver.Chrome, url: str) -> None:
    """Open the page, once more where a load was cut off.

    A container that starts or stops is a change of the host's network, upon which Chromium
    ends every load that is under way (net::ERR_NETWORK_CHANGED).
    """

    def script_ran(chrome: webdriver.Chrome) -> bool:
        return any(button.text for button in chrome.find_elements(By.ID, "enter"))

    def opened(chrome: webdriver.Chrome) -> bool:
        chrome.get_log("browser")  # what an earlier try said
        chrome.get(url)
        with suppress(TimeoutException):
            WebDriverWait(chrome, 5).until(script_ran)
        return script_ran(chrome)

    WebDriverWait(browser, 30).until(opened, f"{url} does not show its login")


def leave(browser: webdriver.Chrome) -> None:
    """Forget the session of the page that is open."""
    browser.execute_script("sessionStorage.clear()")
    browser.get("about:blank")


def enter(browser: webdriver.Chrome, password: str) -> None:
    field = browser.find_element(By.ID, "password")
    WebDriverWait(browser, 20).until(lambda _: field.is_enabled())
    # chromedriver types no characters beyond the Basic Multilingual Plane.
    browser.execute_script("arguments[0].value = arguments[1]", field, password)
    browser.find_element(By.ID, "enter").click()


def await_message(browser: webdriver.Chrome, text: str) -> None:
    message = browser.find_element(By.ID, "message")
    WebDriverWait(browser, 30).until(lambda _: text in message.text)


def await_desktop(browser: webdriver.Chrome, seconds: int = 30) -> None:
    WebDriverWait(browser, seconds).until(lambda b: b.find_element(By.ID, "bar").is_displayed())


def colours(browser: webdriver.Chrome) -> int:
    """How many colours the page shows; a blank screen has a handful."""
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    return len(picture.getcolors(maxcolors=picture.width * picture.height) or ())


def severe(browser: webdriver.Chrome) -> list[object]:
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="module", params=["http", "https"])
def opened(
    request: pytest.FixtureRequest, browser: webdriver.Chrome, desktop: Desktop
) -> Iterator[Desktop]:
    """The desktop in the browser, over HTTP and over TLS on the same port."""
    visit(browser, desktop.url.replace("http:", f"{request.param}:"))
    enter(browser, PASSWORD)
    await_desktop(browser)
    yield desktop
    leave(browser)


def test_the_password_opens_the_desktop(browser: webdriver.Chrome, opened: Desktop) -> None:
    # Panel, icons and their Chinese names bring hundreds of colours.
    WebDriverWait(browser, 30).until(lambda b: colours(b) > 200)
    assert not browser.find_element(By.ID, "door").is_displayed()
    canvas = "const c = document.querySelector('#screen canvas'); return [c.width, c.height]"
    inner = browser.execute_script("return [innerWidth, innerHeight]")
    WebDriverWait(browser, 30).until(lambda b: b.execute_script(canvas) == inner)
    assert severe(browser) == []
    assert opened.container.status == "running"


def test_the_desktop_follows_the_window(browser: webdriver.Chrome, opened: Desktop) -> None:
    browser.set_window_size(1000, 700)
    try:
        width = browser.execute_script("return innerWidth")
        size = ["sh", "-c", "xwininfo -root | grep Width"]
        shown = {"DISPLAY": ":1", "XAUTHORITY": "/run/imagekit/desktop/xauthority"}

        def server_width(_: webdriver.Chrome) -> bool:
            said = opened.container.exec_run(size, user="lab", environment=shown).output
            return said.split()[-1:] == [str(width).encode()]

        WebDriverWait(browser, 30).until(server_width)
    finally:
        browser.set_window_size(1280, 800)


def test_chinese_and_emoji_are_copied_both_ways(browser: webdriver.Chrome, opened: Desktop) -> None:
    area = browser.find_element(By.ID, "clipboard")
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        area,
        f"{COPIED} in",
    )
    WebDriverWait(browser, 20).until(lambda _: opened.clipboard() == f"{COPIED} in")
    opened.clipboard(f"{COPIED} out", detach=True)
    WebDriverWait(browser, 20).until(lambda _: area.get_property("value") == f"{COPIED} out")


def test_a_reload_keeps_the_session(browser: webdriver.Chrome, opened: Desktop) -> None:
    browser.refresh()
    await_desktop(browser)
    assert opened.container.status == "running"


def test_a_restart_asks_for_nothing_again(browser: webdriver.Chrome, opened: Desktop) -> None:
    opened.container.restart()
    await_message(browser, "重试")
    await_desktop(browser, seconds=60)


def test_a_wrong_password_is_refused_and_too_many_are(
    browser: webdriver.Chrome, desktop: Desktop
) -> None:
    visit(browser, desktop.url)
    enter(browser, "wrong!!!")
    await_message(browser, "密码不正确")
    assert browser.find_element(By.ID, "login").is_displayed()
    for _ in range(20):
        if "尝试次数过多" in browser.find_element(By.ID, "message").text:
            break
        enter(browser, "wrong!!!")
        WebDriverWait(browser, 10).until(lambda b: b.find_element(By.ID, "password").is_enabled())
    await_message(browser, "尝试次数过多")
    leave(browser)


def test_another_sites_page_gets_no_websocket(
    browser: webdriver.Chrome, desktop: Desktop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Not even with the token, which it cannot have."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>another site</title>")
    token = token_of(desktop)
    script = (
        "const done = arguments[2];"
        "const socket = new WebSocket(arguments[0], ['binary', arguments[1]]);"
        "socket.onopen = () => done('open'); socket.onerror = () => done('refused');"
    )
    url = f"ws://127.0.0.1:{desktop.port}/websockify"
    with served(folder) as other:
        browser.get(other)
        assert browser.execute_async_script(script, url, f"imagekit.{token}") == "refused"
    visit(browser, desktop.url)
    assert browser.execute_async_script(script, url, f"imagekit.{token}") == "open"
    assert browser.execute_async_script(script, url, "imagekit.x") == "refused"


def token_of(desktop: Desktop) -> str:
    """What the page would get for the password."""
    answer = desktop.container.exec_run(["cat", "/run/imagekit/front/session.json"]).output
    (token,) = re.findall(r'"token": "([^"]+)"', answer.decode())
    return str(token)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Another web site, on another port."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
