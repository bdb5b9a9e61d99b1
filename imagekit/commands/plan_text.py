"""A plan for people: groups of lines, and why each decision was made."""

from __future__ import annotations

from collections.abc import Iterator

from imagekit import names
from imagekit.document import printable
from imagekit.plan.model import Plan
from imagekit.plan.resolve import Choice, Decision
from imagekit.plan.wanted import TITLES

_KEY = 12  # columns of the longest key and a space
_WIDTH = 100

Pair = tuple[str, str]


def lines(decision: Decision) -> Iterator[str]:
    """The plan in groups, then a line for each decision."""
    plan = decision.plan
    yield f"{plan.profile}: {plan.description}" if plan.description else plan.profile
    groups = {
        "stack": _stack(plan),
        "services": _services(plan),
        "people": _people(plan),
        "software": _software(plan),
        "image": _image(plan),
    }
    for title, pairs in groups.items():
        shown = [(key, value) for key, value in pairs if value]
        if shown:
            yield f"\n{title}"
            for key, value in shown:
                yield from _wrapped(key, value)
    if decision.choices:
        yield "\nwhy"
        for choice in decision.choices:
            yield f"  {_why(choice)}"


def cut(text: str, width: int) -> str:
    """Text on one line of at most so many characters."""
    shown = printable(text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def _why(choice: Choice) -> str:
    said = f"{choice.key}: " if choice.mark is None else f"{choice.key} ({choice.mark}): "
    return f"{said}{choice.reason}"


def _stack(plan: Plan) -> Iterator[Pair]:
    yield "os", f"{plan.os.id} ({plan.os.suite}), on {plan.os.image}"
    framework, cuda, python = plan.framework, plan.cuda, plan.python
    yield "framework", f"{TITLES[framework.name]} {framework.release}" if framework else "none"
    if cuda is None:
        yield "cuda", "none"
    else:
        cudnn = f" with cuDNN {cuda.cudnn}" if cuda.cudnn else ""
        yield "cuda", f"{cuda.version}{cudnn}, {cuda.flavour}, from {cuda.source}"
        highest = f" to {cuda.cc_max}" if cuda.cc_max else " on"
        driver = f"driver {cuda.driver_min} or newer, " if cuda.driver_min else ""
        yield "needs", f"{driver}compute capability from {cuda.cc_min}{highest}"
    if python is None:
        yield "python", "the system's"
    else:
        channel = f" ({python.channel})" if python.channel else ""
        yield "python", f"{python.version} from {python.source}{channel} in {python.prefix}"


def _services(plan: Plan) -> Iterator[Pair]:
    desktop = plan.desktop
    if desktop is None:
        yield "desktop", "none"
    else:
        yield "desktop", f"{desktop.session}, {desktop.geometry}, {desktop.depth} bits"
        yield "programs", " ".join(desktop.applications)
    passwords = "keys and passwords" if plan.sshd and plan.sshd.password else "keys"
    yield "ssh", passwords if plan.sshd else "none"
    yield "jupyter", "yes" if plan.jupyter else "none"
    health = plan.health
    if health is None:
        yield "health", "not asked"
    else:
        own = f", and {health.command}" if health.command else ""
        yield "health", f"every {health.interval}, {health.retries} times in a row{own}"


def _people(plan: Plan) -> Iterator[Pair]:
    user, locale = plan.user, plan.locale
    groups = f", groups {' '.join(user.groups)}" if user.groups else ""
    sudo = "sudo" if user.sudo else "no sudo"
    yield "user", f"{user.name}, uid {user.uid}, gid {user.gid}{groups}, {user.shell}, {sudo}"
    yield "language", f"{locale.lang}, {locale.timezone}"
    yield "input", locale.input_method
    yield "fonts", " ".join(locale.fonts)
    yield "env", " ".join(f"{name}={value}" for name, value in plan.env)


def _software(plan: Plan) -> Iterator[Pair]:
    for feature, packages in plan.apt:
        yield f"apt {feature}", " ".join(packages)
    if plan.python is not None:
        yield "conda", " ".join(plan.python.specs)
        wheels = (
            *plan.python.cuda,
            *plan.python.framework,
            *plan.python.jupyter,
            *plan.python.pip,
        )
        index = f" (index {plan.python.index})" if plan.python.index else ""
        yield "pip", f"{' '.join(wheels)}{index}" if wheels else ""
        yield "npm", " ".join(plan.python.npm)
    yield "files", " ".join(file.path for file in plan.files)
    yield "mirrors", " ".join(f"{kind}={url}" for kind, url in plan.mirrors)


def _image(plan: Plan) -> Iterator[Pair]:
    yield "tags", " ".join(names.tags(plan))
    yield "digest", plan.digest
    yield "labels", " ".join(f"{name}={value}" for name, value in plan.labels)


def _wrapped(key: str, value: str) -> Iterator[str]:
    """A key and its value, on as many lines as it takes; words are never broken."""
    line = f"  {key:<{_KEY}}"
    empty = True
    for word in printable(value).split(" "):
        if not empty and len(line) + 1 + len(word) > _WIDTH:
            yield line
            line, empty = " " * (_KEY + 2), True
        line += word if empty and line.endswith(" ") else f" {word}"
        empty = False
    yield line
