"""What the long runs and the everyday tests of the same ways have in common."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

LEAST_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "SETGID",
    "SETUID",
    "SYS_CHROOT",
)
"""What docs/hardening.md says a container needs at least, started as root."""

# Asked inside, since without a network there is no way in: who greets, and what is healthy.
OFFLINE = """
set -e
python3 - <<'PYTHON'
import socket

with socket.socket(socket.AF_UNIX) as server:
    server.settimeout(5)
    server.connect("/run/imagekit/desktop/vnc.sock")
    print(server.recv(3).decode())
with socket.create_connection(("127.0.0.1", 22), 5) as server:
    print(server.recv(7).decode())
PYTHON
/usr/lib/imagekit/health && echo healthy
"""


@dataclass
class Times:
    """Seconds that it took to come up, again and again."""

    seconds: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def __str__(self) -> str:
        if not self.seconds:
            return "never up"
        return f"{len(self.seconds)} times up, {spread(self.seconds)}"


def spread(seconds: Sequence[float]) -> str:
    """Their middle and their worst."""
    return f"median {statistics.median(seconds):.1f} s, worst {max(seconds):.1f} s"
