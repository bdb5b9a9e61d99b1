"""Installing software as the account does: apt, pip, and an environment of its own.

The packages are tiny, made in the container, and come from there, so that the answer does
not hang on a network. Where the container does reach the archives, those are asked as well.
"""

from __future__ import annotations

from typing import Any

from imagekit.checks.answer import PYTHON, answered
from imagekit.checks.check import CheckFailedError, Data, asking
from imagekit.checks.subject import Subject
from imagekit.plan.model import Plan
from imagekit.wait import Deadline

_NO_SUDO = "not asked: user.sudo is false, so the account cannot install packages"
_ONLINE_SECONDS = 40.0
"""Of what is left, for what hangs on a network."""

# Common to all scripts, which run on Python 3.6 as the account. What a command says is shown
# when it fails. Names are such that nothing else has them.
_COMMON = r"""
import json, os, shutil, subprocess, sys, tempfile
NAME, TEXT = "imagekit-check-package", "imagekit-installed"
os.environ.update(DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")

def run(*command, **options):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True,
                              errors="replace", **options)
    except OSError as error:
        stop(" ".join(command), 127, str(error))
    return done.returncode, done.stdout

def must(*command):
    code, said = run(*command)
    if code != 0:
        stop(" ".join(command), code, said)
    return said

def stop(command, code, said):
    print("imagekit:" + json.dumps(dict(command=command[:300], code=code, said=said[-700:])))
    sys.exit()

def done(**facts):
    print("imagekit:" + json.dumps(facts))
"""

# A flat repository (sources.list(5)); `trusted` stands for a signature. The image's own lists
# and caches are used, so that folders which are missing or not writable are noticed.
_APT = (
    _COMMON
    + r"""
import glob, hashlib
folder = tempfile.mkdtemp(prefix="imagekit-apt-")
os.chmod(folder, 0o755)
try:
    os.makedirs(folder + "/root/DEBIAN")
    os.makedirs(folder + "/root/usr/bin")
    control = ("Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: imagekit <root@localhost>\n"
               "Description: proves that packages can be installed\n" % NAME)
    with open(folder + "/root/DEBIAN/control", "w") as file:
        file.write(control)
    program = "/root/usr/bin/" + NAME
    with open(folder + program, "w") as file:
        file.write("#!/bin/sh\necho %s\n" % TEXT)
    os.chmod(folder + program, 0o755)
    for path in ("/root", "/root/DEBIAN", "/root/usr", "/root/usr/bin"):
        os.chmod(folder + path, 0o755)
    must("dpkg-deb", "--build", folder + "/root", folder + "/package.deb")
    with open(folder + "/package.deb", "rb") as file:
        data = file.read()
    with open(folder + "/Packages", "w") as file:
        file.write(control + "Filename: ./package.deb\nSize: %d\nSHA256: %s\n" % (
            len(data), hashlib.sha256(data).hexdigest()))
    with open(folder + "/sources.list", "w") as file:
        file.write("deb [trusted=yes] file:%s ./\n" % folder)
    apt = ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes",
           "--option=Dir::Etc::sourcelist=" + folder + "/sources.list",
           "--option=Dir::Etc::sourceparts=-", "--option=APT::Get::List-Cleanup=0",
           "--option=DPkg::Lock::Timeout=60"]
    must(*(apt + ["update"]))
    must(*(apt + ["install", NAME]))
    said = must(NAME).strip()
    if said != TEXT:
        stop(NAME, 0, said)
    must(*(apt + ["purge", NAME]))
    if os.path.exists("/usr/bin/" + NAME):
        stop("apt-get purge " + NAME, 0, "its program is still there")
    version = must("apt-get", "--version").split()[1]
finally:
    # Not by the folder's whole name: apt writes what it has of underscores as %5f.
    lists = glob.glob("/var/lib/apt/lists/*imagekit-apt-*")
    if lists:
        run("sudo", "-n", "rm", "-f", *lists)
    shutil.rmtree(folder)
done(apt=version)
"""
)

