"""The pytest plugin: an image's checks as test items, and its container as a fixture.

pytest imports this module whenever it starts, so it imports nothing but pytest; all else
comes with ``--imagekit-profile`` or ``--imagekit-image``. docs/pytest.md is its manual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from imagekit.pytest_plugin.container import ImagekitContainer

_NAME = "imagekit-checks"
_HOW = "run pytest with --imagekit-profile NAME, or with --imagekit-image REF"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, each as the command line's ``imagekit test`` has it."""
    group = parser.getgroup("imagekit", "smoke tests of an image by imagekit")
    add = group.addoption
    add("--imagekit-profile", metavar="NAME", default="", help="Test this profile's image.")
    add("--imagekit-image", metavar="REF", default="", help="Test this image, whoever built it.")
    add("--imagekit-full", action="store_true", help="Also the checks that take minutes.")
    add("--imagekit-gpus", metavar="all|none|UUID,…", default="", help="With CUDA all.")
    add("--imagekit-engine", metavar="ADDRESS", default="", help="The Docker Engine.")
    add(
        "--imagekit-with",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="Tell how somebody else's image is used; see docs/foreign-images.md.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Have the checks collected, where an image is named."""
    config.addinivalue_line("markers", "imagekit: a check of imagekit's own")
    if config.getoption("imagekit_profile") or config.getoption("imagekit_image"):
        from imagekit.pytest_plugin.items import Checks  # noqa: PLC0415 (slow import)

        config.pluginmanager.register(Checks(config), _NAME)
        return
    for name in ("full", "gpus", "engine", "with"):
        if config.getoption(f"imagekit_{name}"):
            raise pytest.UsageError(f"--imagekit-{name} needs an image: {_HOW}")


@pytest.fixture(scope="session")
def imagekit_container(pytestconfig: pytest.Config) -> ImagekitContainer:
    """The running container of the image under test, one for the whole session.

    Tests that ask for it are skipped where pytest was not told which image.
    """
    checks = pytestconfig.pluginmanager.get_plugin(_NAME)
    if checks is None:
        pytest.skip(f"no image to test: {_HOW}")
    container: ImagekitContainer = checks.trial.start()
    return container
