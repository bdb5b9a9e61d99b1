"""What is built by hand and by imagekit, side by side: the Dockerfile's text and the profile's.

The hand-written way is ``tutorial/Dockerfile``; what changes, changes in a line of it, as its
reader would do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "tutorial"
DOCKERFILE = (_FOLDER / "Dockerfile").read_text("utf-8")
OURS = (_FOLDER / "ours.yaml").read_text("utf-8")
SAME = (_FOLDER / "same.yaml").read_text("utf-8")

_APT, _PIP = "        curl \\\n", "pip3 install --break-system-packages tensorflow-cpu"
_FRAMEWORK = "framework: {name: tensorflow}\ncuda: false"


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table.

    Attributes:
        name: what is done.
        limit: the ratio that we want to stay below.
        theirs: a Dockerfile.
        ours: a profile.
    """

    name: str
    limit: float
    theirs: str
    ours: str


def changes() -> tuple[Case, ...]:
    """What is built again after a change to what has just been built."""
    return (
        Case(
            "one more apt package",
            0.08,
            _once(DOCKERFILE, _APT, f"{_APT}        tree \\\n"),
            _once(OURS, "  apt: [", "  apt: [tree, "),
        ),
        Case(
            "one more pip package",
            0.12,
            _once(DOCKERFILE, _PIP, f"{_PIP} einops"),
            f"{OURS.rstrip()}\n  pip: [einops]\n",
        ),
        Case(
            "another framework version",
            0.35,
            _once(DOCKERFILE, _PIP, f"{_PIP}==2.20.0"),
            _framework(OURS, "name: tensorflow, version: '2.20'"),
        ),
        Case(
            "another language",
            0.05,
            _once(DOCKERFILE, "# zh_CN.UTF-8", "# en_US.UTF-8"),
            f"{OURS}locale: {{lang: en_US.UTF-8}}\n",
        ),
        Case(
            "another geometry",
            0.05,
            _once(DOCKERFILE, "ENV HOME", "ENV GEOMETRY=1920x1080 HOME"),
            _once(OURS, "  session: lxde\n", "  session: lxde\n  geometry: 1920x1080\n"),
        ),
    )


def eight() -> tuple[Case, ...]:
    """A lab's eight images: four environments, each with packages of somebody's own."""
    images = (
        ("", "", ("htop",)),
        ("", "", ("git", "cmake")),
        ("tensorflow-cpu==2.21.0", "name: tensorflow, version: '2.21'", ("git",)),
        ("tensorflow-cpu==2.21.0", "name: tensorflow, version: '2.21'", ("tmux",)),
        ("tensorflow-cpu==2.20.0", "name: tensorflow, version: '2.20'", ("git", "tmux")),
        ("tensorflow-cpu==2.20.0", "name: tensorflow, version: '2.20'", ("nano",)),
        ("jax==0.5.3", "name: jax, version: '0.5'", ("git", "tree")),
        ("jax==0.5.3", "name: jax, version: '0.5'", ("screen",)),
    )
    return tuple(
        Case(
            f"{requirement or 'no framework'}, {' '.join(packages)}",
            0.35,
            _once(
                _once(
                    DOCKERFILE, _APT, _APT + "".join(f"        {name} \\\n" for name in packages)
                ),
                f"RUN {_PIP}\n",
                f"RUN pip3 install --break-system-packages {requirement}\n" if requirement else "",
            ),
            _framework(_once(OURS, "  apt: [", f"  apt: [{', '.join(packages)}, "), framework),
        )
        for requirement, framework, packages in images
    )


def _framework(text: str, framework: str) -> str:
    said = f"framework: {{{framework}}}\ncuda: false" if framework else "python: '3.11'"
    return _once(text, _FRAMEWORK, said)


def _once(text: str, old: str, new: str) -> str:
    """A replacement that has to happen."""
    if text.count(old) != 1:
        raise ValueError(f"{old!r} is not there once")
    return text.replace(old, new)