# A wheel is a zip file with three files of metadata
# (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
# The argument is the environment's folder; without one the account makes itself one.
_PIP = (
    _COMMON
    + r"""
import zipfile
prefix = sys.argv[1]
folder = tempfile.mkdtemp(prefix="imagekit-pip-")
module = NAME.replace("-", "_")
try:
    if prefix:
        pip, python = ["pip"], prefix + "/bin/python"
        found = shutil.which("pip")
        if found is None or not found.startswith(prefix + "/"):
            stop("pip", 127, "pip of %s is not on PATH, but %s" % (prefix, found))
    else:
        prefix = folder + "/own"
        must("/usr/bin/python3", "-m", "venv", prefix)
        pip, python = [prefix + "/bin/pip"], prefix + "/bin/python"
    wheel = "%s/%s-1-py3-none-any.whl" % (folder, module)
    info = module + "-1.dist-info/"
    files = {
        module + ".py": "TEXT = %r\n" % TEXT,
        info + "METADATA": "Metadata-Version: 2.1\nName: %s\nVersion: 1\n" % NAME,
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: imagekit\nRoot-Is-Purelib: true\n"
                        "Tag: py3-none-any\n",
    }
    files[info + "RECORD"] = "".join("%s,,\n" % name for name in files) + info + "RECORD,,\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    quiet = ["--disable-pip-version-check"]
    must(*(pip + ["install"] + quiet + ["--no-index", "--no-deps", wheel]))
    code = "import %s as m; print(m.TEXT, m.__file__)" % module
    said = must(python, "-c", code).split()
    if said[:1] != [TEXT] or not said[1].startswith(prefix + "/"):
        stop("import %s of %s" % (module, prefix), 0, " ".join(said))
    must(*(pip + ["uninstall"] + quiet + ["--yes", NAME]))
    if run(python, "-c", code)[0] == 0:
        stop("pip uninstall " + NAME, 0, "it can still be imported")
    version = must(*(pip + ["--version"])).split()[1]
finally:
    shutil.rmtree(folder)
done(pip=version)
"""
)

# With the image's own sources. What a network does, a login page for all addresses among it,
# is noted; a source that is no source, and keys that the image lacks or that have run out, fail.
_ONLINE = (
    _COMMON
    + r"""
seconds = int(sys.argv[1])
hurry = ["--option=Acquire::http::Timeout=5", "--option=Acquire::https::Timeout=5",
         "--option=Acquire::Retries=0", "--option=APT::Update::Error-Mode=any"]
# Not around sudo: what runs as root takes no signal of the account's.
apt = ["sudo", "-n", "timeout", "--kill-after=1", str(seconds), "apt-get", "--yes"] + hurry
code, said = run(*(apt + ["update"]))
wrong = [line for line in said.splitlines()
         if any(words in line for words in ("NO_PUBKEY", "EXPKEYSIG", "REVKEYSIG", "Malformed"))]
if wrong:
    stop("apt-get update", code, " | ".join(wrong))
if code != 0:
    done(online="the archives were not reached: " + " ".join(said.split())[-200:])
    sys.exit()
code, said = run(*(apt + ["--no-install-recommends", "install", "hello"]))
if code == 0:
    must("hello")
    done(online=must("dpkg-query", "--show", "hello").strip().replace("\t", " "))
elif any(words in said for words in ("unmet dependencies", "dpkg: error")):
    stop("apt-get install hello", code, said)
else:
    done(online="the archives broke off: " + " ".join(said.split())[-200:])
"""
)


def check_installs(subject: Subject, deadline: Deadline) -> Data:
    """The account installs a package by apt and one by pip, uses them, and removes them."""
    plan = subject.plan
    data: dict[str, object] = {}
    if plan.user.sudo:
        data |= _ask(subject, "a package installed by apt", _APT, deadline)
    else:
        data["apt"] = _NO_SUDO
    prefix = plan.python.prefix if plan.python else ""
    data |= _ask(subject, f"a package installed by pip {_where(plan)}", _PIP, deadline, prefix)
    if plan.user.sudo:
        seconds = str(int(min(_ONLINE_SECONDS, deadline.left / 3)))
        data |= _ask(subject, "a package of the archive", _ONLINE, deadline, seconds)
    return data


def _where(plan: Plan) -> str:
    return f"into {plan.python.prefix}" if plan.python else "into a venv of the account's own"


def _ask(
    subject: Subject, asked: str, script: str, deadline: Deadline, *arguments: str
) -> dict[str, Any]:
    """What a script saw.

    Raises:
        CheckFailedError: one of its commands failed.
    """
    user = subject.plan.user.name
    with asking(asked):
        code, text = subject.inside.execute(
            ("env", f"HOME={subject.home}", PYTHON, "-c", script, *arguments),
            user=user,
            timeout=deadline.timeout(),
        )
        found: dict[str, Any] = answered(code, text)
    if command := found.get("command"):
        raise CheckFailedError(
            asked, f"exit code {found['code']} and {found['said']!r}", f"`{command}`"
        )
    return found
