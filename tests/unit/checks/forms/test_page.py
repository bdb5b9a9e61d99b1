"""The page: it holds all that it shows, and nothing on it runs or is fetched."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from imagekit.checks.forms.facts import moment
from imagekit.checks.forms.page import to_html
from imagekit.checks.report import Report, Result

Make = Callable[..., Report]

VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """A page's elements, and its text by line; every element has to be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.css = ""
        assert text.startswith("<!DOCTYPE html>\n")
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.css += data
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page(report: Make) -> Page:
    return Page(to_html(report()))


def test_what_a_container_said_is_text(page: Page, hostile: tuple[str, str]) -> None:
    assert not {"script", "iframe", "object", "embed", "form", "base"} & {
        tag for tag, _ in page.elements
    }
    assert page.text.count(hostile[1]) >= 8
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}


def test_nothing_is_fetched(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action"):
            value = attributes.get(name) or "data:"
            beside = tag == "a" and value in {"report.json", "desktop.png", "drawing.svg"}
            assert value.startswith("data:") or beside, (tag, value)
    assert not re.search(r"url\(|@import", page.css)


def test_the_policy_lets_only_the_page_s_own_style_and_pictures_in(page: Page) -> None:
    (policy,) = (
        meta["content"]
        for meta in page.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(page.css.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_raster_pictures_are_shown_and_drawings_are_not(page: Page) -> None:
    (picture,) = page.all("img")
    assert (picture["src"] or "").startswith("data:image/png;base64,iVBOR")
    assert picture["alt"] == "desktop.png, from the check desktop"
    files = [link["href"] for link in page.all("a")]
    assert files == ["desktop.png", "drawing.svg", "report.json"]


def test_the_verdict_stands_at_the_top(report: Make) -> None:
    bad, good = Page(to_html(report())), Page(to_html(report(results=(Result("a", "passed"),))))
    assert "✗ failed" in bad.text
    assert "3 passed, 4 failed, 1 skipped in 21.2 s on 2026-11-25 12:00:00 UTC" in bad.text
    assert "✓ passed" in good.text
    assert "What failed" not in good.text


def test_image_facts_and_versions_are_there(page: Page) -> None:
    for text in (
        *("imagekit/demo:latest", "sha256:" + "ab" * 32, "cd" * 32, "overlay2", "linux/amd64"),
        *("2.41 GB unpacked", "2026-11-24 01:02:03 UTC", "Docker Engine 27.0"),
        *("pytorch 2.10.0", "SSH-2.0-OpenSSH_9.2", "debian:12-slim"),
        *("NVIDIA driver", "535.54"),
    ):
        assert text in page.text, text


def test_the_environment_is_compared(page: Page) -> None:
    lines = [line.strip() for line in page.text.splitlines() if line.strip()]
    begin = lines.index("PATH")
    assert lines[begin : begin + 8] == [
        *("PATH", "/opt/venv/bin:/bin", "in docker exec", "/bin", "over ssh"),
        *("TZ", "UTC", "LC_ALL"),
    ]
    assert lines[begin + 8 : begin + 10] == ["not set", "in docker exec"]
    rows = [row.get("class") for row in page.all("tr")]
    assert rows.count("differs") == 2


def test_what_was_simulated_says_so(page: Page) -> None:
    assert "gpu: simulated." in page.text
    chips = [span for span in page.all("span") if span.get("class") == "chip simulated"]
    assert len(chips) == 1


def test_what_a_check_saw_reads_well(report: Make) -> None:
    data = {
        "key": {"type": "ed25519", "bits": [1, 2]},
        "gpus": [{"uuid": "GPU-1", "free": True}, {"uuid": "GPU-2"}],
        "none": [],
        "deep": {"a": {"b": 1, "c": "two\nlines"}},
    }
    told = Result("again", "passed", data=data).as_dict()
    page = Page(to_html(report(results=(Result("r", "passed", data={**data, "checks": [told]}),))))
    for text in (
        "type: ed25519\nbits: 1, 2\n",
        "- uuid: GPU-1\n  free: yes\n- uuid: GPU-2\n",
        "a:\n  b: 1\n  c: two\nlines\n",
    ):
        assert text in page.text, text


def test_what_was_asked_again_is_below_the_disruption(page: Page) -> None:
    assert "asked again: 1 of 3 passed" in page.text
    assert "asked again after kill: 1 of 1 passed" in page.text


def test_bars_show_when_and_how_long(report: Make) -> None:
    results = (
        Result("a", "passed", seconds=5.0),
        Result("b", "passed", seconds=5.0, started=5.0),
        Result("c", "passed", seconds=0.0, started=10.0),
    )
    page = Page(to_html(report(results=results)))
    bars = [(bar["x"], bar["width"]) for bar in page.all("rect")]
    assert bars == [("0.0", "50.0"), ("50.0", "50.0"), ("99.6", "0.4")]


def test_a_log_of_megabytes_is_cut(report: Make) -> None:
    html = to_html(report(log="<" * 5_000_000 + "the end"))
    assert len(html) < 2_000_000
    assert "4744007 characters before this are left out" in html
    assert "the end" in html


def test_little_is_known_and_the_page_is_there(report: Make) -> None:
    page = Page(
        to_html(report(profile="", plan="", store="", tested="", facts=None, results=(), log=""))
    )
    assert "imagekit/demo:latest" in page.text
    assert "0 passed, 0 failed, 0 skipped in 21.2 s" in page.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-24T01:02:03.123456789Z", "2026-11-24 01:02:03 UTC"),
        ("2026-11-24T01:02:03Z", "2026-11-24 01:02:03 UTC"),
        ("2026-11-24T09:02:03.5+08:00", "2026-11-24 01:02:03 UTC"),
        ("2026-11-24T09:02:03+08:00", "2026-11-24 01:02:03 UTC"),
        ("2024-01-01T00:00:00.123456789-05:00", "2024-01-01 05:00:00 UTC"),
        ("2024-01-01T00:00:00-05:00", "2024-01-01 05:00:00 UTC"),
        ("<yesterday>", "<yesterday>"),
        ("", ""),
    ],
)
def test_moments(text: str, said: str) -> None:
    assert moment(text) == said
