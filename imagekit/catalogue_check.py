"""Asks the world whether rows of the catalogue still hold, and proposes those that changed.

Everybody is asked by their own client: package indexes by pip, registries by the engine.
Mirrors and files are asked for their headers. Nothing is fetched or kept.
"""

from __future__ import annotations

import datetime
import http.client
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from threading import Lock
from typing import Any

from imagekit.catalogue import probe
from imagekit.catalogue.rows import (
    BaseImage,
    CondaPython,
    CudaRecipe,
    CudaWheels,
    FrameworkBuild,
    Mirror,
    OsRelease,
    Row,
)
from imagekit.catalogue.tables import table
from imagekit.catalogue.versions import key
from imagekit.errors import EngineError, ImagekitError, Message, NetworkError

HOLDS, CHANGED, NOT_ASKED = "holds", "changed", "not asked"

_AT_ONCE = 4
_LONGEST = 300  # characters of pip's words
_SECONDS = 15  # for one short answer
_PIP_SECONDS = 120.0  # an index page of a large distribution has megabytes
_PYTORCH = "https://download.pytorch.org/whl"  # as templates/build/base/env.sh has it
_AVAILABLE = re.compile(r"^Available versions: (.+)$", re.MULTILINE)
_UNREACHED = ("Retrying (", "Could not fetch URL", "connection error", "timed out", "SSLError")
# Distributions that are the same for every Python, and what of them is compiled.
_COMPILED = {"jax": "jaxlib"}
# Every Linux platform whose wheels the catalogue's releases run (PEP 600 and before it).
_PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(5, 40)),
    *(f"manylinux{name}_x86_64" for name in ("2014", "2010", "1")),
    "linux_x86_64",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one row.

    Attributes:
        table: the table's name.
        row: the row in a few words.
        answer: ``holds``, ``changed`` or ``not asked``.
        why: what changed, or why nobody could be asked.
        proposed: the row as it should read, as YAML, or empty.
    """

    table: str
    row: str
    answer: str
    why: str = ""
    proposed: str = ""

    def to_dict(self) -> dict[str, str]:
        """The answer for JSON."""
        return asdict(self)


@dataclass
class World:
    """Who can be asked; each question is asked once.

    Attributes:
        versions: the versions of a distribution that an index has for a Python: called with
            the distribution, the Python and the name below PyTorch's index (or empty).
        has_image: whether a registry has an image.
        answers: whether an address has something.
        today: the day, ISO 8601.
    """

    versions: Callable[[str, str, str], frozenset[str]]
    has_image: Callable[[str], bool]
    answers: Callable[[str], bool]
    today: str
    _known: dict[tuple[str, ...], frozenset[str]] = field(default_factory=dict)
    _asking: dict[tuple[str, ...], Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def wheels(self, name: str, python: str, index: str = "") -> frozenset[str]:
        """The same as ``versions``, remembered; who asks the same at once waits."""
        question = (name, python, index)
        with self._lock:
            asking = self._asking.setdefault(question, Lock())
        with asking:
            if question not in self._known:
                self._known[question] = self.versions(*question)
            return self._known[question]


def check(
    rows: Sequence[tuple[str, Row]],
    on_progress: Callable[[int], None],
    world: World | None = None,
) -> tuple[Answer, ...]:
    """Ask about rows, a few at a time.

    Args:
        rows: names of tables with a row each.
        on_progress: called with how many rows are done.
        world: whom to ask; by default pip, the engine that answers, and the network.
    """
    there = world or _the_world(any(isinstance(row, (BaseImage, OsRelease)) for _, row in rows))
    found = []
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for answer in pool.map(partial(_answer, there), rows):
            found.append(answer)
            on_progress(len(found))
    return tuple(found)


def _answer(world: World, named: tuple[str, Row]) -> Answer:
    """Ask about one row."""
    name, row = named
    answer = partial(Answer, name, probe.label(row))
    try:
        why, proposed = _ask(world, row)
    except ImagekitError as error:
        return answer(NOT_ASKED, error.messages[0].what)
    if not why:
        return answer(HOLDS)
    return answer(CHANGED, why, probe.as_yaml(proposed) if proposed else "")


def _ask(world: World, row: Row) -> tuple[str, Row | None]:
    """What changed, and the row as it should be; an empty text when the row holds.

    Raises:
        ImagekitError: nobody can be asked, or they did not answer.
    """
    match row:
        case FrameworkBuild():
            return _framework(world, row)
        case CudaWheels():
            return _cuda_wheels(world, row)
        case BaseImage() if probe.is_askable(row):
            there = world.has_image(f"{row.image}:{row.tag}")
            return _changed(row, probe.image(row, there, world.today))
        case OsRelease():
            missing = not world.has_image(row.image)
            return (f"no registry has {row.image} any more" if missing else ""), None
        case Mirror():
            url = f"https://{row.url.rstrip('/')}/v2/" if row.kind == "registry" else row.url
            return _changed(row, probe.mirror(row, world.answers(url), world.today))
        case CudaRecipe():
            addresses = (*(url for url, _ in row.files), row.key)
            gone = [url for url in addresses if url and not world.answers(url)]
            return (f"gone: {', '.join(gone)}" if gone else ""), None
        case BaseImage():
            raise NetworkError(Message("", f"no registry can tell of a row that is {row.status}"))
    raise NetworkError(Message("", f"for people to read: {row.source}"))


def _changed(row: Row, now: Row) -> tuple[str, Row | None]:
    """The fields that differ, in words."""
    if now == row:
        return "", None
    old, new = asdict(row), asdict(now)
    differing = [name for name in old if old[name] != new[name] and name != "date"]
    words = [f"{name} {_words(old[name])} is now {_words(new[name])}" for name in differing]
    return "; ".join(words), now


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value or "none"
    words = [" ".join(item) if isinstance(item, tuple) else str(item) for item in value]
    return " ".join(words) or "none"


def _framework(world: World, row: FrameworkBuild) -> tuple[str, Row | None]:
    if not row.requirements:
        raise NetworkError(Message("", "the row has no requirements"))
    name, _ = probe.distribution(row.requirements[0])
    wheels = {}
    for python in _pythons_around(row.pythons):
        wheels[python] = world.wheels(name, python, row.index)
        if name in _COMPILED:
            wheels[python] &= world.wheels(_COMPILED[name], python, row.index)
    if not any(wheels.values()):
        raise NetworkError(Message("", f"the index that pip uses has no wheel of {name}"))
    return _changed(row, probe.framework(row, wheels, world.today))


def _pythons_around(pythons: Iterable[str]) -> list[str]:
    """The Pythons of a row, one older and one newer: enough to see that a line gained one."""
    known = sorted({*(row.version for row in table(CondaPython)), *pythons}, key=key)
    places = [known.index(python) for python in pythons]
    return known[max(min(places) - 1, 0) : max(places) + 2] if places else known


def _cuda_wheels(world: World, row: CudaWheels) -> tuple[str, Row | None]:
    python = row.python_min or "3.11"
    wanted = {probe.distribution(each)[0] for each in (*row.runtime, *row.devel, *row.cudnn)}
    known = {name: world.wheels(name, python) for name in sorted(wanted)}
    if not any(known.values()):
        raise NetworkError(Message("", "the index that pip uses has none of these wheels"))
    missing = probe.wheels_missing(row, known)
    return (f"the index has no {', '.join(missing)}" if missing else ""), None


# ---- whom to ask


def _the_world(images: bool) -> World:
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return World(pip_versions, _registry() if images else _no_engine, has_address, today)


def _no_engine(_ref: str) -> bool:
    raise EngineError(Message("", "no engine was asked for"))


def _registry() -> Callable[[str], bool]:
    """Asks registries through the engine; when none answers, says so for each image."""
    from imagekit.engine import connection, distribution  # noqa: PLC0415  (imports docker-py)

    try:
        connection.connect().close()
    except ImagekitError as error:
        problem = error.messages

        def refuse(_ref: str) -> bool:
            raise EngineError(problem)

        return refuse

    def ask(ref: str) -> bool:
        # docker-py's client is not for several threads.
        with closing(connection.connect()) as engine:
            return distribution.has(engine, ref)

    return ask


def pip_versions(name: str, python: str, index: str = "") -> frozenset[str]:
    """The versions of a distribution that have a wheel for a Python, by the index that pip uses.

    Args:
        name: the distribution.
        python: for instance ``3.11``.
        index: a name below PyTorch's own index, or empty for the one that pip is set to.

    Raises:
        NetworkError: there is no pip here, or the index cannot be reached.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["--retries", "1", "--timeout", str(_SECONDS), "index", "versions", name]
    command += ["--python-version", python, "--only-binary", ":all:"]
    command += [part for platform in _PLATFORMS for part in ("--platform", platform)]
    command += ["--index-url", f"{_PYTORCH}/{index}"] if index else []
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkError(Message("pip", f"pip did not answer: {error}")) from error
    listed = _AVAILABLE.search(ended.stdout)
    if listed:
        return frozenset(_of_index(listed[1].split(", "), index))
    said = ended.stderr.strip()
    if "No matching distribution" in said and not any(word in said for word in _UNREACHED):
        return frozenset()
    lines = said.splitlines() or [f"ended with {ended.returncode}"]
    telling = [line for line in lines if any(word in line for word in _UNREACHED)]
    line = (telling or lines)[-1][:_LONGEST]
    raise NetworkError(Message("pip", f"pip could not ask the index: {line}"))


def _of_index(versions: Iterable[str], index: str) -> Iterator[str]:
    """Those of PyTorch's index, which mark themselves; pip may know more indexes than that."""
    found = [version.strip() for version in versions]
    own = [version for version in found if index and version.endswith(f"+{index}")]
    yield from own or found


def has_address(url: str) -> bool:
    """Whether an address has something, by its headers.

    Raises:
        NetworkError: nobody answered, or the answer does not tell.
    """
    for method in ("HEAD", "GET"):
        try:
            request = urllib.request.Request(url, method=method)  # noqa: S310  (the catalogue's)
            with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
                return True
        except urllib.error.HTTPError as error:
            with closing(error):
                if error.code == 401:  # registries answer so; they are there
                    return True
                if error.code in {404, 410} and method == "GET":
                    return False
                refused = f"{url} answered HTTP {error.code}"
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NetworkError(Message(url, f"{url} did not answer: {reason}")) from error
    raise NetworkError(Message(url, refused))
