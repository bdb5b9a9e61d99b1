"""A plan gives the same bytes wherever, whenever and by whomever it is rendered."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from imagekit import assets

PROGRAM = """
import sys
from pathlib import Path
from imagekit import profile
from imagekit.plan.resolve import resolve
from imagekit.render import render
for name in profile.names():
    plan = resolve(profile.load(name))
    context = render(plan)
    context.write_to(Path(sys.argv[1]) / name)
    print(name, plan.digest)
"""
PACKAGE = Path(assets.__file__).parent
NOBODY = 65534
ZONES = ("UTC", "Asia/Shanghai", "America/St_Johns")
UMASKS = (0o022, 0o077)


def render_everything(interpreter: str, folder: Path, seed: int, *, user: int) -> str:
    """All shipped profiles rendered by a process of its own; a digest of all that it wrote."""
    folder.mkdir(mode=0o777)
    if user:
        os.chown(folder, user, user)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{sysconfig.get_path('purelib')}",
        "PYTHONHASHSEED": str(seed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": ZONES[seed % len(ZONES)],
        "LC_ALL": ("C", "C.UTF-8")[seed % 2],
    }
    done = subprocess.run(
        [interpreter, "-c", PROGRAM, str(folder)],
        cwd=folder,
        env=environment,
        umask=UMASKS[seed // 2 % 2],
        user=user or None,
        group=user or None,
        extra_groups=[] if user else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256(done.stdout.encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            executable = bool(path.stat().st_mode & 0o100)
            digest.update(f"{name}\0{executable}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def test_output_does_not_depend_on_folder_user_umask_zone_or_hash_seed() -> None:
    interpreter = for_everyone() if os.geteuid() == 0 else ""
    users = [0, NOBODY] if interpreter else [0]
    # Not pytest's own folder, which is its user's alone.
    place = Path(tempfile.mkdtemp(prefix="imagekit-"))
    try:
        place.chmod(0o755)
        digests = {
            render_everything(
                interpreter or sys.executable,
                place / f"{name}{seed}",
                seed,
                user=users[seed % len(users)],
            )
            for seed, name in enumerate(("a", "some where else ") * 5)
        }
    finally:
        shutil.rmtree(place)
    assert len(digests) == 1
    if os.geteuid() == 0 and not interpreter:
        pytest.skip("the same for one user; another one cannot read this Python or this checkout")


def for_everyone() -> str:
    """An interpreter of this version that another user can run this checkout with, or nothing."""
    library = Path(sysconfig.get_path("purelib"))
    if not (open_to_all(PACKAGE) and open_to_all(library)):
        return ""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (Path(sys.executable), Path("/usr/bin") / version)
    return next(
        (str(path) for path in candidates if path.exists() and open_to_all(path.resolve())), ""
    )


def open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o005 == 0o005 for part in (path, *path.parents))
