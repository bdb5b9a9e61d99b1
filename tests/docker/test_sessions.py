"""Every session beside XFCE: built, entered, and typed into; LXDE as in the tutorials.

LXDE's image has Firefox and Traditional Chinese, and with ``IMAGEKIT_SESSIONS=office`` the
tutorials' LibreOffice too, which takes minutes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container

from imagekit.engine.connection import Engine
from imagekit.wait import Deadline, NotYetError, until
from tests.docker.support import Cli

pytestmark = pytest.mark.image

OFFICE = ", office" if os.environ.get("IMAGEKIT_SESSIONS") == "office" else ""
LXDE = f"session: lxde, applications: [browser, image-editor{OFFICE}]"
PROFILE = (
    "profile: 1\nextends: [_desktop, {language}]\nbase: {{os: debian12}}\ndesktop: {{{desktop}}}\n"
)
SESSIONS = {
    "lxqt": ("_zh-cn", "session: lxqt"),
    "minimal": ("_zh-cn", "session: minimal"),
    "lxde": ("_zh-tw", LXDE),
}
SECONDS = 90.0
DISPLAY = {"DISPLAY": ":1", "XAUTHORITY": "/run/imagekit/desktop/xauthority", "HOME": "/home/lab"}
# A line for each window: its class, and its name.
TITLES = """for window in $(xprop -root _NET_CLIENT_LIST | grep -o '0x[0-9a-f]*'); do
    xprop -id $window WM_CLASS _NET_WM_NAME | tr '\\n' ' '
    echo
done"""
ASKED = ("sshd", "vnc", "resize", "clipboard", "input", "desktop", "session", "opengl")


@pytest.fixture(scope="module", params=SESSIONS)
def built(
    request: pytest.FixtureRequest,
    engine: Engine,
    cli: Cli,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The path of a session's profile, whose image is built."""
    language, desktop = SESSIONS[request.param]
    name = f"session-{request.param}"
    file = tmp_path_factory.mktemp("profile") / f"{name}.yaml"
    file.write_text(PROFILE.format(language=language, desktop=desktop))
    cli("build", str(file))
    yield str(file)
    for image in engine.client.images.list(name=f"imagekit/{name}"):
        for tag in image.tags:
            engine.client.images.remove(tag)


def test_people_can_get_in_see_type_and_draw(built: str, cli: Cli) -> None:
    only = [word for name in ASKED for word in ("--only", name)]
    done = cli("test", built, *only, "--json", check=False)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert {name: check["reason"] for name, check in checks.items() if check["reason"]} == {}
    assert {name for name, check in checks.items() if check["status"] == "passed"} == set(ASKED)
    assert "llvmpipe" in checks["opengl"]["data"]["renderer"]
    assert checks["input"]["data"]["text"] in {"你好", "中文"}
    picture = checks["desktop"]["data"]["screenshot"]
    assert (picture["file"], picture["bytes"] > 5000) == ("desktop.png", True), "not a blank one"


def test_firefox_begins_with_an_empty_page_and_no_question(built: str, engine: Engine) -> None:
    name = Path(built).stem
    if name != "session-lxde":
        pytest.skip("the image with a browser is LXDE's")
    started = engine.client.containers.run(f"imagekit/{name}:latest", detach=True, shm_size="1g")
    try:
        until(lambda: healthy(started), Deadline.after(SECONDS))
        started.exec_run(["firefox-esr"], user="lab", environment=DISPLAY, detach=True)
        titles = until(lambda: firefox_titles(started), Deadline.after(SECONDS))
    finally:
        started.remove(force=True, v=True)
    assert titles == ["Mozilla Firefox"], "a welcome page would stand before the name"


def healthy(container: Container) -> None:
    answer = container.exec_run(["/usr/lib/imagekit/health"])
    if answer.exit_code != 0:
        raise NotYetError(answer.output.decode())


def firefox_titles(container: Container) -> list[str]:
    """The titles of Firefox's windows, once it has some and they have names."""
    said = container.exec_run(["sh", "-c", TITLES], user="lab", environment=DISPLAY)
    windows = [line for line in said.output.decode().splitlines() if "Navigator" in line]
    titles = [title for line in windows for title in re.findall(r'NAME[^"]*= "([^"]*)"', line)]
    if not titles:
        raise NotYetError(f"no window of Firefox: {said.output.decode()}")
    return titles
