"""Hygiene: nothing secret and nothing left over in the image, and no rights too many.

What lies in the image is looked at in a container of its own, in which nothing of the image
has started: host keys, the machine id and passwords are made at the start, and are right
there. What runs is looked at in the container under test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from imagekit.checks import budget, privileges
from imagekit.checks.answer import PYTHON, answered
from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.imageconfig import leaks
from imagekit.checks.subject import Subject
from imagekit.plan.model import CONDA, Plan
from imagekit.wait import Deadline

_SHOWN = 5
_LOOK_AT = "`docker history --no-trunc` of the image, and the step that made it"

# Runs on Python 3.6. Arguments: the prefixes of environments, and the profile's own files,
# both as JSON lists.
_SCRIPT = r"""
import csv, glob, json, os, re, stat, sys
prefixes, own = (json.loads(text) for text in sys.argv[1:])

def size(path):
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0

def below(pattern):
    for start in glob.glob(pattern):
        if size(start):
            yield start
        for folder, _, names in [] if os.path.islink(start) else os.walk(start):
            yield from (path for path in (os.path.join(folder, name) for name in names)
                        if size(path))

def text(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20).decode(errors="replace")
    except OSError:
        return ""

homes = "/root /home/*".split()
caches = {
    "apt's package lists": ["/var/lib/apt/lists"],
    "apt's packages": ["/var/cache/apt"],
    "caches": [home + "/.cache" for home in homes] + ["/var/cache/pip", "/var/cache/uv"],
    "npm's cache": [home + "/.npm" for home in homes],
    "conda's packages": [prefix + "/pkgs/*." + end for prefix in prefixes
                         for end in ("conda", "tar.bz2")]
                        + [home + "/.conda/pkgs" for home in homes],
    "temporary files": ["/tmp", "/var/tmp"],
    "files of the build": ["/run/imagekit-build", "/run/secrets"],
    "a shell's history": [home + "/.*_history" for home in homes],
}
left = {}
for what, patterns in caches.items():
    found = sorted({path for pattern in patterns for path in below(pattern)} - set(own))
    if found:
        left[what] = [len(found), sum(map(size, found)), found[0]]

keys = [path for pattern in ("/etc/ssh/ssh_host_*", "/var/lib/imagekit", "/etc/dropbear")
        for path in below(pattern)]
keys += [path for home in homes for path in below(home + "/.ssh")
         if path not in own and ("PRIVATE KEY" in text(path) or "authorized_keys" in path)]
ids = [path for path in ("/etc/machine-id", "/var/lib/dbus/machine-id")
       if re.match("[0-9a-f]{32}$", text(path).strip())]

accounts = []
for path in ("/etc/shadow", "/etc/shadow-", "/etc/passwd", "/etc/passwd-"):
    for line in text(path).splitlines():
        name, _, rest = line.partition(":")
        word = rest.partition(":")[0]
        if ":" in rest and (not word or word.lstrip("!") not in ("", "*", "x")):
            accounts.append([path, name, bool(word)])

packages = 0
for block in re.split(r"\n\n+", open("/var/lib/dpkg/status", encoding="utf-8").read()
                      if os.path.exists("/var/lib/dpkg/status") else ""):
    taken = re.search(r"^Installed-Size: (\d+)", block, re.M)
    if taken and re.search("^Status: .* installed$", block, re.M):
        packages += int(taken.group(1)) << 10

def on_disk(count):
    return -(-count // 4096) * 4096

def recorded(prefix):
    total = 0
    for path in glob.glob(prefix + "/lib/python*/site-packages/*.dist-info/RECORD"):
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            for row in csv.reader(file):
                if len(row) == 3 and row[2].isdigit():
                    # The bytecode of a module takes about as much as the module.
                    total += on_disk(int(row[2])) * (2 if row[0].endswith(".py") else 1)
    for path in glob.glob(prefix + "/conda-meta/*.json"):
        with open(path, encoding="utf-8") as file:
            listed = json.load(file).get("paths_data", {}).get("paths", [])
        for one in listed:
            total += on_disk(one.get("size_in_bytes") or 0) * (
                2 if one.get("_path", "").endswith(".py") else 1)
    return total + sum(on_disk(size(path)) for path in below(prefix + "/lib/node_modules"))

setuid = []
for start in ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/local"):
    for folder, _, names in [] if os.path.islink(start) else os.walk(start):
        for path in (os.path.join(folder, name) for name in names):
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
                setuid.append(path)

print("imagekit:" + json.dumps(dict(
    left=left, keys=keys, ids=ids, accounts=accounts, packages=packages,
    environment=sum(map(recorded, prefixes)), files=sum(map(size, own)), setuid=sorted(setuid))))
"""


def check_hygiene(subject: Subject, deadline: Deadline) -> Data:
    """Nothing secret or left over in the image, no more bytes and no more rights than due.

    All that is wrong with the image is said at once.
    """
    plan = subject.plan
    with asking("what the engine knows of the image"):
        config = subject.inside.image()
    found = _look(subject, deadline)
    taken = budget.Taken(found["packages"], found["environment"], found["files"])
    most = budget.most(plan, taken)
    problems = [*leaks(config), *_left(found), *_known(found), budget.excess(config, most)]
    if said := "; ".join(filter(None, problems)):
        raise CheckFailedError("an image with nothing secret and nothing left over", said, _LOOK_AT)
    return {
        "bytes": config.size,
        "budget": most,
        "packages": taken.packages,
        "environment": taken.environment,
        "setuid": found["setuid"],
        **privileges.check(subject, deadline),
    }


def _look(subject: Subject, deadline: Deadline) -> dict[str, Any]:
    """What lies in the image."""
    plan = subject.plan
    arguments = (json.dumps(_prefixes(plan)), json.dumps([file.path for file in plan.files]))
    with asking("a look into the image", f"{PYTHON} of the image"):
        code, text = subject.inside.execute_afresh(
            (PYTHON, "-c", _SCRIPT, *arguments), timeout=deadline.timeout()
        )
        found: dict[str, Any] = answered(code, text)
    return found


def _prefixes(plan: Plan) -> list[str]:
    """The folders that environments lie in."""
    own = [plan.python.prefix] if plan.python else []
    return [*own, *([CONDA] if plan.conda and CONDA not in own else [])]


def _left(found: dict[str, Any]) -> Iterator[str]:
    for what, (count, size, first) in found["left"].items():
        files = "file" if count == 1 else "files"
        yield f"{what}: {count} {files} of {size / 1e6:.1f} MB, such as {first}"


def _known(found: dict[str, Any]) -> Iterator[str]:
    """What every container of the image would have alike."""
    if keys := found["keys"]:
        yield f"keys, the same in every container: {', '.join(keys[:_SHOWN])}"
    if ids := found["ids"]:
        yield f"a machine id, the same in every container: {', '.join(ids)}"
    for path, name, has_hash in found["accounts"]:
        yield f"{'a password' if has_hash else 'no password needed'} of {name} in {path}"
