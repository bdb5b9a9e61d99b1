"""The desktop's front as its page uses it: a password becomes a session.

The contract is the image's own: ``templates/rootfs/desktop/etc/imagekit/front``. Basic
authentication is RFC 7617, with user and password in UTF-8.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field

from imagekit.checks.check import AnswerError
from imagekit.checks.web import Browser

SESSION = "/session"
WEBSOCKET = "/websockify"
HEALTH = "/healthz"

_USER = "desktop"
# What both a header and a subprotocol of a WebSocket can carry (RFC 9110, section 5.6.2).
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}")


class LoginRefusedError(AnswerError):
    """The front did not take the password; ``status`` is its HTTP answer."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the front answers a password with {status}")


@dataclass(frozen=True, slots=True)
class Session:
    """What the page gets for the password.

    Attributes:
        token: opens the WebSocket, as a subprotocol.
        vnc: what the X server asks the page for.
    """

    token: str = field(repr=False)
    vnc: str = field(repr=False)

    @property
    def protocols(self) -> tuple[str, str]:
        """The WebSocket's subprotocols."""
        return ("binary", f"imagekit.{self.token}")


def log_in(browser: Browser, password: str) -> Session:
    """Ask for a session.

    Raises:
        LoginRefusedError: the password is wrong, or there were too many tries.
        AnswerError: the front's answer is no session.
        OSError: as for ``Browser.get``.
    """
    pair = base64.b64encode(f"{_USER}:{password}".encode()).decode()
    answer = browser.get(SESSION, {"Authorization": f"Basic {pair}"})
    if answer.status != 200:
        raise LoginRefusedError(answer.status)
    try:
        said = json.loads(answer.text)
        session = Session(str(said["token"]), str(said["vnc"]))
    except (ValueError, KeyError, TypeError) as error:
        raise AnswerError(f"no session but {answer.type}") from error
    if not _TOKEN.fullmatch(session.token):
        raise AnswerError("a session without a token")
    if not session.vnc.isascii():
        raise AnswerError("a session whose password is none of VNC's")
    return session
