"""Scripts that run in the container, as far as they can be tried without one."""

import ast
import os
import subprocess
import sys

import pytest

from imagekit.checks import clipboard, screen, vnc, windows
from imagekit.checks.answer import answered
from imagekit.checks.x11 import PRELUDE

SCRIPTS = {
    "look": PRELUDE + windows._SEE + windows._LOOK,
    "open": PRELUDE + windows._SEE + windows._OPEN,
    "close": PRELUDE + windows._CLOSE,
    "selection": PRELUDE + clipboard._SELECTION,
    "ports": vnc._PORTS,
    "enter": screen._ENTER,
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_oldest_release_understands_it(script: str) -> None:
    ast.parse(script, feature_version=(3, 6))


@pytest.mark.parametrize("name", ["look", "open", "close", "selection"])
def test_without_an_x_server_it_says_so(name: str) -> None:
    script = SCRIPTS[name].replace("range(50)", "range(1)")
    environment = {"PATH": os.environ["PATH"], "DISPLAY": ":7777"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if "libX11" in done.stderr:
        pytest.skip("this machine has no libX11")
    assert (done.returncode, done.stderr) == (1, "no X server at :7777\n")


def test_ports_are_read_from_this_kernel_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", vnc._PORTS], capture_output=True, text=True, check=True
    )
    assert isinstance(answered(0, done.stdout), list)
