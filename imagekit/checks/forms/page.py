"""The report as one HTML page that needs nothing beside it: no network, no script."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from imagekit.checks.forms.facts import moment
from imagekit.checks.forms.text import shown
from imagekit.checks.forms.view import view
from imagekit.checks.report import Report

_HERE = Path(__file__).parent


def to_html(report: Report) -> str:
    """The page.

    Whatever came from the container is text on it: the template escapes all values, and the
    page's own Content-Security-Policy lets nothing run and nothing be fetched.
    """
    css = (_HERE / "page.css").read_text("utf-8")
    # A policy names the style sheet by its hash (https://www.w3.org/TR/CSP3/#grammardef-hash-source).
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return _template().render(
        report=report,
        title=shown(report.profile or report.image),
        tested=moment(report.tested),
        view=view(report),
        css=Markup(css),  # noqa: S704 (our own file)
        css_hash=f"sha256-{digest}",
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["seconds"] = lambda value: f"{value:.1f} s"
    return environment.get_template("page.html.j2")
