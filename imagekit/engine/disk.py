"""The disk that an engine keeps its images on, where it is a disk of this host."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass

from imagekit.engine.connection import Engine
from imagekit.engine.faults import in_words

# Where containerd keeps images when it runs beside the engine instead of below it
# (containerd-config.toml(5), root).
_CONTAINERD = "/var/lib/containerd"


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder, and how much its disk takes in bytes."""

    folder: str
    free: int


def disk(engine: Engine) -> Disk | None:
    """Where the engine keeps its images; None when that cannot be seen from here.

    It cannot for an engine on another host or in a virtual machine, which is told by the
    engine's name for its host, nor from inside a container.

    Raises:
        EngineError: the engine did not answer.
    """
    if not engine.address.startswith("unix://"):
        return None
    with in_words(engine.where):
        info = engine.client.info()
    if info.get("Name") != socket.gethostname():
        return None
    root = str(info.get("DockerRootDir") or "")
    # With the containerd store it may be either; nobody is refused for the wrong one.
    folders = (root, _CONTAINERD) if engine.store == "containerd" else (root,)
    seen = []
    for folder in filter(None, folders):
        try:
            seen.append(Disk(folder, shutil.disk_usage(folder).free))
        except OSError:  # another mount namespace than ours
            continue
    return max(seen, key=lambda one: one.free, default=None)
