"""What a registry has, asked through the engine, with its mirrors and logins."""

from __future__ import annotations

import docker.errors

from imagekit.engine.connection import Engine
from imagekit.engine.faults import in_words, shorten
from imagekit.errors import Message, NetworkError

# What registries and engines say of a tag that is not there. Docker Hub says "denied" of a
# repository that does not exist, and of one that is private, which cannot be told apart.
_ABSENT = ("manifest unknown", "not found", "no such manifest", "name unknown")


def has(engine: Engine, ref: str) -> bool:
    """Whether the registry has an image; the engine asks it, and fetches nothing.

    Raises:
        NetworkError: the registry cannot be reached, or does not tell.
        EngineError: the engine did not answer.
    """
    with in_words(engine.where):
        try:
            engine.client.api.inspect_distribution(ref)  # type: ignore[no-untyped-call]
        except docker.errors.APIError as error:
            text = str(error.explanation or error)
            if any(words in text.lower() for words in _ABSENT) and "denied" not in text.lower():
                return False
            raise NetworkError(Message(ref, shorten(text))) from error
    return True
