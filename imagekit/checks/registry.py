"""All checks, in the order of the report."""

from __future__ import annotations

from imagekit.checks.browser import check_browser
from imagekit.checks.check import Check
from imagekit.checks.clipboard import check_clipboard
from imagekit.checks.conda import check_conda
from imagekit.checks.cuda import check_cuda
from imagekit.checks.desktop import check_desktop
from imagekit.checks.disruption import Disruption
from imagekit.checks.environment import check_environment
from imagekit.checks.framework import check_framework
from imagekit.checks.framework_gpu import check_framework_gpu
from imagekit.checks.gpu import check_gpu
from imagekit.checks.health import check_health
from imagekit.checks.hostkeys import HOST_KEYS, check_host_keys
from imagekit.checks.hygiene import check_hygiene
from imagekit.checks.input import check_input
from imagekit.checks.installs import check_installs
from imagekit.checks.jupyter import check_jupyter
from imagekit.checks.layers import check_layers
from imagekit.checks.locale import check_locale
from imagekit.checks.mirrors import check_mirrors
from imagekit.checks.opengl import check_opengl
from imagekit.checks.page import check_web
from imagekit.checks.resize import check_resize
from imagekit.checks.restart import RESTART, check_restart
from imagekit.checks.services import check_services
from imagekit.checks.session import check_session
from imagekit.checks.sshd import check_login, check_password, check_root
from imagekit.checks.unhealthy import UNHEALTHY, check_unhealthy
from imagekit.checks.user import check_user
from imagekit.checks.vnc import check_vnc

_SCREEN = "screen"
"""Where windows open, and what is typed goes to the one in front."""

# The limits hold the wait for the service: a cold start on a busy machine with two
# cores. A check of a service that is up takes two or three seconds at most, and one that
# imports a framework, three times, as long as the disk takes to read gigabytes. For all
# layers an engine writes the image to its disk once more, and reads it.
CHECKS: tuple[Check, ...] = (
    Check("sshd", 60.0, check_login),
    Check("sshd-password", 60.0, check_password),
    Check("sshd-root", 60.0, check_root),
    Check("user", 60.0, check_user),
    Check("locale", 60.0, check_locale),
    Check("web", 60.0, check_web),
    # In this order, so that nothing waits for the session to be as old as the last one needs it.
    Check("vnc", 60.0, check_vnc, uses=_SCREEN),
    Check("resize", 60.0, check_resize, uses=_SCREEN),
    Check("clipboard", 60.0, check_clipboard, uses=_SCREEN),
    Check("input", 90.0, check_input, uses=_SCREEN),
    Check("desktop", 90.0, check_desktop, uses=_SCREEN),
    Check("session", 60.0, check_session, uses=_SCREEN),
    Check("browser", 120.0, check_browser, full=True, uses=_SCREEN),
    Check("opengl", 60.0, check_opengl),
    Check("jupyter", 300.0, check_jupyter),
    Check("environment", 120.0, check_environment),
    Check("framework", 300.0, check_framework),
    Check("framework-gpu", 300.0, check_framework_gpu),
    Check("cuda", 180.0, check_cuda),
    Check("conda", 120.0, check_conda),
    Check("mirrors", 60.0, check_mirrors),
    Check("hygiene", 120.0, check_hygiene),
    Check("installs", 300.0, check_installs, full=True),
    Check("layers", 1800.0, check_layers, full=True),
    Check("gpu", 180.0, check_gpu),
    Check("services", 60.0, check_services),
    Check("health", 180.0, check_health),
)

DISRUPTIONS: tuple[Disruption, ...] = (
    Disruption(HOST_KEYS, check_host_keys),
    Disruption(UNHEALTHY, check_unhealthy),
    Disruption(RESTART, check_restart),
)
"""Done one after another when all checks have been asked; with ``--full``, or by name."""

NAMES: tuple[str, ...] = (
    *(check.name for check in CHECKS),
    *(disruption.name for disruption in DISRUPTIONS),
)
"""What ``run_checks`` can be asked for, in the order of the report."""
