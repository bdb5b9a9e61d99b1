"""What templates can do, and what they cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

from imagekit import render


@pytest.fixture
def template(tmp_path: Path) -> Callable[[str], str]:
    """Render a template's text with the environment of the shipped templates."""

    def rendered(text: str) -> str:
        environment = render._environment(tmp_path)
        return environment.from_string(text).render({"value": "a b", "plan": object()})

    return rendered


def test_an_undefined_name_is_an_error(template: Callable[[str], str]) -> None:
    with pytest.raises(jinja2.UndefinedError, match="vlaue"):
        template("{{ vlaue | sh }}")


@pytest.mark.parametrize(
    "text",
    [
        "{{ plan.__class__.__mro__ | sh }}",
        "{{ ''.__class__ | sh }}",
        "{{ cycler.__init__.__globals__ | sh }}",
        "{{ [].append(1) | sh }}",
        "{{ value | replace('a', 'b') }}",
        "{{ value | attr('upper') }}",
        "{% include '/etc/passwd' %}",
        "{% include '../secret' %}",
    ],
)
def test_a_template_cannot_leave_its_box(template: Callable[[str], str], text: str) -> None:
    with pytest.raises((jinja2.TemplateError, TypeError)):
        template(text)


@pytest.mark.parametrize(
    ("filtered", "shown"),
    [
        ("value | sh", "'a b'"),
        ("value | json", '"a b"'),
        ("value | dockerfile", '"a b"'),
        ("'a\nb' | comment", "a b"),
    ],
)
def test_filters(template: Callable[[str], str], filtered: str, shown: str) -> None:
    assert template(f"{{{{ {filtered} }}}}") == shown
