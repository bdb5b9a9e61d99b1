"""Which line of a profile a failed step complains about, by what programs really say.

The texts are those of apt 2.6.1, pip 23.3 and 25.1, uv 0.13.9 and npm 10.9.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagekit import profile
from imagekit.blame import blame
from imagekit.plan.resolve import resolve

PROFILE = """\
profile: 1
base: {os: debian12}
framework: {name: tensorflow, version: "2.20"}
jupyter: true
desktop: {applications: [editor, browser]}
locale:
  fonts: [fonts-roboto]
packages:
  apt: [tree, no-such-package, htop=99]
  pip: [six, "No_Such.Dist==1.0", numpy>=99]
  npm: ["@scope/zz", left-pad@99.1.2]
files:
  - {path: /etc/motd, text: hello}
"""

APT_GONE = """\
Reading package lists...
Building dependency tree...
E: Unable to locate package {}
"""
APT_REFERRED = """\
Package {0} is not available, but is referred to by another package.
This may mean that the package is missing, has been obsoleted, or
is only available from another source

E: Package '{0}' has no installation candidate
"""
APT_VERSION = "E: Version '99' for 'htop' was not found"
DPKG = """\
dpkg: error processing package tree (--configure):
 installed tree package post-installation script subprocess returned error exit status 1
Errors were encountered while processing:
 tree
"""
PIP_GONE = """\
ERROR: Could not find a version that satisfies the requirement {0} (from versions: none)
ERROR: No matching distribution found for {0}
"""
UV_GONE = """\
error: No solution found when resolving dependencies
  cause: Because {0} was not found in the package registry and you require {0}, we can conclude \
that your requirements are unsatisfiable.
"""
UV_VERSION = """\
error: No solution found when resolving dependencies
  cause: Because only numpy<=2.5.5 is available and you require numpy>=99, we can conclude that \
your requirements are unsatisfiable.
"""
UV_EXACT = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of
      no-such-dist==1.0 and you require no-such-dist==1.0, we can conclude
      that your requirements are unsatisfiable.
"""
NPM_GONE = """\
npm error code E404
npm error 404 Not Found - GET https://registry.example/@scope%2fzz
npm error 404
npm error 404  The requested resource '@scope/zz@*' could not be found or you do not have \
permission to access it.
"""
NPM_OLD = "npm ERR! 404  '@scope/zz@*' is not in this registry."
NPM_VERSION = "npm error notarget No matching version found for left-pad@99.1.2."


def blamed(
    write: Callable[..., str], log: str, step: str = "[image 3/9] RUN x", text: str = PROFILE
) -> list[str]:
    loaded = profile.load(write(text))
    found = blame(loaded, resolve(loaded), step, log.splitlines())
    return [str(problem.message) for problem in found]


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            APT_GONE.format("no-such-package"),
            '9:15: packages.apt[1]: apt finds no package "no-such-package"',
        ),
        (
            APT_REFERRED.format("no-such-package"),
            '9:15: packages.apt[1]: apt finds no package "no-such-package"',
        ),
        (APT_VERSION, '9:32: packages.apt[2]: apt has no such version of "htop"'),
        (DPKG, '9:9: packages.apt[0]: dpkg cannot install "tree"'),
        (
            APT_GONE.format("fonts-roboto"),
            '7:11: locale.fonts[0]: apt finds no package "fonts-roboto"',
        ),
        (APT_GONE.format("xfdesktop4"), '5:10: desktop: apt finds no package "xfdesktop4"'),
        (
            APT_GONE.format("firefox-esr"),
            '5:25: desktop.applications: apt finds no package "firefox-esr"',
        ),
        (
            PIP_GONE.format("No_Such.Dist==1.0"),
            '10:14: packages.pip[1]: no index has "No_Such.Dist"',
        ),
        (UV_GONE.format("no-such-dist"), '10:14: packages.pip[1]: no index has "no-such-dist"'),
        (
            UV_EXACT,
            '10:14: packages.pip[1]: no index has this version of "no-such-dist"',
        ),
        (UV_VERSION, '10:35: packages.pip[2]: no index has this version of "numpy"'),
        (
            UV_GONE.format("tensorflow-cpu"),
            '3:12: framework: no index has "tensorflow-cpu"',
        ),
        (UV_GONE.format("jupyterlab"), '4:10: jupyter: no index has "jupyterlab"'),
        ("Failed to build `six==1.17.0`", '10:9: packages.pip[0]: "six" cannot be built'),
        (NPM_GONE, '11:9: packages.npm[0]: npm finds no "@scope/zz"'),
        (NPM_OLD, '11:9: packages.npm[0]: npm finds no "@scope/zz"'),
        (NPM_VERSION, '11:22: packages.npm[1]: npm has no such version of "left-pad"'),
    ],
)
def test_the_line_is_named(write: Callable[..., str], log: str, said: str) -> None:
    assert blamed(write, log) == [f"x.yaml:{said}"]


def test_several_lines_come_in_their_order(write: Callable[..., str]) -> None:
    log = APT_VERSION + "\n" + APT_GONE.format("no-such-package")
    assert [text.split(":")[1:3] for text in blamed(write, log)] == [["9", "15"], ["9", "32"]]


def test_a_copy_step_is_about_its_file(write: Callable[..., str]) -> None:
    step = "[image 9/9] COPY --chmod=0644 files/etc/motd /etc/motd"
    assert blamed(write, "", step) == ["x.yaml:13:12: files[0].path: this file cannot be put there"]


@pytest.mark.parametrize(
    "log",
    [
        "",
        "E: Failed to fetch http://deb.example/tree.deb  503  Service Unavailable",
        APT_GONE.format("supervisor"),  # what every image has is nobody's line
        PIP_GONE.format("of-a-dependency"),
        NPM_VERSION.replace("left-pad", "right-pad"),
    ],
)
def test_nobody_is_blamed_for_what_nobody_wrote(write: Callable[..., str], log: str) -> None:
    assert blamed(write, log) == []


def test_the_line_is_that_of_the_file_that_has_it(write: Callable[..., str]) -> None:
    write("profile: 1\npackages:\n  apt:\n  - no-such-package\n", "profiles/_more.yaml")
    text = "profile: 1\nextends: [_more]\nbase: {os: debian12}\npackages: {apt: [tree]}\n"
    write(text, "profiles/x.yaml")
    loaded = profile.load("x")
    log = APT_GONE.format("no-such-package").splitlines()
    (found,) = blame(loaded, resolve(loaded), "RUN x", log)
    assert str(found.message).startswith("profiles/_more.yaml:4:5: packages.apt[0]: ")
