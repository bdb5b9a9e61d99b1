"""JUnit XML: well-formed whatever was said, and of the elements that CI servers read."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from imagekit.checks.forms.junit import to_junit
from imagekit.checks.report import Report, Result

Make = Callable[..., Report]

# Jenkins: https://github.com/jenkinsci/xunit-plugin, types/model/xsd/junit-10.xsd
ALLOWED = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "properties": set[str](),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "skipped": {"message"},
    "system-out": set[str](),
}
REQUIRED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}


def read(report: Report) -> Element:
    """The only test suite, when all elements and attributes are known ones."""
    root = ElementTree.fromstring(to_junit(report))  # noqa: S314 (our own)
    for element in root.iter():
        assert set(element.attrib) <= ALLOWED[element.tag]
        assert set(element.attrib) >= REQUIRED.get(element.tag, set())
    assert root.tag == "testsuites"
    (suite,) = root
    return suite


def cases(suite: Element) -> dict[str, Element]:
    found = {case.get("name", ""): case for case in suite.iter("testcase")}
    assert len(found) == len(suite.findall("testcase"))  # GitLab keeps one of each name
    return found


def test_every_check_is_a_case_and_what_was_asked_again_too(report: Make) -> None:
    suite = read(report())
    assert list(cases(suite)) == [
        *("sshd", "vnc", "desktop", "gpu (simulated)", "jupyter", "environment", "gone"),
        *("restart", "restart: sshd", "restart: vnc", "restart: gpu"),
        "restart after kill: sshd",
    ]
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["12", "5", "0", "2"]
    assert (suite.get("time"), suite.get("timestamp")) == ("21.250", "2026-11-25T12:00:00")
    sshd = cases(suite)["sshd"]
    assert (sshd.get("classname"), sshd.get("time"), list(sshd)) == ("imagekit.demo", "1.250", [])


def test_a_failure_says_what_was_asked_and_what_came_back(
    report: Make, hostile: tuple[str, str]
) -> None:
    seen = hostile[1]
    vnc = cases(read(report()))["vnc"]
    failure = vnc.find("failure")
    assert failure is not None
    assert failure.text == f"asked for: {seen}\ngot: {seen}\nlook at: {seen}"
    assert failure.get("message") == f"asked for {seen}; got {seen}; look at {seen}"
    log = vnc.findtext("system-out") or ""
    assert log == f"the container's log ends with:\nbegin\n{seen}\nthe end"


def test_a_failure_without_parts_says_its_reason(report: Make) -> None:
    failure = cases(read(report()))["gone"].find("failure")
    assert failure is not None
    assert failure.text == failure.get("message") == "the container ended"


def test_a_skip_says_why(report: Make, hostile: tuple[str, str]) -> None:
    skipped = cases(read(report()))["jupyter"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == hostile[1]


def test_what_was_simulated_says_so(report: Make, hostile: tuple[str, str]) -> None:
    case = cases(read(report()))["gpu (simulated)"]
    assert case.findtext("system-out") == f"simulated: a stub {hostile[1]}"


def test_properties_name_image_and_engine(report: Make) -> None:
    found = {each.get("name"): each.get("value") for each in read(report()).iter("property")}
    assert found["image.id"] == "sha256:" + "ab" * 32
    assert (found["plan"], found["engine"]) == ("cd" * 32, "Docker Engine 27.0")
    assert found["image.size"] == "2412345678"
    assert found["label.dev.imagekit.framework"] == "pytorch 2.10.0"
    assert "label.dev.imagekit.resolved" not in found


def test_an_image_of_no_profile_has_names_too(report: Make) -> None:
    suite = read(report(profile="", plan="", tested="", facts=None))
    assert suite.get("name") == "imagekit imagekit/demo:latest"
    assert cases(suite)["sshd"].get("classname") == "imagekit.image"
    assert suite.get("timestamp") is None


@pytest.mark.parametrize(
    "char", [*map(chr, range(0x20)), "\x7f", "\ud800", "\ufffe", "]]>", "\x85"]
)
def test_any_character_gives_xml(report: Make, char: str) -> None:
    text = f"a{char}b"
    each = Result(text, "failed", text, data={"simulated": text})
    suite = read(report(results=(each,), log=text, profile=text, image=text))
    assert suite.get("failures") == "1"


def test_a_log_of_megabytes_is_cut(report: Make) -> None:
    text = to_junit(report(log="x" * 79 + "\n" + "line\n" * 1_000_000 + "the end\n"))
    assert len(text) < 400_000
    suite = ElementTree.fromstring(text)[0]  # noqa: S314 (our own)
    log = suite.findtext("system-out") or ""
    assert log.startswith("… 4744088 characters before this are left out\n")
    assert log.endswith("line\nthe end\n")


def test_nothing_was_asked(report: Make) -> None:
    assert read(report(results=(), log="")).get("tests") == "0"
