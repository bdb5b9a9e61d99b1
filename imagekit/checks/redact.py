"""Keeps passwords out of what is shown and stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from imagekit.checks.check import Attachment
from imagekit.checks.report import Failure, Result
from imagekit.checks.subject import Subject
from imagekit.container import Secrets

_MASK = "[password]"
_PUBLIC = frozenset({"authorized_keys", "tls_certificate"})


class Redactor:
    """Replaces the secrets of one run wherever a log or an answer repeats them.

    The checks put no secret into what they say; but they quote what came back, and an
    image may have printed what it was given.

    Args:
        secrets: what is replaced.
        public: what stays even where a password is the same: the account's name, as in
            images of others whose root has the password root.
    """

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Secrets, public: str = "") -> None:
        hidden = (text for name, text in secrets.files().items() if name not in _PUBLIC)
        # Line by line: a log shows a key's lines each on its own.
        lines = {line for text in hidden for line in text.decode().splitlines()}
        wanted = (line for line in lines if line.strip() and line != public)
        # The longest first: one may be a part of another.
        self._secrets = tuple(sorted(wanted, key=len, reverse=True))

    def text(self, text: str) -> str:
        """The text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text

    def result(self, result: Result) -> Result:
        """The result without the secrets, in its reason and anywhere in its data."""
        data = {name: self._value(value) for name, value in result.data.items()}
        parts = result.failure
        if parts is not None:
            parts = Failure(*map(self.text, (parts.asked, parts.got, parts.look_at)))
        return replace(result, reason=self.text(result.reason), data=data, failure=parts)

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Attachment) and value.media_type.startswith("text/"):
            text = self.text(value.content.decode(errors="replace"))
            return replace(value, content=text.encode())
        if isinstance(value, Mapping):
            return {name: self._value(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(inner) for inner in value]
        return value


def redactor_of(subject: Subject) -> Redactor:
    """The one for a container: it hides all that lies in it, known to the checks or not."""
    return Redactor(subject.given or subject.secrets, public=subject.plan.user.name)
