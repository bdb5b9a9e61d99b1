"""The lock file: readable, sorted, and refused where it is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.errors import InputError
from imagekit.lock import file, record
from imagekit.lock.model import Lock, Row
from imagekit.plan.model import Plan
from tests.unit.lock.conftest import DPKG, KNOWN, NUMPY, ONE, SITE, THREE, TWO, WHOLE


def refused(text: str, plan: Plan, place: Path) -> list[str]:
    path = place / "x.lock"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        file.load(Path("x.lock"), plan)
    return [str(message) for message in error.value.messages]


def test_what_is_written_is_read_again(place: Path, lock: Lock, plan: Plan) -> None:
    whole = replace(lock, foreign=(Row("cuda-cudart-10-0", "10.0.130-1", "amd64", (TWO,)),))
    (place / "x.lock").write_text(file.dump(whole))
    assert file.load(Path("x.lock"), plan) == whole


def test_a_lock_of_distributions_that_carry_others_is_read_again(
    place: Path, lock: Lock, plan: Plan
) -> None:
    carried = replace(NUMPY, folder=f"{SITE}/setuptools/_vendor")
    whole = replace(WHOLE, dists=(NUMPY, carried))
    made = record.assemble(plan, lock.base, whole, frozenset({DPKG}), KNOWN)
    (place / "x.lock").write_text(file.dump(made))
    assert file.load(Path("x.lock"), plan) == made


def test_a_package_is_a_line(lock: Lock) -> None:
    text = file.dump(lock)
    assert f'  "tini": "1:0.19.0-1+b3 amd64 sha256:{ONE}"\n' in text
    assert '  "dpkg": "1.21.22 amd64"\n' in text
    assert f'python:\n  "numpy": "2.4.6 sha256:{TWO}"\n' in text
    assert f'conda:\n  "/opt/conda":\n    "python": "3.7.16 h7a1cb2a_0 sha256:{THREE}"\n' in text
    assert text.endswith("\n")


def test_the_order_of_what_is_locked_does_not_show(lock: Lock) -> None:
    assert file.dump(replace(lock, apt=lock.apt[::-1])) == file.dump(lock)


def test_a_base_from_no_registry_has_no_digest(place: Path, lock: Lock, plan: Plan) -> None:
    here = replace(lock, base=replace(lock.base, digest=""))
    (place / "x.lock").write_text(file.dump(here))
    assert "digest" not in file.dump(here)
    assert file.load(Path("x.lock"), plan) == here


def test_a_lock_of_another_plan_says_what_changed(place: Path, lock: Lock, plan: Plan) -> None:
    other = replace(plan, conda=True, description="another")
    (said,) = refused(file.dump(lock), other, place)
    assert said == (
        f"x.lock:5:7: locked for plan {plan.digest[:12]}, and this is {other.digest[:12]}; "
        "changed: conda, description\n  hint: imagekit build x --lock makes it anew"
    )


def test_mistakes_are_located_all_at_once(place: Path, lock: Lock, plan: Plan) -> None:
    text = file.dump(lock).replace("amd64 sha256:", "amd64 md5:").replace("profile: x", "profil: x")
    said = refused(text, plan, place)
    assert [message.partition(": ")[0] for message in said] == [
        "x.lock:3:1",
        "x.lock:4:1",
        f"x.lock:{1 + text[: text.index('1:0.19')].count(chr(10))}:11",
    ]
    assert 'missing key "profile"' in said[0]
    assert 'did you mean "profile"?' in said[1]
    assert "apt.tini" in said[2]


def test_a_lock_that_is_not_there_says_how_to_make_it(place: Path, plan: Plan) -> None:
    with pytest.raises(InputError) as error:
        file.load(Path("x.lock"), plan)
    assert str(error.value) == (
        "x.lock: no such lock file\n  hint: imagekit build x --lock writes it"
    )


@pytest.mark.parametrize(
    ("profile", "lock"),
    [
        ("profiles/lab.yaml", "profiles/lab.lock"),
        ("lab.yaml", "lab.lock"),
        ("/usr/share/imagekit/profiles/cpu-ssh.yaml", "cpu-ssh.lock"),
    ],
)
def test_a_lock_lies_beside_its_profile_unless_that_is_shipped(profile: str, lock: str) -> None:
    shipped = Path("/usr/share/imagekit/profiles")
    assert file.beside(Path(profile), shipped) == Path(lock)
