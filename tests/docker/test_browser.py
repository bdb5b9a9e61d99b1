"""A person's way in: a real Chromium opens the address, gives the password, sees the desktop."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.docker.support import PROFILE, Cli, missing

PERSON = "ik-browser"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # tests run as root, which Chromium's sandbox refuses
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,800",
)


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
def card(cli: Cli, image: str) -> Iterator[dict[str, Any]]:
    cli("run", PROFILE, "--name", PERSON)
    loaded: dict[str, Any] = json.loads(cli("card", PERSON, "--passwords", "--json").stdout)
    yield loaded
    cli("rm", PERSON, "--purge", "--yes", PERSON)


def enter(browser: webdriver.Chrome, url: str, password: str) -> None:
    browser.get(url)
    WebDriverWait(browser, 20).until(lambda b: b.find_element(By.ID, "enter").text != "")
    browser.find_element(By.ID, "password").send_keys(password)
    browser.find_element(By.ID, "enter").click()


def colours(browser: webdriver.Chrome) -> int:
    """How many colours the page shows; a blank screen has a handful."""
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    return len(picture.getcolors(maxcolors=picture.width * picture.height) or ())


def test_a_wrong_password_is_refused_in_the_page(
    browser: webdriver.Chrome, card: dict[str, Any]
) -> None:
    enter(browser, card["url"], "wrong!!!")
    message = browser.find_element(By.ID, "message")
    WebDriverWait(browser, 20).until(lambda _: "密码不正确" in message.text)
    assert browser.find_element(By.ID, "login").is_displayed()


def test_the_password_opens_the_desktop(
    browser: webdriver.Chrome, card: dict[str, Any], tmp_path: Path
) -> None:
    browser.get_log("browser")  # what was said before, about the wrong password
    enter(browser, card["url"], card["desktop_password"])
    WebDriverWait(browser, 30).until(lambda b: b.find_element(By.ID, "bar").is_displayed())
    # Panel, icons and their Chinese names bring hundreds of colours.
    WebDriverWait(browser, 30).until(lambda b: colours(b) > 200)
    assert not browser.find_element(By.ID, "door").is_displayed()
    size = browser.execute_script(
        "const c = document.querySelector('#screen canvas'); return [c.width, c.height]"
    )
    inner = browser.execute_script("return [innerWidth, innerHeight]")
    assert size == inner, "the desktop follows the window"
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []
    browser.save_screenshot(str(tmp_path / "desktop.png"))
