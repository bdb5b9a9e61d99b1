"""Blocks of ten ports, one a person, as the tutorials' readers hand them out.

Of a block at ``base``, ssh is ``base + 2``, the desktop ``base + 8``, Jupyter ``base + 9``,
and native VNC, which the tutorials do not have, ``base``.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Iterator

from imagekit import names
from imagekit.container import Port
from imagekit.names import JUPYTER_PORT, SSH_PORT, VNC_PORT, WEB_PORT
from imagekit.plan.model import Plan

BLOCK = 10
_OFFSETS = {VNC_PORT: 0, SSH_PORT: 2, WEB_PORT: 8, JUPYTER_PORT: 9}
_HIGHEST = 65_536


def published(plan: Plan, bind: str, base: int) -> tuple[Port, ...]:
    """The ports of a plan's services, published on ``bind`` in the block at ``base``."""
    return tuple(Port(port, bind, base + _OFFSETS[port]) for port in names.ports(plan))


def free_blocks(first: int, taken: Collection[int], bind: str) -> Iterator[int]:
    """Bases of blocks that nobody has, from ``first`` upwards.

    Args:
        first: where to begin.
        taken: bases that containers have.
        bind: the address; blocks with a port that this host already listens on are left
            out. The engine has the last word, as it may be on another host.
    """
    for base in range(first, _HIGHEST - BLOCK, BLOCK):
        offsets = _OFFSETS.values()
        if base not in taken and all(_is_free(bind, base + offset) for offset in offsets):
            yield base


def _is_free(bind: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the engine's own proxy does, so that closed connections do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            # An address that is not this host's says nothing about the engine's.
            return error.errno != errno.EADDRINUSE
    return True
