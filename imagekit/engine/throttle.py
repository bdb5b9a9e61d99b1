"""How long a registry that has too much to do wants to be left alone.

Engines do not pass on ``Retry-After`` (RFC 9110, section 10.2.3). Some registries repeat it
in their message, which engines do pass on; the others are asked by a request of our own.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import requests

_SECONDS = 10.0  # for the one request; a registry that is slower than that tells us nothing
_NUMBER = r"(\d+(?:\.\d+)?)\s*([^\W\d_]*)"
# With Go's text of a duration it may be several: 1m30s.
_IN_WORDS = re.compile(rf"retry[- ]after:?\s*((?:{_NUMBER})+)", re.IGNORECASE)
_PARTS = re.compile(_NUMBER)
_UNITS = {"µs": 1e-6, "us": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_UNITS |= {"millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0}
_UNITS |= {f"{name}s": value for name, value in _UNITS.items() if len(name) > 2}
# Engines take plain HTTP for these alone, without being told to.
_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?\Z")
# Docker Hub's images are called by another name than its registry.
_API = {"docker.io": "registry-1.docker.io"}


def wait_wanted(host: str, text: str) -> float:
    """Seconds that a registry asks to wait; 0.0 when it does not say.

    Args:
        host: the registry, as in image names.
        text: what the engine passed on of its refusal.
    """
    said = _IN_WORDS.search(text)
    parts = (
        [(float(one), unit.lower()) for one, unit in _PARTS.findall(said.group(1))] if said else []
    )
    if parts and all(unit in _UNITS for _, unit in parts):
        return sum(number * _UNITS[unit] for number, unit in parts)
    scheme = "http" if _LOOPBACK.match(host) else "https"
    try:
        answer = requests.get(
            f"{scheme}://{_API.get(host, host)}/v2/", timeout=_SECONDS, allow_redirects=False
        )
    except requests.RequestException:
        # Only the engine may reach it, or trust its certificate: then nobody tells us.
        return 0.0
    if answer.status_code not in {429, 503}:
        return 0.0
    return _seconds(answer.headers.get("Retry-After", ""))


def _seconds(value: str) -> float:
    """A header's seconds, or the time until its date; 0.0 for anything else."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
